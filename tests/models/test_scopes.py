"""Scopes: queries with a name (GOR-ORM-05), and those that every query of a class begins with."""

from typing import Any

import pytest
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship

from lineside.exceptions import RecordNotFound
from lineside.models import Database, Model, Query, UnknownAttributeError, default_scope, scope
from tests.models.publishing import STYLES, Ask, saved, titles

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


class Shelf(Base, table=True):
    name: str
    books: list["Book"] = Relationship(back_populates="shelf")
    notes: list["Note"] = Relationship(back_populates="shelf")


class Book(Base, table=True):
    title: str
    copies: int = 0
    is_out: bool = False
    shelf_id: int | None = Field(default=None, foreign_key="shelf.id")
    shelf: Shelf | None = Relationship(back_populates="books")

    @scope
    def available(query: Query["Book"]) -> Query["Book"]:
        """Find those that are here."""
        return query.where(is_out=False)

    @scope
    @staticmethod
    def many(query: Query["Book"], copies: int = 2) -> Query["Book"]:
        return query.where(Book.copies >= copies).order("-copies")

    @scope
    def wrong(query: Query["Book"]) -> None:
        """Forget to return the query."""


class Live(Base):
    """A base class whose scope its subclasses have."""

    is_hidden: bool = False

    @default_scope
    def visible(query: Query[Any]) -> Query[Any]:
        return query.where(is_hidden=False)


class Note(Live, table=True):
    title: str
    rank: int = 0
    shelf_id: int | None = Field(default=None, foreign_key="shelf.id")
    shelf: Shelf | None = Relationship(back_populates="notes")

    @default_scope
    @staticmethod
    def by_rank(query: Query[Any]) -> Query[Any]:
        return query.order("rank")


class Latest(Base, table=True):
    title: str

    @default_scope
    def newest(query: Query[Any]) -> Query[Any]:
        return query.order("-id").limit(2)


@pytest.fixture(params=STYLES)
def ask(request: pytest.FixtureRequest, database: Database) -> Ask:
    return Ask(database, request.param)


async def books(database: Database) -> None:
    await saved(
        database,
        Book(title="a", copies=1),
        Book(title="b", copies=2),
        Book(title="c", copies=3, is_out=True),
    )


async def notes(database: Database) -> None:
    await saved(
        database,
        Note(title="a", rank=3),
        Note(title="b", rank=1),
        Note(title="c", rank=2, is_hidden=True),
    )


async def test_a_scope_begins_a_query_on_its_class(database: Database) -> None:
    await books(database)
    async with database.session():
        assert titles(await Book.available().order("title").all()) == ["a", "b"]
        assert titles(await Book.many().all()) == ["c", "b"]
        assert titles(await Book.many(3).all()) == ["c"]
        assert titles(await Book.many(copies=1).limit(1).all()) == ["c"]


async def test_a_scope_is_applied_to_a_query_by_its_name(ask: Ask) -> None:
    await books(ask.database)
    assert titles(await ask(Book, lambda q: q.scopes("available", "many").all())) == ["b"]
    assert titles(await ask(Book, lambda q: q.where(title=["a", "b"]).scopes("many").all())) == ["b"]
    assert titles(await ask(Book, lambda q: q.where(is_out=True).merge(Book.many(1)).all())) == ["c"]
    assert await ask(Book, lambda q: q.scopes().count()) == 3


@pytest.mark.parametrize("name", ["availble", "title", "metadata", "__class__", "save", "by_rank", ""])
def test_an_unknown_scope_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownAttributeError, match="it has available, many, wrong"):
        Query(Book).scopes(name)


def test_a_scope_that_returns_no_query_says_so() -> None:
    with pytest.raises(TypeError, match="wrong must return the query"):
        Book.wrong()
    with pytest.raises(TypeError, match="wrong must return the query"):
        Query(Book).scopes("wrong")


def test_a_scope_keeps_its_documentation() -> None:
    assert vars(Book)["available"].__doc__ == "Find those that are here."


