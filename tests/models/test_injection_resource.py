"""``filter`` and ``sort`` of a `ResourceController`: names of an allow-list, or a 422."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI

from lineside.abilities import Ability, Rules
from lineside.abilities.fastapi import ability_for
from lineside.controllers.resource import ResourceController
from lineside.models import Database
from lineside.models.fastapi import install_database
from lineside.routing import resources
from tests.models.payloads import PAYLOADS
from tests.models.publishing import Author, Post, saved, statements_of
from tests.models.publishing import Base as Base

pytestmark = pytest.mark.anyio


def define_abilities(user: None, rules: Rules) -> None:
    rules.can("read", [Author, Post])


CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities))]


class AuthorsController(ResourceController[Author]):
    permit = ("name",)
    filter = ("name", "country_id")
    sort = ("name",)
    ability: CurrentAbility


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()
    install_database(app, database)
    resources(app, "authors", AuthorsController)
    await saved(database, Author(name="b"), Author(name="a"))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def names(client: httpx2.AsyncClient, **params: Any) -> list[str]:
    answer = await client.get("/authors", params=params)
    assert answer.status_code == 200, answer.text
    return [author["name"] for author in answer.json()]


SENDABLE = [payload for payload in PAYLOADS if "\ud800" not in payload]  # UTF-8 has no such characters


@pytest.mark.parametrize("name", ["sort", "limit", "offset", "country_id"])
async def test_no_payload_passes_as_a_value(
    client: httpx2.AsyncClient, database: Database, name: str
) -> None:
    numbers = {"0", "1", "-1"}
    with statements_of(database) as log:
        for payload in SENDABLE:
            if name == "sort" or payload.strip() not in numbers:
                answer = await client.get("/authors", params={name: payload})
                assert answer.status_code == 422, payload
    assert [statement for statement, _ in log if "author" in statement] == []
    assert await names(client, sort="name") == ["a", "b"]


async def test_no_payload_passes_as_a_name(client: httpx2.AsyncClient, database: Database) -> None:
    with statements_of(database) as log:
        for payload in SENDABLE:
            answer = await client.get("/authors", params={payload: "1"})
            assert answer.status_code == 422, payload
    assert [statement for statement, _ in log if "author" in statement] == []


async def test_a_payload_as_text_to_filter_by_is_plain_data(
    client: httpx2.AsyncClient, database: Database
) -> None:
    kept = [payload for payload in SENDABLE if "\x00" not in payload]
    await saved(database, *(Author(name=payload) for payload in kept))
    with statements_of(database) as log:
        for payload in kept:
            assert await names(client, name=payload) == [payload]
        assert len({statement for statement, _ in log if "author" in statement}) == 1


async def test_columns_beside_the_list_stay_hidden(client: httpx2.AsyncClient) -> None:
    """Who may sort or filter by a secret can find it out, one letter after the other."""
    for column in ("password_digest", "id", "created_at", "country.name", "posts.title"):
        for params in ({"sort": column}, {"sort": f"-{column}"}, {column: "1"}):
            assert (await client.get("/authors", params=params)).status_code == 422, params


async def test_what_is_on_the_list_works(client: httpx2.AsyncClient) -> None:
    assert await names(client, sort="name") == ["a", "b"]
    assert await names(client, sort="-name") == ["b", "a"]
    assert await names(client, name="a") == ["a"]
