"""Factories: records with what a test says, what the factory says, and valid values for the rest."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship, SQLModel

from lineside.exceptions import CallbackError, ConfigurationError, MissingDependencyError, RecordInvalid
from lineside.models import (
    Database,
    Model,
    NoSessionError,
    UnknownAttributeError,
    current_session,
    validates,
)
from lineside.models.fastapi import install_database
from lineside.testing import Association, Factory, Sequence, TestApp, Trait, Transient, Values

pytestmark = pytest.mark.anyio

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Base(Model, registry=registry()):
    pass


class Status(Enum):
    DRAFT = "draft"
    PUBLIC = "public"


class User(Base, table=True):
    email: str = Field(unique=True, max_length=40)
    age: int = Field(ge=18, le=99)
    nickname: str | None = None
    posts: list["Post"] = Relationship(back_populates="author")


@validates("title", length=(3, 12))
@validates("kind", inclusion=["news", "essay"])
@validates("stars", numericality={"greater_than": 0, "less_than_or_equal_to": 5})
class Post(Base, table=True):
    title: str
    kind: str
    stars: int
    slug: str = ""
    status: Status
    written_at: datetime
    tags: str = ""
    views: int = 0
    author_id: int = Field(foreign_key="user.id")
    author: User = Relationship(back_populates="posts")
    saves: ClassVar[list[str]] = []

    def before_save(self) -> None:
        self.saves.append(self.title)


class PlainBase(SQLModel, registry=Base._sa_registry):
    pass


class Plain(PlainBase, table=True):
    """A class of SQLModel, with nothing of ours."""

    id: int | None = Field(default=None, primary_key=True)
    name: str


class UserFactory(Factory[User]):
    email = Sequence(lambda number: f"user{number}@example.com")
    nickname = "ada"


class PostFactory(Factory[Post]):
    title = Sequence(lambda number: f"Post {number}")
    slug = lambda values: f"{values.prefix}{values.title.lower()}"  # noqa: E731
    author = Association(UserFactory)
    prefix = Transient("")
    old = Trait(written_at=LONG_AGO, views=10)
    popular = Trait(views=1000, author=Association(UserFactory, nickname="famous"))


class Hooked(PostFactory):
    """Notes what happens to its posts."""

    _happened: ClassVar[list[str]] = []
    title = "hooked"
    comments = Transient(0)

    @classmethod
    def after_build(cls, record: Post, values: Values) -> None:
        cls._happened.append(f"built, {values.comments} comments")

    @classmethod
    async def after_create(cls, record: Post, values: Values) -> None:
        cls._happened.append(f"created {record.id is not None} in {type(current_session()).__name__}")


class PlainFactory(Factory[Plain]):
    pass


@pytest.fixture(autouse=True)
def _forget() -> None:
    Post.saves.clear()
    Hooked._happened.clear()
    for factory in (UserFactory, PostFactory):
        factory.rewind()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Give a database with the tables of this module."""
    database = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield database
    await database.dispose()


