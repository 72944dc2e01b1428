"""What becomes of the records of an owner that is destroyed, in all four ways of destroying it."""

from typing import Any

import pytest
from sqlalchemy import event, inspect
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship, SQLModel, select

from lineside.exceptions import ConfigurationError
from lineside.models import Database
from lineside.models._association._declared import belongs_to, has_many, has_one
from lineside.models._base._model import Model
from lineside.models._exceptions import DeleteRestrictionError
from tests.models.ways import STYLES, Way, rows

pytestmark = pytest.mark.anyio

destroyed: list[str] = []
updated: list[str] = []
refusing: set[str] = set()


@pytest.fixture(autouse=True)
def clean_slate() -> None:
    destroyed.clear()
    updated.clear()
    refusing.clear()


classes = registry()


class Base(Model, registry=classes):
    pass


class Plain(SQLModel, registry=classes):
    pass


class Named(Base):
    """Tells when it is destroyed, and may refuse."""

    name: str

    def before_destroy(self) -> None:
        if self.name in refusing:
            raise PermissionError(self.name)
        destroyed.append(self.name)

    def before_update(self) -> None:
        updated.append(self.name)


@has_many("comments", dependent="destroy")
@has_one("cover", dependent="destroy")
@has_many("drafts", dependent="nullify")
@has_many("hits", dependent="delete_all")
@has_many("orders", dependent="restrict")
class Post(Named, table=True):
    comments: list["Comment"] = Relationship(back_populates="post")
    cover: "Cover" = Relationship()
    drafts: list["Draft"] = Relationship()
    hits: list["Hit"] = Relationship()
    orders: list["Order"] = Relationship()
    tags: list["Tag"] = Relationship(sa_relationship_kwargs={"secondary": "post_tag"})


@has_many("replies", dependent="destroy")
@has_many("likes", dependent="restrict")
class Comment(Named, table=True):
    post_id: int | None = Field(default=None, foreign_key="post.id")
    parent_id: int | None = Field(default=None, foreign_key="comment.id")
    post: Post | None = Relationship(back_populates="comments")
    replies: list["Comment"] = Relationship()
    likes: list["Like"] = Relationship()


class Like(Named, table=True):
    comment_id: int = Field(foreign_key="comment.id")


class Cover(Named, table=True):
    post_id: int = Field(foreign_key="post.id")


class Draft(Named, table=True):
    post_id: int | None = Field(default=None, foreign_key="post.id")


class Hit(Named, table=True):
    post_id: int = Field(foreign_key="post.id")


class Order(Named, table=True):
    post_id: int = Field(foreign_key="post.id")


class Tag(Named, table=True):
    pass


class PostTag(Plain, table=True):
    __tablename__ = "post_tag"
    post_id: int = Field(foreign_key="post.id", primary_key=True)
    tag_id: int = Field(foreign_key="tag.id", primary_key=True)


@pytest.fixture(params=STYLES)
def way(request: pytest.FixtureRequest, database: Database) -> Way:
    return Way(database, request.param)


async def saved(database: Database, *records: Any) -> Any:
    """Write records, and give the first as a new session would find it."""
    async with database.session() as session:
        session.add_all(records)
    return await loaded(database, records[0])


async def loaded(database: Database, record: Any) -> Any:
    async with database.session() as session:
        found = await session.get(type(record), record.id)
        assert found is not None
        return found


async def test_destroys_the_records_with_their_callbacks_and_theirs(way: Way, database: Database) -> None:
    reply = Comment(name="reply")
    post = await saved(
        database,
        Post(name="post", comments=[Comment(name="a", replies=[reply]), Comment(name="b")]),
        Post(name="other", comments=[Comment(name="c")]),
    )
    await way.destroy(post)
    assert destroyed == ["post", "a", "b", "reply"]
    assert await rows(database, "comment", "name") == [("c",)]
    assert await rows(database, "post", "name") == [("other",)]


