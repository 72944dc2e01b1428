"""Pages by number, batches, and both kinds of pages as FastAPI shows them."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi import Query as Parameters
from pydantic import BaseModel

from lineside.exceptions import ConfigurationError
from lineside.models import (
    Database,
    KeysetPage,
    KeysetParams,
    Page,
    PageParams,
    Query,
    SortBy,
    UnknownAttributeError,
)
from lineside.models.fastapi import SessionDep, install_database
from tests.models.publishing import STYLES, Ask, Comment, Post, Seat, posts, saved, titles
from tests.models.publishing import Base as Base

pytestmark = pytest.mark.anyio


@pytest.fixture(params=STYLES)
def ask(request: pytest.FixtureRequest, database: Database) -> Ask:
    return Ask(database, request.param)


async def test_a_page_has_its_records_and_the_number_of_all(ask: Ask) -> None:
    await posts(ask.database, a=1, b=1, c=1, d=2, e=1)
    page = await ask(Post, lambda q: q.where(views=1).order("-title").page(2, 3))
    assert (titles(page.items), page.total, page.page, page.per_page, page.pages) == (["a"], 4, 2, 3, 2)
    behind = await ask(Post, lambda q: q.page(9, 3))
    assert (behind.items, behind.total, behind.pages) == ([], 5, 2)
    nothing = await ask(Post, lambda q: q.none().page())
    assert (nothing.items, nothing.total, nothing.pages) == ([], 0, 0)


async def test_pages_without_an_order_go_by_key(ask: Ask) -> None:
    await posts(ask.database, a=1, b=2, c=3)
    await ask(Post, lambda q: q.where(title="a").update_all(views=9))
    assert titles((await ask(Post, lambda q: q.page(1, 2))).items) == ["a", "b"]


async def test_joined_records_are_counted_as_they_are_listed(ask: Ask) -> None:
    await saved(
        ask.database, Post(id=1, title="a"), Comment(body="x", post_id=1), Comment(body="y", post_id=1)
    )
    twice = await ask(Post, lambda q: q.joins("comments").page())
    once = await ask(Post, lambda q: q.joins("comments").distinct().page())
    assert (titles(twice.items), twice.total) == (["a", "a"], 2)
    assert (titles(once.items), once.total) == (["a"], 1)


@pytest.mark.parametrize(("page", "per_page"), [(0, 1), (-1, 1), (1, 0), (1, -1), (2**63, 2)])
async def test_a_page_that_cannot_be_is_refused(ask: Ask, page: int, per_page: int) -> None:
    with pytest.raises(ValueError, match=r"page|offset"):
        await ask(Post, lambda q: q.page(page, per_page))


async def test_a_page_has_a_limit_of_its_own(ask: Ask) -> None:
    for cut in (Query(Post).limit(1), Query(Post).offset(1)):
        with pytest.raises(ValueError, match="leave limit"):
            await ask(Post, lambda q: q.merge(cut).page())  # noqa: B023


async def test_batches_hold_all_records_once_in_order_of_the_key(ask: Ask) -> None:
    await posts(ask.database, a=1, b=2, c=1, d=1, e=1)
    batches = await ask(Post, lambda q: q.where(views=1).in_batches(2))
    assert [titles(batch) for batch in batches] == [["a", "c"], ["d", "e"]]
    assert titles(await ask(Post, lambda q: q.limit(3).find_each(2))) == ["a", "b", "c"]
    assert await ask(Post, lambda q: q.none().in_batches()) == []
    await saved(ask.database, *(Seat(line=line, number=n) for line in "ba" for n in (2, 1)))
    seats = await ask(Seat, lambda q: q.find_each(3))
    assert [(seat.line, seat.number) for seat in seats] == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]


async def test_rows_that_are_deleted_on_the_way_skip_none(database: Database) -> None:
    await posts(database, a=1, b=2, c=3, d=4, e=5)
    seen: list[str] = []
    async with database.session():
        async for batch in Query(Post).in_batches(2):
            seen += titles(batch)
            await Query(Post).where(id=[post.id for post in batch]).delete_all()
        assert await Query(Post).count() == 0
    assert seen == ["a", "b", "c", "d", "e"]


async def test_batches_keep_no_order_or_offset(ask: Ask) -> None:
    for query in (Query(Post).order("title"), Query(Post).offset(1)):
        with pytest.raises(ValueError, match="batches go by primary key"):
            await ask(Post, lambda q: q.merge(query).in_batches())  # noqa: B023
    with pytest.raises(ValueError, match="at least one record"):
        await ask(Post, lambda q: q.in_batches(0))


class PostOut(BaseModel):
    id: int
    title: str


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()
    install_database(app, database)

    @app.get("/pages")
    async def pages(params: Annotated[PageParams, Parameters()], session: SessionDep) -> Page[PostOut]:
        return await Query(Post).order("title").page(params.page, params.per_page)  # type: ignore[return-value]

    @app.get("/keyset")
    async def keyset(
        params: Annotated[KeysetParams, Parameters()], session: SessionDep
    ) -> KeysetPage[PostOut]:
        return await Query(Post).order("-title").keyset(params.after, params.limit)  # type: ignore[return-value]

    @app.get("/sorted")
    async def by_choice(
        session: SessionDep,
        sort: Annotated[list[str], SortBy("title", "views"), Parameters()] = [],  # noqa: B006
    ) -> list[PostOut]:
        return await Query(Post).order(*sort).all()  # type: ignore[return-value]

    await posts(database, a=2, b=1, c=1)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_a_route_answers_with_a_page(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/pages", params={"page": 2, "per_page": 2})
    assert answer.json() == {
        "items": [{"id": 3, "title": "c"}],
        "total": 3,
        "page": 2,
        "per_page": 2,
        "pages": 2,
    }


async def test_a_route_goes_from_cursor_to_cursor(client: httpx2.AsyncClient) -> None:
    first = (await client.get("/keyset", params={"limit": 2})).json()
    second = (await client.get("/keyset", params={"limit": 2, "after": first["next_cursor"]})).json()
    assert [item["title"] for item in first["items"] + second["items"]] == ["c", "b", "a"]
    assert second["next_cursor"] is None


async def test_a_route_sorts_by_what_it_allows(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/sorted", params={"sort": ["views", "-title"]})
    assert [item["title"] for item in answer.json()] == ["c", "b", "a"]


@pytest.mark.parametrize(
    "url",
    [
        "/pages?page=0",
        "/pages?page=x",
        "/pages?page=99999999999999999999",
        "/pages?per_page=0",
        "/pages?per_page=101",
        "/keyset?limit=101",
        "/keyset?limit=0",
        f"/keyset?after={'a' * 5000}",
        "/sorted?sort=id",
        "/sorted?sort=--title",
        "/sorted?sort=title&sort=views&sort=title",
    ],
)
async def test_a_parameter_past_its_bounds_is_a_422(client: httpx2.AsyncClient, url: str) -> None:
    assert (await client.get(url)).status_code == 422


async def test_openapi_shows_parameters_and_pages(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()

    def parameters(path: str) -> dict[str, Any]:
        return {item["name"]: item["schema"] for item in document["paths"][path]["get"]["parameters"]}

    assert parameters("/pages")["per_page"] | {"title": ""} == {
        "type": "integer", "minimum": 1, "maximum": 100, "default": 20, "title": "",
    }  # fmt: skip
    assert parameters("/keyset").keys() == {"after", "limit"}
    assert parameters("/sorted")["sort"]["items"]["enum"] == ["title", "-title", "views", "-views"]
    schemas = document["components"]["schemas"]
    assert schemas["Page_PostOut_"]["required"] == ["items", "total", "page", "per_page", "pages"]
    assert schemas["Page_PostOut_"]["properties"]["items"]["items"] == {
        "$ref": "#/components/schemas/PostOut"
    }
    assert {"items", "next_cursor"} == schemas["KeysetPage_PostOut_"]["properties"].keys()


@pytest.mark.parametrize("columns", [(), ("",), ("-title",), ("title", "-views")])
def test_an_allow_list_is_of_columns(columns: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="takes names of columns"):
        SortBy(*columns)


def test_an_order_of_a_client_still_is_one_of_columns() -> None:
    with pytest.raises(UnknownAttributeError):
        Query(Post).order("nobody")
