"""GOR-ORM-18 to 20: associations, loaded along, joined, and as queries; read back by another program."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship, SQLModel

from lineside.models import Database, Model, StrictLoadingViolationError, UnknownAttributeError
from tests.models.reading import read

pytestmark = pytest.mark.anyio

classes = registry()


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
    posts: list["Post"] = Relationship(back_populates="author")


class Post(Base, table=True):
    title: str
    author_id: int = Field(foreign_key="users.id")
    author: User = Relationship(back_populates="posts")
    comments: list["Comment"] = Relationship(back_populates="post")
    tags: list["Tag"] = Relationship(back_populates="posts", link_model=PostTag)


class Comment(Base, table=True):
    text: str
    post_id: int = Field(foreign_key="post.id")
    user_id: int = Field(foreign_key="users.id")
    post: Post = Relationship(back_populates="comments")
    user: User = Relationship()


class Tag(Base, table=True):
    name: str
    posts: list[Post] = Relationship(back_populates="tags", link_model=PostTag)


@pytest.fixture(autouse=True)
async def _blog(database: Database) -> None:
    async with database.session():
        ada = await User.create(name="Ada")
        bob = await User.create(name="Bob")
        for number in range(4):
            post = await Post.create(title=f"post {number}", author=ada if number < 3 else bob)
            for reader in (ada, bob):
                await Comment.create(text=f"{reader.name} on {number}", post=post, user=reader)
            await post.association("tags").create(name=f"tag {number}")


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """List the SELECTs of a block."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            sent.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    yield sent
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)


class TestIncludes:
    async def test_gor_orm_18_includes_load_all_in_one_query_each(self, database: Database) -> None:
        """Nested ones too, and none runs when they are read; Gor's own records them and never uses them."""
        plain = await read(
            database,
            "SELECT post.title, author.name, comment.text, reader.name FROM post"
            " JOIN users author ON author.id = post.author_id JOIN comment ON comment.post_id = post.id"
            " JOIN users reader ON reader.id = comment.user_id ORDER BY post.id, comment.id",
        )
        with counted(database) as sent:
            async with database.session():
                posts = await Post.includes("author", "comments.user").order("id").all()
                loaded = len(sent)
                found = [
                    (post.title, post.author.name, comment.text, comment.user.name)
                    for post in posts
                    for comment in sorted(post.comments, key=lambda one: one.id)
                ]
        assert found == plain
        assert len(found) == 8
        assert (loaded, len(sent)) == (4, 4)  # posts, authors, comments, their users

    async def test_gor_orm_18_what_was_not_included_says_what_to_write(self, database: Database) -> None:
        """It is neither a query in secret nor an error about greenlets."""
        async with database.session():
            (post, *_) = await Post.order("id").all()
            with pytest.raises(StrictLoadingViolationError, match=r"includes\(.author"):
                _ = post.author

    async def test_gor_orm_18_an_unknown_association_lists_those_there_are(self) -> None:
        """Before any query."""
        with pytest.raises(UnknownAttributeError, match="author, comments, tags"):
            Post.includes("writer")
        with pytest.raises(UnknownAttributeError, match="post, user"):
            Post.includes("comments.writer")


class TestJoins:
    async def test_gor_orm_19_joins_let_conditions_name_the_other_table(self, database: Database) -> None:
        """By expression, and by a string that is looked up."""
        plain = await read(
            database,
            "SELECT title FROM post JOIN users ON users.id = author_id"
            " WHERE users.name = 'Ada' ORDER BY title",
        )
        async with database.session():
            joined = Post.joins("author")
            by_expression = await joined.where(User.name == "Ada").order("title").pluck("title")
            by_name = await joined.where(**{"author.name": "Ada"}).order("title").pluck("title")
        assert by_expression == by_name == [row[0] for row in plain] == ["post 0", "post 1", "post 2"]

    async def test_gor_orm_19_left_joins_keep_those_without(self, database: Database) -> None:
        """A user without posts is found."""
        async with database.session():
            await User.create(name="Cyd")
        plain = await read(
            database,
            "SELECT name FROM users LEFT JOIN post ON author_id = users.id WHERE post.id IS NULL",
        )
        async with database.session():
            found = await User.query().left_joins("posts").where(Post.id == None).pluck("name")  # noqa: E711
        assert found == [row[0] for row in plain] == ["Cyd"]


class TestAssociationsAsQueries:
    async def test_gor_orm_20_has_many(self, database: Database) -> None:
        """Conditions, order and limit go on from there."""
        plain = await read(database, "SELECT title FROM post WHERE author_id = 1 ORDER BY title DESC LIMIT 2")
        async with database.session():
            ada = await User.find(1)
            query = ada.association("posts").order("-title").limit(2)
            assert await query.pluck("title") == [row[0] for row in plain] == ["post 2", "post 1"]

    async def test_gor_orm_20_belongs_to(self, database: Database) -> None:
        """The one record, as a query."""
        async with database.session():
            post = await Post.find_or_raise(title="post 3")
            author = await post.association("author").first()
        ((name,),) = await read(
            database, "SELECT name FROM users JOIN post ON author_id = users.id WHERE title = 'post 3'"
        )
        assert author is not None
        assert author.name == name == "Bob"

    async def test_gor_orm_20_many_to_many(self, database: Database) -> None:
        """Through the link table, both ways; what is added and removed is a row there."""
        async with database.session():
            post, tag = await Post.find(1), await Tag.find_or_raise(name="tag 1")
            await post.association("tags").add(tag)
            assert await post.association("tags").order("name").pluck("name") == ["tag 0", "tag 1"]
            assert await tag.association("posts").order("title").pluck("title") == ["post 0", "post 1"]
        links = (
            "SELECT tag.name FROM post_tags JOIN tag ON tag.id = tag_id WHERE post_id = 1 ORDER BY tag.name"
        )
        assert await read(database, links) == [("tag 0",), ("tag 1",)]
        async with database.session():
            await (await Post.find(1)).association("tags").remove(await Tag.find_or_raise(name="tag 0"))
        assert await read(database, links) == [("tag 1",)]
        assert len(await read(database, "SELECT id FROM tag")) == 4

    async def test_gor_orm_20_an_association_builds_and_creates(self, database: Database) -> None:
        """The foreign key is set."""
        async with database.session():
            bob = await User.find_or_raise(name="Bob")
            await bob.association("posts").create(title="new")
            await bob.association("posts").build(title="newer").save()
        assert await read(
            database, "SELECT title, author_id FROM post WHERE title LIKE 'new%' ORDER BY title"
        ) == [("new", 2), ("newer", 2)]