class TestBuild:
    async def test_what_a_factory_says(self) -> None:
        """A plain value, a sequence, a function of other values, a related record; nothing is saved."""
        post = PostFactory.build()
        assert post.is_new_record
        assert (post.title, post.slug) == ("Post 1", "post 1")
        assert (post.author.email, post.author.nickname) == ("user1@example.com", "ada")
        assert PostFactory.build().title == "Post 2"

    async def test_what_a_test_says_goes_first(self) -> None:
        """Other values follow it."""
        author = UserFactory.build(nickname="ben")
        post = PostFactory.build(title="Hello", author=author, views=3)
        assert (post.title, post.slug, post.views) == ("Hello", "hello", 3)
        assert post.author is author

    async def test_the_rest_keeps_its_default(self) -> None:
        """Only what is required and not defined is made up."""
        post = PostFactory.build()
        assert (post.views, post.tags) == (0, "")
        assert isinstance(post.status, Status)

    async def test_a_foreign_key_leaves_the_association_out(self) -> None:
        """No second author is made."""
        post = PostFactory.build(author_id=7)
        assert post.author_id == 7
        assert post.author is None
        assert UserFactory.build().email == "user1@example.com"

    async def test_a_list(self) -> None:
        """Each is another record."""
        assert [post.title for post in PostFactory.build_list(3, views=1)] == ["Post 1", "Post 2", "Post 3"]

    async def test_a_transient_value(self) -> None:
        """Other values see it, the record does not get it."""
        assert PostFactory.build(prefix="a-", title="Hello").slug == "a-hello"

    async def test_a_list_is_not_shared(self) -> None:
        """Nor is any other value that can be changed; what a test gives is given as it is."""

        class Listed(Factory[Plain]):
            name = ""
            items = Transient([])

        first, second = (Listed._assemble((), {}, []).values for _ in range(2))
        assert first.items is not second.items
        mine = [1]
        assert Listed._assemble((), {"items": mine}, []).values.items is mine

    async def test_a_function_may_take_nothing(self) -> None:
        """It is called for each record; a function that a test gives is a value."""

        class Called(Factory[Plain]):
            name = lambda: uuid4().hex  # noqa: E731

        assert Called.build().name != Called.build().name

    async def test_attributes_for_a_request(self) -> None:
        """Without related records, and without a record."""
        attributes = PostFactory.attributes_for("popular", title="Hello")
        assert attributes["title"] == "Hello"
        assert attributes["views"] == 1000
        assert not {"author", "prefix", "id", "author_id"} & attributes.keys()


class TestTraits:
    async def test_by_name(self) -> None:
        """A later one goes before an earlier one, and a test before both."""
        assert PostFactory.build("old").written_at == LONG_AGO
        both = PostFactory.build("old", "popular")
        assert (both.written_at, both.views, both.author.nickname) == (LONG_AGO, 1000, "famous")
        assert PostFactory.build("popular", "old").views == 10
        assert PostFactory.build("old", views=3).views == 3

    async def test_a_subclass_has_them(self) -> None:
        """With everything else of its base."""
        assert Hooked.build("old").written_at == LONG_AGO
        assert Hooked.build().author.nickname == "ada"

    async def test_an_unknown_one(self) -> None:
        """The error lists those that there are."""
        with pytest.raises(ConfigurationError, match="no trait 'new'; it has: old, popular"):
            PostFactory.build("new")


class TestRandomValues:
    async def test_are_valid(self, database: Database) -> None:
        """As far as types, constraints and rules without conditions can tell."""

        class Bare(Factory[Post]):
            author = Association(UserFactory)

        async with database.session():
            for post in await Bare.create_list(30):
                assert 3 <= len(post.title) <= 12
                assert post.kind in {"news", "essay"}
                assert 0 < post.stars <= 5
                assert 18 <= post.author.age <= 99
                assert post.written_at.tzinfo is UTC

    async def test_are_the_same_in_every_run(self) -> None:
        """Which is what makes a failing test fail again."""
        program = (
            "from sqlmodel import Field, SQLModel\n"
            "from lineside.testing import Factory\n"
            "class Plain(SQLModel, table=True):\n"
            "    id: int | None = Field(default=None, primary_key=True)\n"
            "    name: str\n"
            "class PlainFactory(Factory[Plain]): pass\n"
            "print([plain.name for plain in PlainFactory.build_list(5)])\n"
        )
        first, second = [await _output(program) for _ in range(2)]
        assert first == second
        assert len(set(first.split(","))) == 5

    async def test_rewind_begins_again(self) -> None:
        """Sequences, too."""

        def made() -> list[tuple[str, int]]:
            return [(user.email, user.age) for user in UserFactory.build_list(3)]

        first = made()
        assert made() != first
        UserFactory.rewind()
        assert made() == first


