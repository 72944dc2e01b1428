"""Associations of one record: as a query, built through, added to and loaded; of every kind."""

from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship, SQLModel

from lineside.exceptions import ConfigurationError, RecordInvalid, RecordNotFound
from lineside.models import Database
from lineside.models._association._declared import belongs_to, has_many
from lineside.models._base._model import Model
from lineside.models._connection._transactions import transaction
from lineside.models._exceptions import ForbiddenAttributesError, UnknownAttributeError
from lineside.models._relation._query import Query
from lineside.models._validation._declarations import validates
from tests.models.publishing import statements_of
from tests.models.ways import rows

pytestmark = pytest.mark.anyio

classes = registry()
events: list[str] = []


@pytest.fixture(autouse=True)
def clean_slate() -> None:
    events.clear()


class Base(Model, registry=classes):
    pass


class Plain(SQLModel, registry=classes):
    pass


class PostLabel(Plain, table=True):
    __tablename__ = "post_label"
    post_id: int = Field(foreign_key="post.id", primary_key=True)
    label_id: int = Field(foreign_key="label.id", primary_key=True)


class User(Base, table=True):
    name: str
    posts: list["Post"] = Relationship(back_populates="author")
    profile: "Profile" = Relationship(back_populates="user", sa_relationship_kwargs={"uselist": False})
    comments: list["Comment"] = Relationship(
        sa_relationship_kwargs={"secondary": "post", "viewonly": True, "order_by": "Comment.body"}
    )


class Profile(Base, table=True):
    motto: str
    user_id: int | None = Field(default=None, foreign_key="user.id")
    user: User | None = Relationship(back_populates="profile")


@has_many("comments", dependent="destroy")
class Post(Base, table=True):
    permit = ("title",)
    title: str = ""
    comments_count: int = 0
    author_id: int | None = Field(default=None, foreign_key="user.id")
    author: User | None = Relationship(back_populates="posts")
    comments: list["Comment"] = Relationship(back_populates="post")
    notes: list["Note"] = Relationship(back_populates="post")
    labels: list["Label"] = Relationship(back_populates="posts", link_model=PostLabel)
    taggings: list["Tagging"] = Relationship(back_populates="post")
    tags: list["Tag"] = Relationship(
        sa_relationship_kwargs={"secondary": "tagging", "viewonly": True, "order_by": "Tag.name"}
    )


@belongs_to("post", counter_cache="comments_count")
@validates("body", length=(1, 20))
class Comment(Base, table=True):
    permit = ("body",)
    body: str = ""
    post_id: int = Field(foreign_key="post.id")
    user_id: int | None = Field(default=None, foreign_key="user.id")
    post: Post = Relationship(back_populates="comments")
    user: User | None = Relationship()

    def after_create(self) -> None:
        events.append(f"created {self.body}")

    def after_destroy(self) -> None:
        events.append(f"destroyed {self.body}")


class Note(Base, table=True):
    text: str = ""
    post_id: int | None = Field(default=None, foreign_key="post.id")
    post: Post | None = Relationship(back_populates="notes")


class Label(Base, table=True):
    name: str
    posts: list[Post] = Relationship(back_populates="labels", link_model=PostLabel)


class Tag(Base, table=True):
    name: str
    taggings: list["Tagging"] = Relationship(back_populates="tag")


class Tagging(Base, table=True):
    post_id: int = Field(foreign_key="post.id")
    tag_id: int = Field(foreign_key="tag.id")
    post: Post = Relationship(back_populates="taggings")
    tag: Tag = Relationship(back_populates="taggings")

    def after_create(self) -> None:
        events.append("tagged")

    def after_destroy(self) -> None:
        events.append("untagged")


