"""N+1 queries: found where they happen, and nothing else is taken for one."""

import gc
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, MetaData, String, event, text
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship

from lineside.exceptions import ConfigurationError
from lineside.models import Database
from lineside.models._association._declared import has_many
from lineside.models._association._n_plus_one import (
    NPlusOneMode,
    NPlusOneWarning,
    _Watch,
    allow_n_plus_one,
    default_n_plus_one_mode,
    watch_for_n_plus_one,
)
from lineside.models._base._model import Model
from lineside.models._exceptions import NPlusOneQueriesError
from lineside.models._validation._declarations import validates
from lineside.models.migrations import check, migrate, revision, rollback

pytestmark = pytest.mark.anyio

HERE = Path(__file__).name


class Base(Model, registry=registry()):
    pass


class Author(Base, table=True):
    name: str = ""


@validates("title", uniqueness=True)
@has_many("comments", dependent="destroy")
class Post(Base, table=True):
    title: str = ""
    author_id: int | None = Field(default=None, foreign_key="author.id")
    author: Author | None = Relationship()
    comments: list["Comment"] = Relationship()

    async def before_create(self) -> None:
        await Author.where(name=self.title).exists()


class Comment(Base, table=True):
    post_id: int | None = Field(default=None, foreign_key="post.id")


@pytest.fixture
async def keys(database: Database) -> list[int]:
    """Write five posts, each with an author and two comments."""
    posts = [
        Post(title=f"{n}", author=Author(name=f"{n}"), comments=[Comment(), Comment()]) for n in range(5)
    ]
    async with database.session() as session:
        session.add_all(posts)
    return [post.id for post in posts]


@pytest.fixture
def strict(database: Database) -> Database:
    watch_for_n_plus_one(database.engine, "raise")
    return database


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_c: object, _u: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    yield statements
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def titles(keys: list[int]) -> list[str]:
    return [(await Post.find(key)).title for key in keys]


class TestFound:
    """One query for each record of a list."""

    async def test_find_in_a_loop(self, strict: Database, keys: list[int]) -> None:
        async with strict.session():
            with pytest.raises(NPlusOneQueriesError) as caught:
                await titles(keys)
        message = str(caught.value)
        assert f"{HERE}:" in message
        assert ".includes(" in message
        assert "SELECT" in message

    async def test_the_third_time_it_does_not_even_run(self, strict: Database, keys: list[int]) -> None:
        async with strict.session():
            with counted(strict) as statements, pytest.raises(NPlusOneQueriesError):
                await titles(keys)
        assert sum(statement.startswith("SELECT") for statement in statements) <= 3
        assert len(statements) < len(keys)

    async def test_the_session_works_on(self, strict: Database, keys: list[int]) -> None:
        async with strict.session():
            with pytest.raises(NPlusOneQueriesError):
                await titles(keys)
            await Author(name="new").save()
        async with strict.session():
            assert await Author.where(name="new").exists()

    async def test_loading_in_a_loop(self, strict: Database, keys: list[int]) -> None:
        async with strict.session():
            posts = await Post.all()
            with pytest.raises(NPlusOneQueriesError):
                _ = [await post.load("author") for post in posts]

    async def test_a_query_of_an_association_in_a_loop(self, strict: Database, keys: list[int]) -> None:
        async with strict.session():
            posts = await Post.all()
            with pytest.raises(NPlusOneQueriesError):
                _ = [await post.association("comments").count() for post in posts]

    async def test_lazy_loading_names_the_association(self, strict: Database, keys: list[int]) -> None:
        watch_for_n_plus_one(strict.sync_engine, "raise")
        with strict.sync_session() as session:
            posts = Post.sync.all()
            with pytest.raises(NPlusOneQueriesError, match=r'add .includes\("author"\) to the query'):
                _ = [post.author for post in posts]
            session.rollback()

    async def test_lazy_loading_in_run_sync(self, strict: Database, keys: list[int]) -> None:
        async with strict.session() as session:
            posts = await Post.all()
            with pytest.raises(NPlusOneQueriesError, match=r'add .includes\("comments"\)'):
                await session.run_sync(lambda _: [len(post.comments) for post in posts])

    async def test_raw_sql_in_a_loop(self, strict: Database, keys: list[int]) -> None:
        async with strict.engine.connect() as connection:
            statement = text("SELECT title FROM post WHERE id = :id")
            with pytest.raises(NPlusOneQueriesError):
                _ = [await connection.execute(statement, {"id": key}) for key in keys]

    async def test_through_a_function_that_a_loop_calls(self, strict: Database, keys: list[int]) -> None:
        async def title(key: int) -> str:
            return (await Post.find(key)).title

        async with strict.session():
            with pytest.raises(NPlusOneQueriesError):
                _ = [await title(key) for key in keys]


