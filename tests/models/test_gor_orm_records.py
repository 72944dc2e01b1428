"""GOR-ORM-01 to 05: what a model is. Each row is read back by another program."""

from typing import Any

import pytest
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship, SQLModel

from lineside.exceptions import RecordInvalid
from lineside.models import (
    Database,
    Model,
    Query,
    after_create,
    after_destroy,
    after_save,
    after_update,
    before_create,
    before_destroy,
    before_save,
    before_update,
    scope,
    validate,
    validates,
)
from tests.models.reading import read

pytestmark = pytest.mark.anyio

classes = registry()
happened: list[str] = []


class Base(Model, registry=classes):
    pass


class Plain(SQLModel, registry=classes):
    pass


class PostTag(Plain, table=True):
    __tablename__ = "post_tags"
    post_id: int = Field(foreign_key="post.id", primary_key=True)
    tag_id: int = Field(foreign_key="tag.id", primary_key=True)


class User(Base, table=True):
    __tablename__ = "users"
    name: str
    posts: list["Post"] = Relationship(back_populates="user")


@validates("title", presence=True, length=(1, 255))
class Post(Base, table=True):
    title: str
    body: str = Field(default="", sa_column_kwargs={"name": "content"})
    published: bool = False
    user_id: int | None = Field(default=None, foreign_key="users.id")
    user: User | None = Relationship(back_populates="posts")
    comments: list["Comment"] = Relationship(back_populates="post")
    tags: list["Tag"] = Relationship(back_populates="posts", link_model=PostTag)

    @validate
    async def no_shouting(self) -> None:
        if self.title.isupper():
            self.errors.add("title", "shouts")

    @scope
    def published_ones(query: Query["Post"]) -> Query["Post"]:
        return query.where(published=True)

    @scope
    def titled(query: Query["Post"], beginning: str) -> Query["Post"]:
        return query.where(Post.title.startswith(beginning, autoescape=True))  # type: ignore[attr-defined]


class Comment(Base, table=True):
    text: str
    post_id: int = Field(foreign_key="post.id")
    post: Post = Relationship(back_populates="comments")


class Tag(Base, table=True):
    name: str
    posts: list[Post] = Relationship(back_populates="tags", link_model=PostTag)


class Parcel(Base, table=True):
    """Says what happens to it; a callback whose name is in `refusing` refuses."""

    name: str

    @before_save
    async def one(self) -> None:
        await tell("before save")

    @before_create
    async def two(self) -> None:
        await tell("before create")

    @after_create
    async def three(self) -> None:
        await tell("after create")

    @after_save
    async def four(self) -> None:
        await tell("after save")

    @before_update
    async def five(self) -> None:
        await tell("before update")

    @after_update
    async def six(self) -> None:
        await tell("after update")

    @before_destroy
    async def seven(self) -> None:
        await tell("before destroy")

    @after_destroy
    async def eight(self) -> None:
        await tell("after destroy")


refusing: set[str] = set()


class RefusedError(Exception):
    """What a callback of an app raises."""


async def tell(what: str) -> None:
    if what in refusing:
        raise RefusedError(what)
    happened.append(what)


@pytest.fixture(autouse=True)
def _forget() -> None:
    happened.clear()
    refusing.clear()


class TestColumns:
    async def test_gor_orm_01_a_model_has_a_key_and_timestamps(self, database: Database) -> None:
        """A create sets all three, an update the last one only."""
        async with database.session():
            user = await User.create(name="Ada")
        (before,) = await read(database, "SELECT id, created_at, updated_at, name FROM users")
        assert before[0] == user.id == 1
        assert before[1] == before[2]
        assert before[1] is not None
        async with database.session():
            await (await User.find(1)).update(name="Eve")
        (after,) = await read(database, "SELECT id, created_at, updated_at, name FROM users")
        assert after[:2] == before[:2]
        assert after[2] > before[2]
        assert after[3] == "Eve"

    async def test_gor_orm_02_fields_say_column_default_and_limits(self, database: Database) -> None:
        """The name in the table, the value of what is left out, and what may be in it."""
        async with database.session():
            await Post.create(title="Hello", body="World")
            for title in ("", "x" * 256):
                with pytest.raises(RecordInvalid) as caught:
                    await Post.create(title=title)
                assert "title" in caught.value.errors
        assert await read(database, "SELECT title, content, published FROM post") == [
            ("Hello", "World", False)
        ]

    async def test_gor_orm_02_fields_say_associations(self, database: Database) -> None:
        """belongs_to, has_many and many_to_many with its link table."""
        async with database.session():
            ada = await User.create(name="Ada")
            post = await ada.association("posts").create(title="Hello")
            await post.association("comments").create(text="Hi")
            await post.association("tags").create(name="new")
        assert await read(
            database,
            "SELECT users.name, post.title, comment.text, tag.name FROM users"
            " JOIN post ON post.user_id = users.id JOIN comment ON comment.post_id = post.id"
            " JOIN post_tags ON post_tags.post_id = post.id JOIN tag ON tag.id = post_tags.tag_id",
        ) == [("Ada", "Hello", "Hi", "new")]


