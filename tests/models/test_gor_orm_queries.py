"""GOR-ORM-06 to 17: what a query finds, held against what another program reads."""

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import event, func, text
from sqlalchemy.orm import registry
from sqlmodel import Field

from lineside.exceptions import RecordNotFound
from lineside.models import Database, Model, Query, Range, UnknownAttributeError, scope
from tests.models.reading import read

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


class Article(Base, table=True):
    title: str
    topic: str
    views: int = 0
    published: bool = True
    subtitle: str | None = Field(default=None)

    @scope
    def popular(query: Query["Article"]) -> Query["Article"]:
        return query.where(Article.views >= 20)


ROWS = (
    ("a", "go", 10, True, None),
    ("b", "go", 20, False, "x"),
    ("c", "rails", 30, True, None),
    ("d", "rails", 40, True, "y"),
    ("e", "zig", 50, False, None),
)


@pytest.fixture(autouse=True)
async def _articles(database: Database) -> None:
    async with database.session():
        for title, topic, views, published, subtitle in ROWS:
            await Article.create(
                title=title, topic=topic, views=views, published=published, subtitle=subtitle
            )


async def stored(database: Database, rest: str = "") -> list[str]:
    """Read titles in plain SQL."""
    return [row[0] for row in await read(database, f"SELECT title FROM article {rest}")]


async def titles(query: Query[Article]) -> list[str]:
    """Return what a query finds."""
    return [article.title for article in await query.all()]


class TestFinding:
    async def test_gor_orm_06_find_loads_a_record_by_its_key(self, database: Database) -> None:
        """One that does not exist is an error with a name of its own, a 404."""
        (key,) = (row[0] for row in await read(database, "SELECT id FROM article WHERE title = 'c'"))
        async with database.session():
            found = await Article.find(key)
            assert (found.title, found.views) == ("c", 30)
            with pytest.raises(RecordNotFound, match="Article") as caught:
                await Article.find(999)
        assert caught.value.status_hint == 404

    async def test_gor_orm_07_find_by_loads_a_record_by_its_values(self, database: Database) -> None:
        """None when there is none; find_or_raise is the other taste."""
        async with database.session():
            found = await Article.find_by(title="d", topic="rails")
            assert found is not None
            assert [found.title] == await stored(database, "WHERE title = 'd'")
            assert await Article.find_by(title="d", topic="go") is None
            with pytest.raises(RecordNotFound):
                await Article.find_or_raise(title="nothing")
            with pytest.raises(UnknownAttributeError, match="titel"):
                await Article.find_by(titel="d")

    async def test_gor_orm_08_first_last_and_all(self, database: Database) -> None:
        """By key where nothing else is said, and in the query's order where it is."""
        async with database.session():
            first, last = await Article.first(), await Article.last()
            assert [first and first.title, last and last.title] == ["a", "e"]
            assert await titles(Article.query()) == await stored(database, "ORDER BY id")
            by_views = Article.order("-views")
            first, last = await by_views.first(), await by_views.last()
            assert [first and first.title, last and last.title] == ["e", "a"]
            assert await Article.where(title="nothing").first() is None


class TestConditions:
    @pytest.mark.parametrize(
        ("query", "plain"),
        [
            (lambda: Article.where(topic="go"), "topic = 'go'"),
            (lambda: Article.where(topic="go").where(published=True), "topic = 'go' AND published"),
            (lambda: Article.where(Article.views > 20, published=True), "views > 20 AND published"),
            (lambda: Article.where(title=["a", "e"]), "title IN ('a', 'e')"),
            (lambda: Article.where(title=[]), "1 = 0"),
            (lambda: Article.where(subtitle=None), "subtitle IS NULL"),
            (lambda: Article.where(views=Range(20, 40)), "views BETWEEN 20 AND 40"),
            (lambda: Article.where(topic="go").or_(topic="zig"), "topic = 'go' OR topic = 'zig'"),
            (
                lambda: Article.where(topic="go", published=True).or_(Article.popular()),
                "(topic = 'go' AND published) OR views >= 20",
            ),
            (lambda: Article.query().not_(topic="go"), "NOT topic = 'go'"),
        ],
    )
    async def test_gor_orm_09_10_where_or_and_not(self, database: Database, query: Any, plain: str) -> None:
        """Conditions add up with AND, `or_` starts the other side."""
        async with database.session():
            assert sorted(await titles(query())) == await stored(database, f"WHERE {plain} ORDER BY title")

    async def test_gor_orm_09_values_are_bound(self, database: Database) -> None:
        """What a value says is never SQL."""
        async with database.session():
            assert await Article.where(title="' OR '1'='1").all() == []
            assert await Article.where(title="a'; DROP TABLE article; --").count() == 0
        assert len(await stored(database)) == len(ROWS)


