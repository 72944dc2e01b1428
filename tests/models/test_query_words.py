"""The words of a query: those that a class has itself, and what is said of those that nobody has."""

from typing import ClassVar

import pytest
from sqlalchemy.orm import registry

from lineside.models import Database, Model, Query, before_destroy, scope
from tests.models.ways import rows

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


class Book(Base, table=True):
    destroyed: ClassVar[list[str]] = []

    title: str
    is_old: bool = False

    @scope
    @staticmethod
    def old(query: Query["Book"]) -> Query["Book"]:
        return query.where(is_old=True)

    @before_destroy
    def note(self) -> None:
        self.destroyed.append(self.title)


@pytest.fixture(autouse=True)
def nothing_destroyed() -> None:
    Book.destroyed.clear()


async def make(*titles: str) -> None:
    for title in titles:
        await Book.create(title=title, is_old=title > "b")


async def test_a_query_that_is_awaited_is_all_of_its_records(database: Database) -> None:
    async with database.session():
        await make("b", "a", "c")
        assert [book.title for book in await Book.order("title")] == ["a", "b", "c"]
        assert await Book.where(title="none") == []


async def test_what_is_destroyed_at_once_is_destroyed_with_callbacks(database: Database) -> None:
    async with database.session():
        await make("a", "b", "c")
        destroyed = await Book.where(title=["a", "c"]).order("-title").destroy_all()
        assert [book.title for book in destroyed] == ["c", "a"]
        assert all(book.is_destroyed for book in destroyed)
    assert Book.destroyed == ["c", "a"]
    assert await rows(database, "book", "title") == [("b",)]


def test_what_is_destroyed_without_await_is_destroyed_with_callbacks() -> None:
    database = Database("sqlite://")
    Base.metadata.create_all(database.sync_engine)
    with database.sync_session():
        Book.sync.create(title="a")
        assert [book.title for book in Book.sync.query().destroy_all()] == ["a"]
        assert Book.sync.query().count() == 0
    assert Book.destroyed == ["a"]
    database.sync_engine.dispose()


async def test_a_class_begins_queries_and_runs_them(database: Database) -> None:
    async with database.session():
        await make("a", "b", "c")
        assert [book.title for book in await Book.not_(title="b").all()] == ["a", "c"]
        assert [book.title for book in await Book.limit(2).all()] == ["a", "b"]
        assert [book.title for book in await Book.select("title").limit(1)] == ["a"]
        assert await Book.pluck("title") == ["a", "b", "c"]
        assert [book.title for book in (await Book.keyset(limit=1)).items] == ["a"]


async def test_lists_are_sorted_and_paged_by_booleans(database: Database) -> None:
    async with database.session():
        await make("c", "a", "d", "b")
        first = await Book.order("-is_old", "title").keyset(limit=3)
        rest = await Book.order("-is_old", "title").keyset(first.next_cursor, limit=3)
        assert [book.title for book in (*first.items, *rest.items)] == ["c", "d", "a", "b"]


@pytest.mark.parametrize(
    ("word", "ours"),
    [("filter", "where"), ("order_by", "order"), ("get", "find"), ("wher", "where"), ("exclude", "not_")],
)
def test_a_query_says_which_of_its_words_is_meant(word: str, ours: str) -> None:
    with pytest.raises(AttributeError, match=rf"Query of Book has no '{word}'; write \.{ours}\(\.\.\.\)"):
        getattr(Book.query(), word)


def test_a_query_says_how_a_scope_is_added() -> None:
    with pytest.raises(AttributeError, match=r'\.scopes\("old"\) or \.merge\(Book\.old\(\.\.\.\)\)'):
        Book.query().old  # noqa: B018 - an attribute that is not there
    assert Book.query().scopes("old").to_sql() == Book.old().to_sql()


def test_a_query_without_a_word_like_it_says_so() -> None:
    with pytest.raises(AttributeError, match=r"Query of Book has no 'xyzzy'$"):
        Book.query().xyzzy  # noqa: B018 - an attribute that is not there
    assert not hasattr(Book.query(), "__clause_element__")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("filter", r"Book has no 'filter'; write Book\.where"),
        ("objects", r"Book has no 'objects'; write Book\.query"),
        ("group", r"Book has no 'group' itself; write Book\.query\(\)\.group\(\.\.\.\)"),
        ("titel", r"Book has no 'titel'; write Book\.title"),
        ("xyzzy", r"Book has no 'xyzzy'$"),
    ],
)
def test_a_class_says_which_of_its_words_is_meant(word: str, said: str) -> None:
    with pytest.raises(AttributeError, match=said):
        getattr(Book, word)