class TestCallbacks:
    async def test_gor_orm_03_callbacks_stand_around_each_action(self, database: Database) -> None:
        """Save around create and update; they may wait for something."""
        async with database.session():
            parcel = await Parcel.create(name="a")
            created = happened.copy()
            await parcel.update(name="b")
            updated = happened[len(created) :]
            await parcel.destroy()
            destroyed = happened[len(created) + len(updated) :]
        assert created == ["before save", "before create", "after create", "after save"]
        assert updated == ["before save", "before update", "after update", "after save"]
        assert destroyed == ["before destroy", "after destroy"]
        assert await read(database, "SELECT * FROM parcel") == []

    @pytest.mark.parametrize("refused", ["before save", "before create"])
    async def test_gor_orm_03_an_error_before_a_create_aborts_it(
        self, database: Database, refused: str
    ) -> None:
        """There is no row, also where the error is caught and the session commits."""
        refusing.add(refused)
        async with database.session():
            with pytest.raises(RefusedError, match=refused):
                await Parcel.create(name="a")
        assert await read(database, "SELECT * FROM parcel") == []

    @pytest.mark.parametrize("refused", ["before save", "before update", "before destroy"])
    async def test_gor_orm_03_an_error_before_a_change_aborts_it(
        self, database: Database, refused: str
    ) -> None:
        """The row stays as it was."""
        async with database.session():
            await Parcel.create(name="a")
        refusing.add(refused)
        async with database.session():
            parcel = await Parcel.find(1)
            with pytest.raises(RefusedError, match=refused):
                await (parcel.destroy() if "destroy" in refused else parcel.update(name="b"))
            await parcel.reload()
        assert await read(database, "SELECT name FROM parcel") == [("a",)]


class TestValidation:
    @pytest.mark.parametrize("way", ["create", "save", "update", "add and commit"])
    async def test_gor_orm_04_validation_runs_before_every_write(self, database: Database, way: str) -> None:
        """Gor's own create and update never call it; here no way leads around it."""
        async with database.session():
            await Post.create(title="Hello")
        ways: dict[str, Any] = {
            "create": lambda _: Post.create(title="HELLO"),
            "save": lambda _: Post(title="HELLO").save(),
            "update": update_the_first,
            "add and commit": add_and_commit,
        }
        with pytest.raises(RecordInvalid) as caught:
            async with database.session() as session:
                await ways[way](session)
        assert caught.value.errors["title"] == ["shouts"]
        assert await read(database, "SELECT title FROM post") == [("Hello",)]

    async def test_gor_orm_04_validation_may_be_asked_for_alone(self, database: Database) -> None:
        """GOR-TEST-08 too: a test of a model needs no row."""
        async with database.session():
            post = Post(title="HELLO")
            assert not await post.valid()
            assert post.errors.full_messages() == ["Title shouts"]
            post.title = "Hello"
            assert await post.valid()
        assert await read(database, "SELECT * FROM post") == []


async def update_the_first(_session: Any) -> None:
    await (await Post.find(1)).update(title="HELLO")


async def add_and_commit(session: Any) -> None:
    session.add(Post(title="HELLO"))
    await session.commit()


class TestScopes:
    async def test_gor_orm_05_scopes_are_named_queries_that_chain(self, database: Database) -> None:
        """On the class, by name on a query, with arguments, and merged."""
        async with database.session():
            for title, published in (("Abc", True), ("Abd", False), ("Xyz", True)):
                await Post.create(title=title, published=published)
        published = [
            row[0] for row in await read(database, "SELECT title FROM post WHERE published ORDER BY title")
        ]
        async with database.session():
            assert await Post.published_ones().order("title").pluck("title") == published == ["Abc", "Xyz"]
            assert await Post.titled("Ab").scopes("published_ones").pluck("title") == ["Abc"]
            assert await Post.titled("Ab").merge(Post.published_ones()).pluck("title") == ["Abc"]