@pytest.fixture
async def posts(database: Database) -> list[Post]:
    """Write two posts with something of every kind, and forget them."""
    ann, ben = User(name="ann", profile=Profile(motto="on")), User(name="ben")
    red, blue = Label(name="red"), Label(name="blue")
    new, old = Tag(name="new"), Tag(name="old")
    first = Post(title="first", author=ann, labels=[red, blue])
    second = Post(title="second", author=ben, labels=[blue])
    async with database.session() as session:
        session.add_all([first, second])
        await session.flush()
        for post in (first, second):
            for body in ("a", "b"):
                session.add(Comment(body=f"{post.title} {body}", post=post, user=ben))
        session.add_all([Note(text="note", post=first)])
        session.add_all(
            [Tagging(post=first, tag=new), Tagging(post=first, tag=old), Tagging(post=second, tag=old)]
        )
    events.clear()
    async with database.session() as session:
        return [await Post.find(first.id), await Post.find(second.id)]


def written(found: Any, name: str) -> list[Any]:
    return sorted(getattr(record, name) for record in found)


class TestQuery:
    """An association is a query, limited to its owner."""

    async def test_of_each_kind(self, database: Database, posts: list[Post]) -> None:
        first, second = posts
        async with database.session():
            comments = first.association("comments")
            assert isinstance(comments, Query)
            assert written(await comments.all(), "body") == ["first a", "first b"]
            assert written(await first.association("author").all(), "name") == ["ann"]
            assert written(await first.association("labels").all(), "name") == ["blue", "red"]
            assert [tag.name for tag in await first.association("tags").all()] == ["new", "old"]
            ann = (await first.association("author").all())[0]
            assert written(await ann.association("profile").all(), "motto") == ["on"]
            assert written(await ann.association("comments").all(), "body") == ["first a", "first b"]
            assert written(await second.association("labels").all(), "name") == ["blue"]

    async def test_goes_on_as_one(self, database: Database, posts: list[Post]) -> None:
        first, _ = posts
        async with database.session():
            comments = first.association(Post.comments)
            assert await comments.where(body="first b").count() == 1
            assert await comments.order("-body").pluck("body") == ["first b", "first a"]
            assert await first.association("labels").where(name="red").exists()
            found = await comments.includes("user").first()
            assert found is not None
            assert found.user.name == "ben"

    async def test_bulk_statements_stay_with_the_owner(self, database: Database, posts: list[Post]) -> None:
        first, _ = posts
        async with database.session():
            assert await first.association("comments").update_all(body="x") == 2
            assert await first.association("tags").update_all(name="x") == 2
            assert await first.association("notes").delete_all() == 1
        bodies = await rows(database, "comment", "body")
        assert bodies == [("second a",), ("second b",), ("x",), ("x",)]

    async def test_of_a_new_owner_is_empty(self, database: Database, posts: list[Post]) -> None:
        async with database.session():
            assert await Post(title="new").association("notes").all() == []

    async def test_of_an_unknown_name(self, posts: list[Post]) -> None:
        with pytest.raises(UnknownAttributeError, match="it has author, comments"):
            posts[0].association("coments")

    async def test_without_await(self, database: Database, posts: list[Post]) -> None:
        with database.sync_session() as session:
            post = session.get(Post, posts[0].id)
            assert post is not None
            comments = post.sync.association(Post.comments)
            assert written(comments.all(), "body") == ["first a", "first b"]
            comments.create(body="third")
            assert comments.count() == 3
            comments.remove(comments.find_or_raise(body="third"))
            labels = post.sync.association("labels")
            labels.add(Label(name="green"))
            assert written(labels.load(), "name") == ["blue", "green", "red"]
            assert post.sync.load("author").author.name == "ann"
            post.comments_count = 0
            Post.sync.reset_counters(post.id, "comments")
            assert post.comments_count == 2