class TestShape:
    async def test_gor_orm_11_order_in_both_directions(self, database: Database) -> None:
        """Several columns, and a later order refines the earlier one; Gor's own is always ascending."""
        async with database.session():
            assert await titles(Article.order("topic", "-views")) == await stored(
                database, "ORDER BY topic, views DESC"
            )
            assert await titles(Article.order("-topic").order("views")) == await stored(
                database, "ORDER BY topic DESC, views"
            )
            assert await titles(Article.order("topic").reorder("-views")) == await stored(
                database, "ORDER BY views DESC"
            )

    @pytest.mark.parametrize("text_of_sql", ["created_at DESC", "views; DROP TABLE article", "1", "(views)"])
    async def test_gor_orm_11_a_string_is_a_column_and_no_sql(self, text_of_sql: str) -> None:
        """What is no column is an error that lists those that are."""
        with pytest.raises(UnknownAttributeError, match="created_at, id, published"):
            Article.order(text_of_sql)
        with pytest.raises(TypeError):
            Article.order(text(text_of_sql))

    async def test_gor_orm_12_limit_and_offset(self, database: Database) -> None:
        """The second page of two."""
        async with database.session():
            assert await titles(Article.order("id").limit(2).offset(2)) == await stored(
                database, "ORDER BY id LIMIT 2 OFFSET 2"
            )

    async def test_gor_orm_13_select_loads_these_columns(self, database: Database) -> None:
        """And no others: the statement says so."""
        sent: list[str] = []
        event.listen(
            database.engine.sync_engine,
            "before_cursor_execute",
            lambda _conn, _cursor, statement, *_: sent.append(statement),
        )
        async with database.session():
            (article, *_) = await Article.query().select("title", "views").order("id").all()
            assert (article.title, article.views) == ("a", 10)
        (statement,) = [line for line in sent if "article" in line]
        assert "article.title" in statement
        assert "topic" not in statement

    async def test_gor_orm_14_distinct_values(self, database: Database) -> None:
        """Each once."""
        plain = await read(database, "SELECT DISTINCT topic FROM article ORDER BY topic")
        async with database.session():
            assert await Article.query().distinct().order("topic").pluck("topic") == [row[0] for row in plain]

    async def test_gor_orm_15_count_and_its_siblings(self, database: Database) -> None:
        """As the database computes it."""
        ((count, total, mean, least, most),) = await read(
            database, "SELECT count(*), sum(views), avg(views), min(views), max(views) FROM article"
        )
        async with database.session():
            query = Article.query()
            assert await Article.count() == count == 5
            assert await query.sum("views") == total == 150
            assert await query.average("views") == float(mean) == 30
            assert await query.minimum("views") == least == 10
            assert await query.maximum("views") == most == 50
            assert await Article.where(published=True).count() == 3

    async def test_gor_orm_16_exists(self, database: Database) -> None:
        """With and without values."""
        async with database.session():
            assert await Article.exists(title="a")
            assert not await Article.exists(title="z")
            assert await Article.where(topic="zig").exists()


@dataclass
class Topic:
    topic: str
    articles: int
    views: int


class TestGroups:
    async def test_gor_orm_17_group_and_having_into_a_row_of_another_type(self, database: Database) -> None:
        """The conditions before hold for rows, those of having for groups."""
        plain = await read(
            database,
            "SELECT topic, count(*), sum(views) FROM article WHERE views > 10"
            " GROUP BY topic HAVING count(*) > 1 ORDER BY topic",
        )
        async with database.session():
            found = await (
                Article.where(Article.views > 10)
                .order("topic")
                .group("topic")
                .having(func.count() > 1)
                .into(Topic, articles=func.count(), views=func.sum(Article.views))
            )
        assert found == [Topic("rails", 2, 70)]
        assert plain == [("rails", 2, 70)]

    async def test_gor_orm_17_counts_by_group(self, database: Database) -> None:
        """Without a type of one's own."""
        plain = dict(await read(database, "SELECT topic, count(*) FROM article GROUP BY topic"))
        async with database.session():
            assert await Article.query().group("topic").count() == plain == {"go": 2, "rails": 2, "zig": 1}


class TestMore:
    async def test_gor_orm_pages_batches_and_bulk(self, database: Database) -> None:
        """What Gor's source has beside its seed: pages, batches, update and delete of all rows."""
        async with database.session():
            page = await Article.order("id").page(2, 2)
            assert ([one.title for one in page.items], page.total) == (["c", "d"], 5)
            batches = [[one.title for one in batch] async for batch in Article.in_batches(2)]
            assert batches == [["a", "b"], ["c", "d"], ["e"]]
            assert await Article.where(topic="go").update_all(views=0) == 2
            assert await Article.where(topic="zig").delete_all() == 1
        assert await read(database, "SELECT title, views FROM article ORDER BY title") == [
            ("a", 0),
            ("b", 0),
            ("c", 30),
            ("d", 40),
        ]
