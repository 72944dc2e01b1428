"""Transactional tests: commits that are undone at the end of a test."""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.orm import registry

from lineside.exceptions import ConfigurationError
from lineside.models import Database, Model, after_commit, transaction
from lineside.models.fastapi import SessionDep, install_database
from lineside.testing import TestApp, transactional_tests

pytestmark = pytest.mark.anyio

happened: list[str] = []


class Base(Model, registry=registry()):
    pass


class Post(Base, table=True):
    title: str

    @after_commit
    def tell(self) -> None:
        happened.append(f"{self.title} committed")


@pytest.fixture(autouse=True)
def _forget() -> None:
    happened.clear()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """Give each database, with the table."""
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'test.sqlite3'}" if is_sqlite else request.getfixturevalue("postgres_url")
    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield database
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
    await database.dispose()


async def committed(database: Database) -> int:
    """Count the rows on a connection of its own."""
    async with database.engine.connect() as connection:
        return (await connection.execute(text("SELECT count(*) FROM post"))).scalar_one()


async def test_what_is_committed_inside_is_undone(database: Database) -> None:
    """Sessions inside see it, and it is gone at the end; effects of commits run."""
    async with transactional_tests(database):
        async with database.session():
            await Post.create(title="a")
        assert happened == ["a committed"]
        async with database.session() as session:
            await Post.create(title="b")
            await session.commit()
            assert await Post.count() == 2
    assert await committed(database) == 0


async def test_what_was_there_before_stays(database: Database) -> None:
    """Also if it is changed inside."""
    async with database.session():
        post = await Post.create(title="before")
    async with transactional_tests(database), database.session():
        await Post.where(id=post.id).delete_all()
    async with database.session():
        assert (await Post.find(post.id)).title == "before"


async def test_a_rollback_inside_undoes_its_session_alone(database: Database) -> None:
    """As it would outside."""
    async with transactional_tests(database):
        async with database.session():
            await Post.create(title="kept")
        with suppress(ZeroDivisionError):
            async with database.session():
                await Post.create(title="undone")
                raise ZeroDivisionError
        async with database.session() as session:
            await Post.create(title="undone, too")
            await session.rollback()
        async with database.session():
            assert await Post.query().pluck("title") == ["kept"]
            with suppress(ZeroDivisionError):
                async with transaction():
                    await Post.create(title="undone as well")
                    raise ZeroDivisionError
            assert await Post.count() == 1
    assert await committed(database) == 0


async def test_everything_that_opens_sessions_takes_part(database: Database) -> None:
    """Transactions, raw SQL, the reading role."""
    async with transactional_tests(database):
        async with database.transaction():
            await Post.create(title="a")
        await database.run_transaction(lambda session: Post.create(title="b", session=session))
        assert await database.exec("UPDATE post SET title = :title", title="c") == 2
        async with database.session(role="reading"):
            assert await Post.query().pluck("title") == ["c", "c"]
    assert await committed(database) == 0


async def test_without_await(database: Database) -> None:
    """`with` is for sync sessions."""
    with transactional_tests(database):
        with database.sync_session():
            Post.sync.create(title="a")
        with database.sync_session() as session:
            assert Post.sync.count() == 1
            Post.sync.create(title="b")
            session.rollback()
            assert Post.sync.count() == 1
    assert await committed(database) == 0


async def test_an_error_inside_is_the_tests(database: Database) -> None:
    """And undoes no less."""
    with pytest.raises(ZeroDivisionError):
        await _fail(database)
    assert await committed(database) == 0
    async with database.session():
        await Post.create(title="afterwards")
    assert await committed(database) == 1


async def _fail(database: Database) -> None:
    async with transactional_tests(database):
        async with database.session():
            await Post.create(title="a")
        raise ZeroDivisionError


async def test_sessions_of_the_other_kind_are_refused(database: Database) -> None:
    """They would wait for a lock that the test holds, or see other rows."""
    async with transactional_tests(database):
        with pytest.raises(ConfigurationError, match="one connection"):
            database.sync_session()
    with transactional_tests(database), pytest.raises(ConfigurationError, match="one connection"):
        database.session()


async def test_twice_is_refused(database: Database) -> None:
    """The inner one would end the outer one's redirection."""
    async with transactional_tests(database):
        with pytest.raises(ConfigurationError, match="already open"):
            await transactional_tests(database).__aenter__()


def test_of_an_app(tmp_path: Path) -> None:
    """Requests and `test_app.db` share the transaction; the next test finds nothing of it."""
    url = f"sqlite:///{tmp_path / 'test.sqlite3'}"

    def new_app() -> FastAPI:
        app = FastAPI()
        install_database(app, url)

        @app.post("/posts", status_code=201)
        async def create(session: SessionDep) -> int:
            return (await Post.create(title="by a request")).id

        @app.get("/posts")
        async def count(session: SessionDep) -> int:
            return await Post.count()

        return app

    with TestApp(new_app()) as client:
        client.db.run(_create_tables)
    with TestApp(new_app(), use_transactional_tests=True) as client:
        client.post("/posts").assert_status(201)
        client.db.add(Post(title="by the test"))
        client.get("/posts").assert_json(2)
        assert client.db.count(Post) == 2
    assert happened == ["by a request committed", "by the test committed"]
    with TestApp(new_app()) as client:
        client.get("/posts").assert_json(0)


async def _create_tables(session: object) -> None:
    await (await session.connection()).run_sync(Base.metadata.create_all)  # type: ignore[attr-defined]
