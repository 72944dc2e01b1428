"""Groups of rows: counts, sums and typed rows, with conditions on the groups (GOR-ORM-17)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel, ValidationError
from sqlalchemy import func, literal_column, text

from lineside.models import Database, UnknownAttributeError
from lineside.models._relation._query import Query
from tests.models.publishing import STYLES, Ask, Author, Post, State, saved
from tests.models.publishing import Base as Base

pytestmark = pytest.mark.anyio


@pytest.fixture(params=STYLES)
def ask(request: pytest.FixtureRequest, database: Database) -> Ask:
    return Ask(database, request.param)


async def rows(database: Database) -> None:
    await saved(
        database,
        Author(id=1, name="Ada"),
        Post(title="a", views=1, state=State.DRAFT, author_id=1, price=Decimal("0.25")),
        Post(title="a", views=4, state=State.PUBLIC, author_id=1, price=Decimal("0.75")),
        Post(title="b", views=None, state=State.PUBLIC),
    )


ANSWERS: dict[str, tuple[Callable[[Any], Any], dict[Any, Any]]] = {
    "count": (lambda q: q.group("title").count(), {"a": 2, "b": 1}),
    "count of an enum": (lambda q: q.group("state").count(), {State.DRAFT: 1, State.PUBLIC: 2}),
    "count of NULL": (lambda q: q.group("author_id").count(), {1: 2, None: 1}),
    "by several columns": (
        lambda q: q.group("title", "state").count(),
        {("a", State.DRAFT): 1, ("a", State.PUBLIC): 1, ("b", State.PUBLIC): 1},
    ),
    "by an attribute": (lambda q: q.group(Post.title).count(), {"a": 2, "b": 1}),
    "by an expression": (lambda q: q.group(func.upper(Post.title)).count(), {"A": 2, "B": 1}),
    "of some rows": (lambda q: q.where(views=[1, None]).group("title").count(), {"a": 1, "b": 1}),
    "of no rows": (lambda q: q.where(title="x").group("title").count(), {}),
    "of nothing": (lambda q: q.none().group("title").count(), {}),
    "sum": (lambda q: q.group("title").sum("views"), {"a": 5, "b": 0}),
    "average": (lambda q: q.group("title").average("views"), {"a": 2.5, "b": None}),
    "average of decimals": (lambda q: q.group("title").average("price"), {"a": Decimal("0.5"), "b": None}),
    "minimum": (lambda q: q.group("title").minimum(Post.views), {"a": 1, "b": None}),
    "maximum": (lambda q: q.group("title").maximum("views"), {"a": 4, "b": None}),
    "having": (lambda q: q.group("title").having(func.count() > 1).count(), {"a": 2}),
    "having both": (
        lambda q: q.group("title").having(func.count() > 0).having(func.max(Post.views) > 4).count(),
        {},
    ),
    "a part of the groups": (
        lambda q: q.order(func.count().desc()).limit(1).group("title").count(),
        {"a": 2},
    ),
    "groups behind a part": (lambda q: q.order("title").offset(1).group("title").count(), {"b": 1}),
    "over an association": (lambda q: q.joins("author").group("author.name").sum("views"), {"Ada": 5}),
}


async def test_answers(ask: Ask) -> None:
    await rows(ask.database)
    for name, (question, expected) in ANSWERS.items():
        found = await ask(Post, question)
        assert found == expected, name
        assert [*map(type, found.values())] == [*map(type, expected.values())], name


async def test_groups_come_in_the_order_of_the_query(ask: Ask) -> None:
    await rows(ask.database)
    assert [*await ask(Post, lambda q: q.order("-title").group("title").count())] == ["b", "a"]
    assert [*await ask(Post, lambda q: q.order(func.count()).group("title").count())] == ["b", "a"]


class AsModel(BaseModel):
    title: str
    total: int
    most: int | None


@dataclass
class AsDataclass:
    title: str
    total: int
    most: int | None


class AsTuple(NamedTuple):
    title: str
    total: int
    most: int | None


@pytest.mark.parametrize("row_type", [AsModel, AsDataclass, AsTuple])
async def test_a_typed_row_for_each_group(ask: Ask, row_type: type[AsModel]) -> None:
    await rows(ask.database)
    found = await ask(
        Post,
        lambda q: (
            q.order("title").group("title").into(row_type, total=func.count(), most=func.max(Post.views))
        ),
    )
    assert found == [row_type(title="a", total=2, most=4), row_type(title="b", total=1, most=None)]


async def test_a_row_of_a_model_is_validated(ask: Ask) -> None:
    class Strict(BaseModel):
        title: str
        most: int

    await rows(ask.database)
    with pytest.raises(ValidationError, match="most"):
        await ask(Post, lambda q: q.group("title").into(Strict, most=func.max(Post.views)))


async def test_two_values_of_one_name_need_a_label(ask: Ask) -> None:
    class Row(NamedTuple):
        name: str
        title: str
        author: str | None = None

    await rows(ask.database)
    joined = Query(Post).joins("author", "editor")
    with pytest.raises(TypeError, match=r"\.label\("):
        await ask(Post, lambda q: q.merge(joined).group("author.name", "editor.name").into(Row))
    with pytest.raises(TypeError, match=r"\.label\("):
        await ask(Post, lambda q: q.group("title").into(Row, title=func.count()))
    labelled = func.upper(Post.title).label("name")
    assert await ask(
        Post, lambda q: q.order(labelled).limit(1).group(labelled).into(Row, title=func.min(Post.title))
    ) == [Row(name="A", title="a")]


@pytest.mark.parametrize(
    ("question", "error", "message"),
    [
        (lambda q: q.group(), TypeError, "takes the columns to group by"),
        (lambda q: q.group("titel"), UnknownAttributeError, "titel"),
        (lambda q: q.group("author.name"), TypeError, "needs its association"),
        (lambda q: q.group(text("title")), TypeError, "takes expressions"),
        (lambda q: q.group(literal_column("title")), TypeError, "no SQL as text"),
        (lambda q: q.group("title").having("count(*) > 1"), TypeError, "takes expressions"),
        (lambda q: q.group("title").having(text("count(*) > 1")), TypeError, "takes expressions"),
        (lambda q: q.group("title").having(literal_column("1") == 1), TypeError, "no SQL as text"),
        (lambda q: q.group("title").sum("titel"), UnknownAttributeError, "titel"),
        (lambda q: q.group("title").sum("title"), TypeError, "takes numbers"),
        (lambda q: q.group("title").minimum("is_pinned"), TypeError, "can be sorted"),
        (lambda q: q.group("title").into(AsTuple, total=text("count(*)")), TypeError, "takes expressions"),
        (lambda q: q.order("views").group("title").count(), TypeError, "a group has many"),
        (lambda q: q.distinct().group("title").count(), TypeError, "leave distinct"),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    ask: Ask, question: Callable[[Any], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        await ask(Post, question)


async def test_days_are_groups(ask: Ask) -> None:
    await saved(
        ask.database,
        *(
            Post(title=t, published_at=datetime.fromisoformat(f"2024-05-0{d}T12:00Z"))
            for t, d in [("a", 1), ("b", 1), ("c", 2)]
        ),
    )
    found = await ask(Post, lambda q: q.group(func.date(Post.published_at)).count())
    assert sorted(found.values()) == [1, 2]
