"""What is not loaded: an error that types the remedy where no query can run, and a query where one can."""

import re
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.exceptions import ResponseValidationError
from fastapi.testclient import TestClient
from pydantic_core import PydanticSerializationError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship, SQLModel

from lineside.models import Database
from lineside.models._base._model import Model
from lineside.models._exceptions import StrictLoadingViolationError

pytestmark = pytest.mark.anyio

classes = registry()
seen: list[str] = []


class Base(Model, registry=classes):
    pass


class Plain(SQLModel, registry=classes):
    pass


class BlogPost(Base, table=True):
    title: str = ""
    body: str = ""
    author_id: int | None = Field(default=None, foreign_key="author.id")
    author: "Author" = Relationship(back_populates="posts")
    comments: list["Comment"] = Relationship(back_populates="post")
    strict: list["Comment"] = Relationship(sa_relationship_kwargs={"lazy": "raise", "viewonly": True})

    def before_update(self) -> None:
        seen.append(f"{self.author.name}, {len(self.comments)} comments")


class Author(Base, table=True):
    name: str = ""
    posts: list[BlogPost] = Relationship(back_populates="author")
    cover: "Cover" = Relationship(back_populates="author")


class Comment(Base, table=True):
    post_id: int | None = Field(default=None, foreign_key="blogpost.id")
    post: BlogPost | None = Relationship(back_populates="comments")


class Cover(Plain, table=True):
    """As an app has it that adopts us class by class."""

    id: int = Field(default=None, primary_key=True)
    author_id: int | None = Field(default=None, foreign_key="author.id")
    author: Author | None = Relationship(back_populates="cover")


def association(name: str) -> str:
    """Return what the error says of an association."""
    return re.escape(
        f'BlogPost.{name} is not loaded; add .includes("{name}") to the query, '
        f'or await blog_post.load("{name}")'
    )


AUTHOR, COMMENTS = association("author"), association("comments")
TITLE = re.escape(
    'BlogPost.title is not loaded; await blog_post.reload(), or add "title" to the .select(...) of the query'
)


@pytest.fixture
async def key(database: Database) -> int:
    """Write a post, and give its key."""
    post = BlogPost(title="title", body="body", author=Author(name="ann"), comments=[Comment(), Comment()])
    async with database.session() as session:
        session.add(post)
    seen.clear()
    return post.id


class TestAsync:
    """Under an AsyncSession, outside of its greenlet."""

    @pytest.mark.parametrize(("name", "message"), [("comments", COMMENTS), ("author", AUTHOR)])
    async def test_reading_an_association(
        self, database: Database, key: int, name: str, message: str
    ) -> None:
        async with database.session():
            post = await BlogPost.find(key)
            with pytest.raises(StrictLoadingViolationError, match=message) as caught:
                getattr(post, name)
        assert (caught.value.model, caught.value.name) == ("BlogPost", name)

    async def test_reading_what_is_loaded(self, database: Database, key: int) -> None:
        async with database.session():
            post = await BlogPost.includes("comments", "author").where(id=key).first()
            assert post is not None
            assert (post.author.name, len(post.comments)) == ("ann", 2)
            assert post.comments[0].post is post, "what the session holds needs no query"

    async def test_reading_an_empty_foreign_key(self, database: Database) -> None:
        async with database.session() as session:
            await BlogPost().save()
            session.expunge_all()
            post = await BlogPost.first()
            assert post is not None
            assert post.author is None

    async def test_reading_a_new_record(self, database: Database) -> None:
        async with database.session() as session:
            post = BlogPost()
            session.add(post)
            assert (post.author, post.comments) == (None, [])

    async def test_adding_to_a_collection(self, database: Database, key: int) -> None:
        async with database.session():
            post = await BlogPost.find(key)
            with pytest.raises(StrictLoadingViolationError, match=COMMENTS):
                post.comments.append(Comment())

    async def test_replacing_a_collection(self, database: Database, key: int) -> None:
        async with database.session():
            post = await BlogPost.find(key)
            with pytest.raises(StrictLoadingViolationError, match=COMMENTS):
                post.comments = []
            await post.load("comments")
            post.comments = post.comments[:1]
        async with database.session():
            assert await Comment.where(post_id=key).count() == 1

    async def test_setting_the_one_side_needs_nothing(self, database: Database, key: int) -> None:
        async with database.session():
            post = await BlogPost.find(key)
            post.author = Author(name="ben")
            comment = await Comment.first()
            assert comment is not None
            comment.post = None
        async with database.session():
            assert await BlogPost.joins("author").where(**{"author.name": "ben"}).count() == 1
            assert await Comment.where(post_id=None).count() == 1

    async def test_reading_a_column_that_has_expired(self, database: Database, key: int) -> None:
        async with database.session() as session:
            post = await BlogPost.find(key)
            await session.rollback()
            with pytest.raises(StrictLoadingViolationError, match=TITLE):
                _ = post.title
            assert (await post.reload()).title == "title"

    async def test_reading_a_column_after_a_commit_that_expires(self, database: Database, key: int) -> None:
        async with AsyncSession(database.engine) as session:
            post = await session.get(BlogPost, key)
            await session.commit()
            with pytest.raises(StrictLoadingViolationError, match=TITLE):
                _ = post.title

    async def test_reading_a_column_that_select_left_out(self, database: Database, key: int) -> None:
        async with database.session():
            post = await BlogPost.query().select("body").first()
            assert post is not None
            assert post.body == "body"
            with pytest.raises(StrictLoadingViolationError, match=TITLE):
                _ = post.title

    async def test_an_error_does_nothing_to_what_waits_to_be_written(
        self, database: Database, key: int
    ) -> None:
        async with database.session():
            post = await BlogPost.find(key)
            post.title = "changed"
            with pytest.raises(StrictLoadingViolationError):
                _ = post.comments
            assert seen == [], "no flush, and so no callbacks"
        async with database.session():
            assert (await BlogPost.find(key)).title == "changed"

    async def test_callbacks_load_as_they_read(self, database: Database, key: int) -> None:
        async with database.session():
            post = await BlogPost.find(key)
            await post.update(title="changed")
        assert seen == ["ann, 2 comments"]

    async def test_run_sync_loads_as_it_reads(self, database: Database, key: int) -> None:
        async with database.session() as session:
            post = await BlogPost.find(key)
            assert await session.run_sync(lambda _: len(post.comments)) == 2