class TestNotFound:
    """What looks alike."""

    async def test_twice(self, strict: Database, keys: list[int]) -> None:
        async with strict.session():
            assert await titles(keys[:2]) == ["0", "1"]

    async def test_from_several_places(self, strict: Database, keys: list[int]) -> None:
        async with strict.session():
            await Post.find(keys[0])
            await Post.find(keys[1])
            await Post.find(keys[2])
            await titles(keys[3:])

    async def test_through_one_function_that_several_places_call(
        self, strict: Database, keys: list[int]
    ) -> None:
        async with strict.session():
            await titles(keys[:1])
            await titles(keys[1:2])
            await titles(keys[2:3])

    async def test_the_same_values_again(self, strict: Database, keys: list[int]) -> None:
        async with strict.session():
            post = await Post.find(keys[0])
            for _ in range(5):
                await post.reload()
                assert await Post.count() == 5

    async def test_in_transactions_of_their_own(self, strict: Database, keys: list[int]) -> None:
        for key in keys:
            async with strict.session() as session:
                await Post.find(key)
                await session.commit()
                await Post.find(key)

    async def test_in_batches(self, strict: Database, keys: list[int]) -> None:
        async with strict.session():
            found = [post async for batch in Post.in_batches(1) for post in batch]
        with strict.sync_session():
            assert [len(batch) for batch in Post.sync.in_batches(1)] == [1] * len(found)

    async def test_includes_of_more_records_than_one_query_takes(self, strict: Database) -> None:
        async with strict.session() as session:
            session.add_all(Author(name=f"{n}") for n in range(2_000))
        async with strict.engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO post (title, author_id, created_at, updated_at) "
                    "SELECT name, id, created_at, updated_at FROM author"
                )
            )
        async with strict.session():
            with counted(strict) as statements:
                found = await Post.includes("author", "comments").all()
            assert len(found) == 2_000
            assert len(statements) > 6, "several queries for each association"

    async def test_saving_many(self, strict: Database, keys: list[int]) -> None:
        # Each asks whether its title is taken, and has a callback that asks, too.
        async with strict.session():
            for n in range(10, 15):
                await Post(title=f"{n}").save()

    async def test_destroying_many(self, strict: Database, keys: list[int]) -> None:
        async with strict.session():
            for post in await Post.all():
                await post.destroy()
        async with strict.session():
            assert await Comment.count() == 0

    async def test_what_is_allowed(self, strict: Database, keys: list[int]) -> None:
        async with strict.session():
            with allow_n_plus_one():
                assert await titles(keys) == ["0", "1", "2", "3", "4"]
            with pytest.raises(NPlusOneQueriesError):
                await titles(keys)


async def test_tables_are_looked_at_one_by_one(database: Database, tmp_path: Path) -> None:
    """To make, compare, list and migrate them is no loop over records."""
    watch_for_n_plus_one(database.engine, "raise", threshold=2)
    await database.create_all(Base.metadata)
    async with database.engine.connect() as connection:
        await connection.run_sync(lambda sync: MetaData().reflect(sync))
    wider = MetaData()
    for table in Base.metadata.sorted_tables:
        table.to_metadata(wider).append_column(Column("subtitle", String, server_default="none"))
    await revision("subtitles", tmp_path, database=database, metadata=wider)
    await migrate(database, tmp_path)
    await check(database, tmp_path, metadata=wider)
    await rollback(database, tmp_path)
    async with database.engine.begin() as connection:
        await connection.execute(text("DROP TABLE alembic_version"))


class TestModes:
    """Off, a warning, an error."""

    async def test_warns_and_logs_once_for_each_place(
        self, database: Database, keys: list[int], caplog: pytest.LogCaptureFixture
    ) -> None:
        watch_for_n_plus_one(database.engine, "warn")
        with (
            warnings.catch_warnings(record=True, action="always") as caught,
            caplog.at_level(logging.WARNING),
        ):
            for _ in range(2):
                async with database.session():
                    assert len(await titles(keys)) == 5
        (warning,) = caught
        assert warning.category is NPlusOneWarning
        assert Path(warning.filename).name == HERE
        assert "lineside.models" in {record.name for record in caplog.records}
        assert sum("N+1" in record.message for record in caplog.records) == 1

    async def test_off_listens_to_nothing(self, database: Database) -> None:
        engine = database.engine.sync_engine
        before = len(engine.dispatch.before_cursor_execute)
        watch_for_n_plus_one(database.engine, "off")
        assert len(engine.dispatch.before_cursor_execute) == before
        watch_for_n_plus_one(database.engine, "warn")
        assert len(engine.dispatch.before_cursor_execute) == before + 1

    @pytest.mark.parametrize(
        ("environment", "mode"),
        [
            ("development", "warn"),
            ("test", "raise"),
            ("production", "off"),
            ("staging", "off"),
            (None, "off"),
        ],
    )
    def test_the_environment_decides(
        self, environment: str | None, mode: NPlusOneMode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("LINESIDE_ENV", raising=False)
        if environment is not None:
            monkeypatch.setenv("LINESIDE_ENV", environment)
        assert default_n_plus_one_mode() == mode

    async def test_the_threshold(self, database: Database, keys: list[int]) -> None:
        watch_for_n_plus_one(database.engine, "raise", threshold=5)
        async with database.session():
            await titles(keys[:4])
            with pytest.raises(NPlusOneQueriesError):
                await titles(keys)

    async def test_an_unknown_mode(self, database: Database) -> None:
        wrong: Any = "on"
        with pytest.raises(ConfigurationError, match="off, warn, raise"):
            watch_for_n_plus_one(database.engine, wrong)


async def test_what_was_seen_is_bounded_and_goes_with_its_transaction(database: Database) -> None:
    watch = _Watch(3, lambda _message, _place: None)
    event.listen(database.engine.sync_engine, "before_cursor_execute", watch)
    async with database.engine.connect() as connection:
        for number in range(1_500):
            await connection.execute(text(f"SELECT {number}"))
        assert 0 < sum(len(seen) for seen in watch._seen.values()) <= 1_000
    del connection
    gc.collect()
    assert len(watch._seen) == 0