async def test_a_default_scope_is_part_of_every_question(ask: Ask) -> None:
    await notes(ask.database)
    hidden = 3
    assert titles(await ask(Note, lambda q: q.all())) == ["b", "a"]
    assert titles(await ask(Note, lambda q: q.where(rank=[2, 3]).all())) == ["a"]
    assert (await ask(Note, lambda q: q.first())).title == "b"
    assert (await ask(Note, lambda q: q.last())).title == "a"
    assert await ask(Note, lambda q: q.find_by(id=hidden)) is None
    for question in (
        lambda q: q.find(hidden),
        lambda q: q.find([1, hidden]),
        lambda q: q.find_or_raise(id=hidden),
    ):
        with pytest.raises(RecordNotFound):
            await ask(Note, question)
    assert await ask(Note, lambda q: q.count()) == 2
    assert await ask(Note, lambda q: q.sum("rank")) == 4
    assert await ask(Note, lambda q: q.exists(title="c")) is False
    assert await ask(Note, lambda q: q.pluck("title")) == ["b", "a"]
    assert await ask(Note, lambda q: q.ids()) == [2, 1]
    assert await ask(Note, lambda q: q.group("is_hidden").count()) == {False: 2}
    assert (await ask(Note, lambda q: q.page(1, 1))).total == 2
    assert titles((await ask(Note, lambda q: q.keyset(limit=5))).items) == ["b", "a"]
    assert [titles(batch) for batch in await ask(Note, lambda q: q.in_batches(5))] == [["a", "b"]]
    assert titles(await ask(Note, lambda q: q.where(id=Query(Note)).all())) == ["b", "a"]


async def test_a_default_scope_bounds_bulk_statements(ask: Ask) -> None:
    await notes(ask.database)
    assert await ask(Note, lambda q: q.update_all(rank=9)) == 2
    assert await ask(Note, lambda q: q.delete_all()) == 2
    left = await ask(Note, lambda q: q.unscoped().all())
    assert [(note.title, note.rank) for note in left] == [("c", 2)]


async def test_unscoped_leaves_default_scopes_out(ask: Ask) -> None:
    await notes(ask.database)
    assert await ask(Note, lambda q: q.unscoped().count()) == 3
    assert (await ask(Note, lambda q: q.unscoped().find(3))).title == "c"
    assert titles(await ask(Note, lambda q: q.where(rank=2).unscoped().all())) == ["c"]
    assert titles(await ask(Note, lambda q: q.merge(Note.unscoped()).order("title").all())) == ["a", "b", "c"]


async def test_an_order_of_its_own_comes_instead_of_the_default(ask: Ask) -> None:
    await notes(ask.database)
    assert titles(await ask(Note, lambda q: q.order("title").all())) == ["a", "b"]
    assert titles(await ask(Note, lambda q: q.reverse_order().all())) == ["a", "b"]


async def test_a_condition_of_its_own_comes_on_top_of_the_default(ask: Ask) -> None:
    await notes(ask.database)
    assert titles(await ask(Note, lambda q: q.where(title="a").or_(title="c").all())) == ["a"]
    assert titles(await ask(Note, lambda q: q.where(is_hidden=True).all())) == []


async def test_a_limit_of_the_default_scope_counts(ask: Ask) -> None:
    await saved(ask.database, *(Latest(title=title) for title in "abc"))
    assert titles(await ask(Latest, lambda q: q.all())) == ["c", "b"]
    assert await ask(Latest, lambda q: q.count()) == 2
    assert titles(await ask(Latest, lambda q: q.first(3))) == ["c", "b"]
    assert titles(await ask(Latest, lambda q: q.limit(3).all())) == ["c", "b", "a"]
    assert sum(len(batch) for batch in await ask(Latest, lambda q: q.in_batches(1))) == 2
    with pytest.raises(ValueError, match="limit of its own"):
        await ask(Latest, lambda q: q.page())
    with pytest.raises(ValueError, match="limit of its own"):
        await ask(Latest, lambda q: q.keyset())


async def test_scopes_hold_for_associations(database: Database) -> None:
    await saved(database, Shelf(id=1, name="s"), Book(title="a", shelf_id=1), Book(title="b"))
    await saved(database, Note(title="a", rank=2, shelf_id=1), Note(title="b", rank=1, shelf_id=1))
    await saved(database, Note(title="c", is_hidden=True, shelf_id=1), Note(title="d"))
    async with database.session():
        shelf = await Shelf.find(1)
        assert titles(await shelf.association("books").scopes("available").all()) == ["a"]
        assert titles(await shelf.association("notes").all()) == ["b", "a"]
        assert await shelf.association("notes").count() == 2
        assert await shelf.association("notes").unscoped().count() == 3