class TestBuild:
    """Records that belong to an owner from the beginning."""

    async def test_has_the_foreign_key_and_the_owner(self, database: Database, posts: list[Post]) -> None:
        comment = posts[0].association("comments").build(body="new")
        assert (comment.post_id, comment.post) == (posts[0].id, posts[0])
        assert comment.is_new_record
        async with database.session() as session:
            session.add(posts[0])
            await session.flush()
            assert comment.is_new_record, "it is saved when it is asked to be"
            await comment.save()
        assert ("new", posts[0].id) in await rows(database, "comment", "body", "post_id")

    async def test_for_a_new_owner_is_saved_with_it(self, database: Database) -> None:
        post = Post(title="new")
        post.association("notes").build(text="with it")
        user = User(name="u")
        user.association("profile").build(motto="off")
        post.association("author").build(name="author")
        async with database.session():
            await post.save()
            await user.save()
        assert await rows(database, "note", "text", "post_id") == [("with it", post.id)]
        assert await rows(database, "profile", "motto", "user_id") == [("off", user.id)]
        assert (await rows(database, "post", "author_id"))[0][0] is not None

    async def test_takes_only_what_is_permitted(self, posts: list[Post]) -> None:
        comments = posts[0].association("comments")
        assert comments.build({"body": "new"}).body == "new"
        with pytest.raises(ForbiddenAttributesError, match="user_id"):
            comments.build({"body": "new", "user_id": 1})
        with pytest.raises(UnknownAttributeError):
            comments.build(bodi="new")

    @pytest.mark.parametrize("name", ["labels", "tags"])
    async def test_not_over_a_link_table(self, posts: list[Post], name: str) -> None:
        with pytest.raises(ConfigurationError, match="use create"):
            posts[0].association(name).build(name="x")


class TestCreate:
    """Built and saved, with validations and callbacks."""

    async def test_of_a_has_many(self, database: Database, posts: list[Post]) -> None:
        async with database.session():
            comment = await posts[0].association("comments").create(body="new")
            assert comment.is_persisted
        assert events == ["created new"]
        assert ("first", 3) in await rows(database, "post", "title", "comments_count")

    async def test_that_is_refused(self, database: Database, posts: list[Post]) -> None:
        async with database.session():
            with pytest.raises(RecordInvalid):
                await posts[0].association("comments").create(body="")
        assert len(await rows(database, "comment", "body")) == 4

    async def test_of_a_many_to_many(self, database: Database, posts: list[Post]) -> None:
        async with database.session():
            label = await posts[0].association("labels").create(name="green")
        assert (posts[0].id, label.id) in await rows(database, "post_label", "post_id", "label_id")

    async def test_of_a_has_many_through(self, database: Database, posts: list[Post]) -> None:
        async with database.session():
            tag = await posts[0].association("tags").create(name="fresh")
        assert events == ["tagged"]
        assert (posts[0].id, tag.id) in await rows(database, "tagging", "post_id", "tag_id")

    async def test_of_a_belongs_to(self, database: Database, posts: list[Post]) -> None:
        async with database.session():
            await posts[0].load("author")
            user = await posts[0].association("author").create(name="eve")
            await posts[0].save()
        assert ("first", user.id) in await rows(database, "post", "title", "author_id")

    async def test_for_an_owner_without_a_row(self, database: Database) -> None:
        async with database.session():
            with pytest.raises(RecordNotFound):
                await Post(title="new").association("notes").create(text="x")

    async def test_through_what_is_read_only(self, database: Database, posts: list[Post]) -> None:
        async with database.session():
            await posts[0].load("author")
            with pytest.raises(ConfigurationError, match="read only"):
                await posts[0].author.association("comments").add(Comment(body="x", post=posts[1]))