class TestCreate:
    async def test_saves_the_record_and_what_it_is_associated_with(self, database: Database) -> None:
        """Each once."""
        async with database.session():
            post = await PostFactory.create()
            assert post.is_persisted
            assert post.author_id == post.author.id
        assert Post.saves == ["Post 1"]
        async with database.session():
            assert await Post.where(author_id=post.author_id).count() == 1

    async def test_a_list(self, database: Database) -> None:
        """With one author for all, if a test gives one."""
        async with database.session():
            author = await UserFactory.create()
            posts = await PostFactory.create_list(3, author=author)
            assert [post.author_id for post in posts] == [author.id] * 3
            assert await User.count() == 1

    async def test_what_is_refused(self, database: Database) -> None:
        """Leaves nothing behind in the session."""
        async with database.session() as session:
            with pytest.raises(RecordInvalid, match="Title"):
                await PostFactory.create(title="x")
            await session.commit()
            assert await User.count() == 0

    async def test_a_plain_class(self, database: Database) -> None:
        """It needs nothing of ours."""
        async with database.session() as session:
            plain = await PlainFactory.create(name="Ada")
            assert plain in session
            assert plain.id is not None

    async def test_in_a_named_session(self, database: Database) -> None:
        """Where none is ambient."""
        with pytest.raises(NoSessionError, match=r"UserFactory\.create"):
            await UserFactory.create()
        async with database.session() as session:
            pass
        async with database.session() as session:
            user = await UserFactory.create(session=session)
            assert user in session

    async def test_without_await(self, database: Database) -> None:
        """In a sync session."""
        with database.sync_session():
            post = PostFactory.create_sync("old")
            assert post.author.is_persisted
            assert len(PostFactory.create_list_sync(2)) == 2
            with pytest.raises(CallbackError, match=r"Hooked\.after_create is async"):
                Hooked.create_sync()


class TestHooks:
    async def test_after_build_and_after_create(self, database: Database) -> None:
        """They see transient values, and the session is the ambient one."""
        async with database.session():
            await Hooked.create(comments=3)
        assert Hooked._happened == ["built, 3 comments", "created True in AsyncSession"]
        Hooked.build()
        assert Hooked._happened[2:] == ["built, 0 comments"]


class TestMistakes:
    async def test_an_unknown_attribute_of_a_test(self) -> None:
        """Listed are those of the model and the transient ones."""
        with pytest.raises(UnknownAttributeError, match=r"Post has no attribute 'titel'.*prefix.*title"):
            PostFactory.build(titel="typo")

    async def test_an_unknown_attribute_of_a_factory(self) -> None:
        """When the class is made."""
        with pytest.raises(UnknownAttributeError, match="titel"):

            class Wrong(Factory[Post]):
                titel = "typo"

        with pytest.raises(UnknownAttributeError, match="titel"):

            class WrongTrait(Factory[Post]):
                loud = Trait(titel="typo")

    async def test_no_model(self) -> None:
        """The error shows the line."""

        class Nothing(Factory):  # type: ignore[type-arg]
            pass

        with pytest.raises(ConfigurationError, match=r"class Nothing\(Factory\[Post\]\)"):
            Nothing.build()

    async def test_values_that_need_each_other(self) -> None:
        """The way round is named."""

        class Round(Factory[Post]):
            title = lambda values: values.slug  # noqa: E731
            slug = lambda values: values.title  # noqa: E731

        with pytest.raises(ConfigurationError, match="title needs slug needs title"):
            Round.build()

    async def test_without_polyfactory(self) -> None:
        """The error types the command."""
        program = (
            "import sys; sys.modules['polyfactory.factories.pydantic_factory'] = None\n"
            "from sqlmodel import Field, SQLModel\n"
            "from lineside.testing import Factory\n"
            "class Plain(SQLModel, table=True):\n"
            "    id: int | None = Field(default=None, primary_key=True)\n"
            "class PlainFactory(Factory[Plain]): pass\n"
            "try:\n    PlainFactory.build()\nexcept ImportError as error:\n    print(error)\n"
        )
        assert "pip install 'lineside[testing]'" in await _output(program)
        assert issubclass(MissingDependencyError, ImportError)


def test_by_the_app_under_test(tmp_path: Path) -> None:
    """`test_app.db` runs a factory on the app's loop."""
    app = FastAPI()
    database = install_database(app, f"sqlite:///{tmp_path / 'test.sqlite3'}")

    async def create_tables() -> None:
        async with database.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)

    with TestApp(app) as client:
        client.run(create_tables)
        post = client.db.create(PostFactory, "old", title="Hello")
        assert client.db.create_list(PostFactory, 2, author_id=post.author_id)[1].id == 3
        assert client.db.count(Post) == 3
        assert client.db.count(User) == 1


async def _output(program: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()
