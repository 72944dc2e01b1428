"""What a hostile client gets out of a ResourceController: no hidden attribute, no 500."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel
from starlette.testclient import TestClient

from lineside.abilities import Ability, Rules
from lineside.abilities.fastapi import ability_for
from lineside.controllers.resource import ResourceController
from lineside.models.fastapi import install_database
from lineside.routing import resources


class Table(SQLModel, registry=registry()):
    """Keeps these tables apart from those of other tests."""


class Account(Table, table=True):
    id: int | None = Field(default=None, primary_key=True)
    title: str = ""
    api_token: str = "token-of-the-record"
    salary: str = "salary-of-the-record"
    points: int = 0
    share: float = 0.0
    balance: Decimal = Decimal(0)
    opened_at: datetime | None = None
    period: timedelta | None = None


def define_abilities(user: None, rules: Rules) -> None:
    rules.can("read", Account, attributes=["id", "title", "api_token", "points", "share"])
    rules.can(["create", "update"], Account)


CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities))]


class AccountsController(ResourceController[Account]):
    permit = ("title", "api_token", "salary", "points", "share", "balance", "opened_at", "period")
    ability: CurrentAbility


def running(url: str, controller: type[Any]) -> TestClient:
    app = FastAPI()
    database = install_database(app, url)
    resources(app, "accounts", controller)

    async def create_tables() -> None:
        async with database.engine.begin() as connection:
            await connection.run_sync(Table.metadata.drop_all)
            await connection.run_sync(Table.metadata.create_all)

    app.router.on_startup.append(create_tables)
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestClient]:
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'a.sqlite3'}" if sqlite else request.getfixturevalue("postgres_url")
    with running(url, AccountsController) as client:
        assert client.post("/accounts", json={"title": "First"}).status_code == 201
        yield client


def test_edit_shows_no_field_that_show_hides(client: TestClient) -> None:
    """A field may be write-only: secret by its name, or closed to reading by the ability."""
    form = client.get("/accounts/1/edit")
    assert form.json() == {"title": "First", "points": 0, "share": 0.0}
    assert "of-the-record" not in form.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("points", "9" * 30),
        ("opened_at", "0001-01-01T00:00:00+23:59"),
        ("opened_at", "9999-12-31T23:59:59-23:59"),
        ("share", "Infinity"),
        ("share", "-1e999"),
        ("share", "NaN"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_value_that_no_column_takes_is_the_clients_fault(
    client: TestClient, method: str, field: str, value: str
) -> None:
    """Written as a string it passes the limits of JSON; the driver's error must not become a 500."""
    path = "/accounts" if method == "POST" else "/accounts/1"
    response = client.request(method, path, json={field: value})
    assert response.status_code == 422
    assert "UPDATE" not in response.text
    assert client.get("/accounts/1").json()["points"] == 0


def test_an_interval_answers_and_never_fails(client: TestClient) -> None:
    """Databases differ in the longest interval they keep."""
    assert client.patch("/accounts/1", json={"period": "P999999999D"}).status_code in (200, 422)


@pytest.mark.parametrize("number", [2**31, 2**63 - 1])
def test_a_number_past_the_column_is_no_server_error(client: TestClient, number: int) -> None:
    """PostgreSQL's integer has 32 bits, SQLite's 64: a key is missing, a value is refused or kept."""
    assert client.get(f"/accounts/{number}").status_code == 404
    assert client.patch("/accounts/1", json={"points": number}).status_code in (200, 422)


@pytest.mark.parametrize("amount", ["1e400", "-1e400", "1e999999", "9" * 400])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_decimal_that_the_column_cannot_keep_spoils_no_record(
    client: TestClient, method: str, amount: str
) -> None:
    """SQLite keeps decimals as doubles: infinity would be stored, and fail whenever it is read."""
    path = "/accounts" if method == "POST" else "/accounts/1"
    assert client.request(method, path, json={"balance": amount}).status_code in (200, 201, 422)
    assert client.get("/accounts").status_code == 200


class AccountIn(BaseModel):
    balance: Decimal


class OwnSchemaController(ResourceController[Account, AccountIn]):
    ability: CurrentAbility


@pytest.mark.parametrize("controller", [AccountsController, OwnSchemaController])
def test_a_decimal_past_a_double_is_refused_by_name_where_the_driver_keeps_doubles(
    tmp_path: Path, controller: type[Any]
) -> None:
    """Whatever the schema let pass; a large double is kept."""
    with running(f"sqlite:///{tmp_path / 'a.sqlite3'}", controller) as client:
        assert client.post("/accounts", json={"balance": "1"}).status_code == 201
        response = client.patch("/accounts/1", json={"balance": "1e400"})
        assert response.status_code == 422
        assert response.json()["detail"][0]["loc"] == ["body", "balance"]
        assert client.patch("/accounts/1", json={"balance": "1e308"}).status_code == 200