class TestAddAndRemove:
    """What is tied and untied, without loading what is there."""

    async def test_of_a_many_to_many(self, database: Database, posts: list[Post]) -> None:
        first, second = posts
        async with database.session():
            red = await Label.find_or_raise(name="red")
            await second.association("labels").add(red, Label(name="green"))
            await first.association("labels").remove(red)
        async with database.session():
            assert written(await first.association("labels").all(), "name") == ["blue"]
            assert written(await second.association("labels").all(), "name") == ["blue", "green", "red"]

    async def test_asks_for_no_collection(self, database: Database, posts: list[Post]) -> None:
        first, second = posts
        async with database.session():
            red, blue = await Label.find_or_raise(name="red"), await Label.find_or_raise(name="blue")
            statements: list[str] = []

            def note(_c: object, _u: object, statement: str, *_: object) -> None:
                statements.append(statement.split()[0])

            event.listen(database.engine.sync_engine, "before_cursor_execute", note)
            await second.association("labels").add(red)
            await first.association("labels").remove(blue)
            event.remove(database.engine.sync_engine, "before_cursor_execute", note)
        assert statements == ["INSERT", "DELETE"]

    async def test_what_is_loaded_follows_on_both_sides(self, database: Database, posts: list[Post]) -> None:
        first, _ = posts
        async with database.session():
            await first.load("labels", "comments", "tags")
            green = Label(name="green")
            await first.association("labels").add(green)
            await green.load("posts")
            assert green.posts == [first]
            assert green in first.labels
            await first.association("labels").remove(green)
            assert (green.posts, green in first.labels) == ([], False)
            comment = await first.association("comments").create(body="new")
            assert comment in first.comments
            await first.association("tags").add(tag := Tag(name="x"))
            assert tag in first.tags
            assert not first.has_changes_to_save

    async def test_what_is_loaded_follows_a_savepoint_back(
        self, database: Database, posts: list[Post]
    ) -> None:
        first, _ = posts
        async with database.session():
            await first.load("labels", "notes")
            labels, notes = list(first.labels), list(first.notes)
            with pytest.raises(KeyError):
                await self.change_and_fail(first)
            assert sorted(first.labels, key=id) == sorted(labels, key=id)
            assert first.notes == notes

    async def change_and_fail(self, post: Post) -> None:
        async with transaction():
            await post.association("labels").remove(post.labels[0])
            await post.association("labels").add(Label(name="green"))
            await post.association("notes").create(text="lost")
            raise KeyError

    async def test_of_a_has_many_through(self, database: Database, posts: list[Post]) -> None:
        first, second = posts
        async with database.session():
            new = await Tag.find_or_raise(name="new")
            await second.association("tags").add(new)
            await first.association("tags").remove(new)
            assert events == ["tagged", "untagged"]
            assert written(await first.association("tags").all(), "name") == ["old"]
            assert written(await second.association("tags").all(), "name") == ["new", "old"]

    async def test_of_a_has_many(self, database: Database, posts: list[Post]) -> None:
        _, second = posts
        async with database.session():
            note = await Note.find_or_raise(text="note")
            await second.association("notes").add(note)
            assert note.post_id == second.id
            await second.association("notes").remove(note)
        assert await rows(database, "note", "text", "post_id") == [("note", None)]

    async def test_removing_does_what_dependent_says(self, database: Database, posts: list[Post]) -> None:
        first, _ = posts
        async with database.session():
            comment = await Comment.find_or_raise(body="first a")
            await first.association("comments").remove(comment)
        assert events == ["destroyed first a"]
        assert ("first", 1) in await rows(database, "post", "title", "comments_count")

    @pytest.mark.parametrize("name", ["labels", "tags", "notes"])
    async def test_of_what_is_not_the_owners(self, database: Database, posts: list[Post], name: str) -> None:
        async with database.session():
            other = (
                await posts[1].association(name).create(**{"text" if name == "notes" else "name": "other"})
            )
            with pytest.raises(RecordNotFound, match=f"in Post.{name}"):
                await posts[0].association(name).remove(other)

    async def test_of_a_link_that_exists(self, database: Database, posts: list[Post]) -> None:
        async with database.session() as session:
            red = await Label.find_or_raise(name="red")
            with pytest.raises(IntegrityError):
                await posts[0].association("labels").add(red)
            await session.rollback()

    async def test_of_a_belongs_to(self, database: Database, posts: list[Post]) -> None:
        async with database.session():
            with pytest.raises(ConfigurationError, match="set author and save"):
                await posts[0].association("author").add(User(name="x"))
            with pytest.raises(ConfigurationError, match="set author to None"):
                await posts[0].association("author").remove(User(name="x"))