async def test_destroys_the_one_record(way: Way, database: Database) -> None:
    post = await saved(database, Post(name="post", cover=Cover(name="cover")))
    await way.destroy(post)
    assert destroyed == ["post", "cover"]
    assert await rows(database, "cover", "name") == []


async def test_nullify_keeps_the_rows_without_their_owner(way: Way, database: Database) -> None:
    post = await saved(database, Post(name="post", drafts=[Draft(name="a"), Draft(name="b")]))
    await way.destroy(post)
    assert await rows(database, "draft", "name", "post_id") == [("a", None), ("b", None)]


async def test_delete_all_deletes_the_rows_without_callbacks(way: Way, database: Database) -> None:
    post = await saved(database, Post(name="post", hits=[Hit(name="a"), Hit(name="b")]))
    await way.destroy(post)
    assert destroyed == ["post"]
    assert await rows(database, "hit", "name") == []


async def test_restrict_refuses_and_changes_nothing(way: Way, database: Database) -> None:
    post = await saved(
        database,
        Post(
            name="post",
            comments=[Comment(name="a")],
            drafts=[Draft(name="b")],
            hits=[Hit(name="c")],
            orders=[Order(name="d")],
        ),
    )
    with pytest.raises(DeleteRestrictionError, match="Post still has orders") as caught:
        await way.destroy(post)
    assert caught.value.status_hint == 409
    for table, count in {"post": 1, "comment": 1, "draft": 1, "hit": 1, "orders": 1}.items():
        name = '"order"' if table == "orders" else table
        assert len(await rows(database, name, "name")) == count


@pytest.mark.parametrize("restriction", ["at the top", "below"])
async def test_a_refusal_that_is_caught_leaves_nothing_to_a_later_commit(
    restriction: str, database: Database
) -> None:
    comment = Comment(name="a", likes=[Like(name="like")] if restriction == "below" else [])
    orders = [Order(name="d")] if restriction == "at the top" else []
    rest = {"hits": [Hit(name="c")], "drafts": [Draft(name="b")], "orders": orders}
    post = await saved(database, Post(name="post", comments=[comment], **rest))
    async with database.session() as session:
        with pytest.raises(DeleteRestrictionError):
            await post.destroy(session=session)
        post.name = "renamed"
        await (await Comment.find(comment.id)).update(name="renamed, too")
        await session.commit()
    assert updated == ["renamed, too", "renamed"]
    assert await rows(database, "post", "name") == [("renamed",)]
    assert await rows(database, "comment", "name") == [("renamed, too",)]
    assert await rows(database, "hit", "name") == [("c",)]
    assert len(await rows(database, "draft", "post_id")) == 1
    assert post.is_persisted


async def test_a_record_that_refuses_keeps_its_owner(way: Way, database: Database) -> None:
    refusing.add("b")
    post = await saved(database, Post(name="post", comments=[Comment(name="a"), Comment(name="b")]))
    with pytest.raises(PermissionError):
        await way.destroy(post)
    assert await rows(database, "comment", "name") == [("a",), ("b",)]


async def test_restrict_lets_go_what_leaves_in_the_same_flush(database: Database) -> None:
    order = await saved(database, Order(name="d", post_id=(await saved(database, Post(name="post"))).id))
    async with database.session() as session:
        post = await session.get(Post, order.post_id)
        await session.delete(order)
        await session.delete(post)
    assert await rows(database, "post", "name") == []


async def test_a_record_that_was_given_away_stays_with_its_new_owner(database: Database) -> None:
    post = await saved(database, Post(name="post", comments=[Comment(name="a"), Comment(name="b")]))
    other = await saved(database, Post(name="other"))
    async with database.session() as session:
        comment = (await session.exec(select(Comment).where(Comment.name == "b"))).one()
        comment.post_id = other.id
        await session.delete(await session.get(Post, post.id))
    assert await rows(database, "comment", "name", "post_id") == [("b", other.id)]