class TestClosed:
    """When the session has closed."""

    async def test_reading(self, database: Database, key: int) -> None:
        async with database.session():
            post = await BlogPost.find(key)
        with pytest.raises(StrictLoadingViolationError, match=COMMENTS):
            _ = post.comments
        with pytest.raises(StrictLoadingViolationError, match=COMMENTS):
            post.comments = []
        assert post.title == "title"

    async def test_reading_what_a_sync_session_has_expired(self, database: Database, key: int) -> None:
        with database.sync_session() as session:
            post = session.get(BlogPost, key)
            assert post is not None
            session.expire(post)
        with pytest.raises(StrictLoadingViolationError, match=TITLE):
            _ = post.title

    async def test_loading_later(self, database: Database, key: int) -> None:
        async with database.session():
            post = await BlogPost.find(key)
        async with database.session():
            assert len((await post.load("comments")).comments) == 2


class TestSync:
    """Under a sync Session everything is as SQLAlchemy has it."""

    async def test_loads_as_it_reads(self, database: Database, key: int) -> None:
        with database.sync_session() as session:
            post = session.get(BlogPost, key)
            assert post is not None
            assert (post.author.name, len(post.comments)) == ("ann", 2)
            session.expire(post)
            assert post.title == "title"
            session.expire(post)
            post.comments = []
        async with database.session():
            assert await Comment.where(post_id=None).count() == 2

    async def test_a_relationship_that_is_never_lazy(self, database: Database, key: int) -> None:
        with database.sync_session() as session:
            post = session.get(BlogPost, key)
            assert post is not None
            with pytest.raises(StrictLoadingViolationError, match=association("strict")):
                _ = post.strict


async def test_classes_that_are_no_records_are_left_alone() -> None:
    assert type(Cover.__dict__["author"]).__module__.startswith("sqlalchemy")
    assert type(BlogPost.__dict__["author"]).__module__ == "lineside.models._association._lazy"


class AuthorOut(SQLModel):
    name: str


class PostOut(SQLModel):
    title: str
    author: AuthorOut | None


class TestSerialization:
    """What pydantic is asked to write is loaded, or the error says so."""

    async def test_of_a_record_that_has_expired(self, database: Database, key: int) -> None:
        async with database.session() as session:
            post = await BlogPost.find(key)
            session.expire(post)
            with pytest.raises(PydanticSerializationError, match=r"await blog_post.reload\(\)"):
                post.model_dump()
            with pytest.raises(PydanticSerializationError, match=r"await blog_post.reload\(\)"):
                post.model_dump_json()
        with database.sync_session() as session:
            loaded = session.get(BlogPost, key)
            session.expire(loaded)
            assert loaded.model_dump()["title"] == "title"

    async def test_of_a_part(self, database: Database, key: int) -> None:
        async with database.session():
            post = await BlogPost.query().select("body").first()
            assert post is not None
            with pytest.raises(PydanticSerializationError, match=TITLE):
                post.model_dump(exclude={"created_at", "updated_at"})
            assert post.model_dump(include={"id", "body"}) == {"id": key, "body": "body"}

    @pytest.mark.parametrize(
        ("path", "message"), [("related", AUTHOR), ("expired", re.escape("await blog_post.reload()"))]
    )
    def test_of_an_answer(self, path: str, message: str) -> None:
        app, database = FastAPI(), Database("sqlite://")

        async def written() -> BlogPost:
            async with database.engine.begin() as connection:
                await connection.run_sync(classes.metadata.create_all)
            async with database.session():
                return await BlogPost(title="title", author=Author(name="ann")).save()

        @app.get("/related", response_model=PostOut)
        async def related() -> Any:
            post = await written()
            async with database.session():
                return await BlogPost.find(post.id)

        @app.get("/expired")
        async def expired() -> BlogPost:
            post = await written()
            async with database.session() as session:
                found = await BlogPost.find(post.id)
                session.expire(found)
                return found

        with TestClient(app) as client, pytest.raises(Exception, match=message) as caught:
            client.get(f"/{path}")
        assert isinstance(caught.value, ResponseValidationError | PydanticSerializationError)