class TestLoad:
    """Loading on a record that is there."""

    async def test_of_several_and_of_what_lies_behind(self, database: Database, posts: list[Post]) -> None:
        async with database.session():
            post = await posts[0].load("author", "labels", "comments.user", "tags")
        assert post is posts[0]
        assert post.author.name == "ann"
        assert written(post.labels, "name") == ["blue", "red"]
        assert [comment.user.name for comment in post.comments] == ["ben", "ben"]
        assert [tag.name for tag in post.tags] == ["new", "old"]

    async def test_leaves_changes_and_what_is_loaded(self, database: Database, posts: list[Post]) -> None:
        async with database.session():
            post = await Post.find(posts[0].id)
            await post.load("comments")
            comments = post.comments
            post.comments[0].body = "changed"
            post.title = "changed"
            await post.load("comments", "author")
            assert post.comments is comments
            assert (post.title, post.comments[0].body) == ("changed", "changed")

    @pytest.mark.parametrize(
        ("names", "count"),
        [
            (["author"], 1),
            (["comments"], 1),
            (["labels"], 1),
            (["tags"], 1),
            (["author", "comments"], 2),
            (["comments.user"], 2),
            (["comments", "comments.user"], 3),
        ],
    )
    async def test_asks_for_the_association_only(
        self, database: Database, posts: list[Post], names: list[str], count: int
    ) -> None:
        async with database.session():
            with statements_of(database) as log:
                await posts[0].load(*names)
                await posts[0].load(*(name for name in names if "." not in name))
        assert len([sql for sql, _ in log if sql.startswith("SELECT")]) == count

    async def test_of_what_lies_behind_a_record_that_is_loaded(
        self, database: Database, posts: list[Post]
    ) -> None:
        async with database.session():
            post = await posts[0].load("author", "comments")
            await post.load("author.profile", "comments.user")
        assert post.author is not None
        assert post.author.profile is None or post.author.profile.motto
        assert [comment.user.name for comment in post.comments if comment.user] == ["ben", "ben"]

    async def test_through_the_association(self, database: Database, posts: list[Post]) -> None:
        async with database.session():
            assert written(await posts[0].association("labels").load(), "name") == ["blue", "red"]
            assert (await posts[0].association("author").load()).name == "ann"

    async def test_of_a_new_record_asks_nothing(self, database: Database) -> None:
        async with database.session():
            assert (await Post(title="new").load("comments")).comments == []

    async def test_of_an_unknown_name(self, database: Database, posts: list[Post]) -> None:
        async with database.session():
            for record in (posts[0], Post(title="new")):
                with pytest.raises(UnknownAttributeError, match="it has author, comments"):
                    await record.load("coments")


class TestQueriesOverAssociations:
    """`includes` and `joins`, over each kind."""

    @pytest.mark.parametrize(
        "name", ["author", "comments", "labels", "tags", "comments.user", "author.profile"]
    )
    async def test_includes(self, database: Database, posts: list[Post], name: str) -> None:
        async with database.session():
            found = await Post.includes(name).order("title").all()
        first = getattr(found[0], name.partition(".")[0])
        assert first
        if name == "comments.user":
            assert [comment.user.name for comment in first] == ["ben", "ben"]
        if name == "author.profile":
            assert first.profile.motto == "on"

    @pytest.mark.parametrize(
        ("name", "condition"),
        [
            ("author", {"author.name": "ann"}),
            ("comments", {"comments.body": "first a"}),
            ("labels", {"labels.name": "red"}),
            ("tags", {"tags.name": "new"}),
            ("author.profile", {"author.profile.motto": "on"}),
        ],
    )
    async def test_joins(
        self, database: Database, posts: list[Post], name: str, condition: dict[str, Any]
    ) -> None:
        async with database.session():
            assert written(await Post.joins(name).where(**condition).all(), "title") == ["first"]