async def test_links_of_a_many_to_many_go_with_the_owner(way: Way, database: Database) -> None:
    post = await saved(database, Post(name="post", tags=[Tag(name="x")]))
    await way.destroy(post)
    assert await rows(database, "post_tag", "post_id") == []
    assert await rows(database, "tag", "name") == [("x",)]


async def test_a_loaded_collection_makes_no_difference(database: Database) -> None:
    post = Post(name="post", comments=[Comment(name="a")], hits=[Hit(name="b")], drafts=[Draft(name="c")])
    async with database.session() as session:
        session.add(post)
        await session.commit()
        assert [hit.name for hit in post.hits] == ["b"]
        await post.destroy()
    assert await rows(database, "hit", "name") == []
    assert await rows(database, "comment", "name") == []
    assert await rows(database, "draft", "post_id") == [(None,)]


async def test_a_tree_costs_one_select_for_each_level_and_not_for_each_record(database: Database) -> None:
    async def selects_for(size: int) -> int:
        comments = [
            Comment(name=f"{n}", replies=[Comment(name=f"{n}.{m}") for m in range(3)]) for n in range(size)
        ]
        post = await saved(database, Post(name="post", comments=comments))
        statements: list[str] = []

        def note(_c: object, _u: object, statement: str, *_: object) -> None:
            statements.append(statement)

        event.listen(database.engine.sync_engine, "before_cursor_execute", note)
        async with database.session() as session:
            await post.destroy(session=session)
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)
        return sum(statement.startswith("SELECT") for statement in statements)

    assert await selects_for(20) == await selects_for(2)


async def test_more_owners_than_one_statement_takes(database: Database) -> None:
    comments = [Comment(name=f"{n}", replies=[Comment(name="reply")]) for n in range(600)]
    post = await saved(database, Post(name="post", comments=comments))
    async with database.session() as session:
        await post.destroy(session=session)
    assert await rows(database, "comment", "name") == []
    assert len(destroyed) == 1201


class TestDeclaration:
    """What is declared wrongly is named when the class is made, or when it is mapped."""

    def test_of_no_relationship(self) -> None:
        with pytest.raises(ConfigurationError, match=r'"coments"\) on Post.*Post has comments, cover'):
            has_many("coments", dependent="destroy")(Post)

    def test_of_an_unknown_option(self) -> None:
        with pytest.raises(ConfigurationError, match="destroy, delete_all, nullify, restrict"):
            has_many("comments", dependent="delete")(Post)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("decorator", "message"),
        [
            (has_one("children"), "write @has_many"),
            (has_many("owner"), "write @belongs_to"),
            (
                belongs_to("owner", counter_cache="size"),
                "no column 'size'; it has id, name",
            ),
            (belongs_to("owner", touch=True), "no column 'updated_at'"),
            (has_many("peers", dependent="destroy"), "many-to-many; take the decorator out"),
            (has_many("cascading", dependent="destroy"), "take out cascade_delete"),
            (has_many("children", dependent="nullify"), "the foreign key cannot be empty"),
        ],
    )
    def test_of_another_kind(self, decorator: Any, message: str) -> None:
        classes = registry()

        class Local(SQLModel, registry=classes):
            pass

        class Link(Local, table=True):
            a: int = Field(foreign_key="node.id", primary_key=True)
            b: int = Field(foreign_key="leaf.id", primary_key=True)

        class Node(Local, table=True):
            id: int = Field(default=None, primary_key=True)
            name: str

        class Leaf(Local, table=True):
            id: int = Field(default=None, primary_key=True)
            node_id: int = Field(foreign_key="node.id")
            leaf_id: int = Field(foreign_key="leaf.id")
            owner: Node = Relationship()
            peers: list[Node] = Relationship(link_model=Link)
            children: list["Leaf"] = Relationship(sa_relationship_kwargs={"overlaps": "cascading"})
            cascading: list["Leaf"] = Relationship(
                cascade_delete=True, sa_relationship_kwargs={"overlaps": "children"}
            )

        decorator(Leaf)
        with pytest.raises(ConfigurationError, match=message):
            inspect(Leaf).registry.configure()
