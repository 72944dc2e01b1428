"""Schemas derived from a model validate as the model would have: its validators, times with their zone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from annotated_types import Ge
from fastapi import Depends, FastAPI
from pydantic import (
    AwareDatetime,
    BaseModel,
    NaiveDatetime,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from sqlalchemy import Column, DateTime
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel
from starlette.testclient import TestClient

from lineside.abilities import Ability, Rules
from lineside.abilities.fastapi import ability_for
from lineside.controllers.resource import ResourceController
from lineside.exceptions import ConfigurationError
from lineside.models.fastapi import install_database
from lineside.routing import resources


class Table(SQLModel, registry=registry()):
    """Keeps these tables apart from those of other tests."""


class Named(Table):
    """A base with a validator of its own, for a field that its subclasses have."""

    @field_validator("name", mode="before", check_fields=False)
    @classmethod
    def strip(cls, value: Any) -> Any:
        return value.strip() if isinstance(value, str) else value


class Concert(Named, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = ""
    city: str = ""
    stage: str = ""
    seats: int = 0
    internal: str = ""
    least_seats: ClassVar[int] = 10

    @field_validator("city", "internal")
    @classmethod
    def capitalised(cls, value: str) -> str:
        return value.capitalize()

    @field_validator("stage", mode="wrap")
    @classmethod
    def named_stage(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> str:
        return f"{info.field_name} {handler(value)}"

    @field_validator("seats", mode="plain")
    @classmethod
    def enough_seats(cls, value: Any) -> int:
        if not isinstance(value, int) or value < cls.least_seats:
            raise ValueError("too few seats")
        return value

    @field_validator("*")
    @staticmethod
    def printable(value: Any) -> Any:
        if isinstance(value, str) and not value.isprintable():
            raise ValueError("not printable")
        return value


class Event(Table, table=True):
    id: int | None = Field(default=None, primary_key=True)
    starts_at: datetime
    ends_at: Annotated[datetime, Ge(datetime(2000, 1, 1, tzinfo=UTC))] | None = None
    doors_at: AwareDatetime | None = None
    printed_at: NaiveDatetime | None = None
    filed_at: datetime | None = Field(default=None, sa_column=Column(DateTime()))


class Checked(Table, table=True):
    id: int | None = Field(default=None, primary_key=True)
    low: int = 0
    high: int = 0

    @model_validator(mode="after")
    def in_order(self) -> "Checked":
        return self


def define_abilities(user: None, rules: Rules) -> None:
    rules.can(["create", "read", "update"], Concert)
    rules.can(["create", "read", "update"], Event, Event.starts_at > datetime(2020, 1, 1, tzinfo=UTC))


CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities))]


class ConcertsController(ResourceController[Concert]):
    permit = ("name", "city", "stage", "seats")
    ability: CurrentAbility


class EventsController(ResourceController[Event]):
    permit = ("starts_at", "ends_at", "doors_at", "printed_at", "filed_at")
    ability: CurrentAbility


def client_for(folder: Path, **controllers: type[Any]) -> TestClient:
    app = FastAPI()
    database = install_database(app, f"sqlite:///{folder / 'a.sqlite3'}")
    for name, controller in controllers.items():
        resources(app, name, controller)

    async def create_tables() -> None:
        async with database.engine.begin() as connection:
            await connection.run_sync(Table.metadata.create_all)

    app.router.on_startup.append(create_tables)
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with client_for(tmp_path, concerts=ConcertsController, events=EventsController) as client:
        assert client.post("/concerts", json={"seats": 20}).status_code == 201
        assert client.post("/events", json={"starts_at": "2026-01-01T20:00:00Z"}).status_code == 201
        yield client


@pytest.mark.parametrize(("method", "path"), [("POST", "/concerts"), ("PATCH", "/concerts/1")])
@pytest.mark.parametrize(
    ("field", "sent", "kept"),
    [
        pytest.param("name", "  Rock ", "Rock", id="before, inherited"),
        pytest.param("city", "oslo", "Oslo", id="after"),
        pytest.param("stage", "one", "stage one", id="wrap"),
        pytest.param("seats", 30, 30, id="plain"),
    ],
)
def test_a_field_validator_of_the_model_changes_what_clients_send(
    client: TestClient, method: str, path: str, field: str, sent: Any, kept: Any
) -> None:
    """In every mode, for creating and for changing."""
    response = client.request(method, path, json={"seats": 20, field: sent})
    assert response.json()[field] == kept


@pytest.mark.parametrize(("method", "path"), [("POST", "/concerts"), ("PATCH", "/concerts/1")])
@pytest.mark.parametrize(("field", "sent"), [("seats", 9), ("seats", "many"), ("name", "a\x07b")])
def test_a_field_validator_of_the_model_refuses_what_clients_send(
    client: TestClient, method: str, path: str, field: str, sent: Any
) -> None:
    """With 422 on the field; the validator sees the model's own class, and `*` is every permitted field."""
    response = client.request(method, path, json={"seats": 20, field: sent})
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", field]


def test_a_validator_sees_the_fields_that_the_model_declares_before_its_own(tmp_path: Path) -> None:
    """`permit` is a set of names: its order is not that of validation."""

    class Span(Table, table=True):
        id: int | None = Field(default=None, primary_key=True)
        low: int
        high: int

        @field_validator("high")
        @classmethod
        def not_below(cls, value: int, info: ValidationInfo) -> int:
            if value < info.data["low"]:
                raise ValueError("below low")
            return value

    class SpansController(ResourceController[Span]):
        permit = ("high", "low")
        ability: CurrentAbility

    with client_for(tmp_path, spans=SpansController) as client:
        response = client.post("/spans", json={"low": 2, "high": 1})
    assert response.json()["detail"][0]["loc"] == ["body", "high"]


def test_field_validators_of_a_given_input_schema_hold_for_changes_too(tmp_path: Path) -> None:
    """The patch schema is derived from the input schema, where none is given."""

    class ConcertIn(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def shout(cls, value: str) -> str:
            return value.upper()

    class Own(ResourceController[Concert, ConcertIn]):
        ability: CurrentAbility

    with client_for(tmp_path, concerts=Own) as client:
        assert client.post("/concerts", json={"name": "jazz"}).json()["name"] == "JAZZ"
        assert client.patch("/concerts/1", json={"name": "rock"}).json()["name"] == "ROCK"


def test_a_model_validator_asks_for_an_input_schema() -> None:
    """It is about the whole model and cannot be carried to a part of it; dropped in silence it would lie."""
    with pytest.raises(ConfigurationError, match=r"in_order.*give your own input schema as a type argument"):

        class Broken(ResourceController[Checked]):
            permit = ("low",)
            ability: CurrentAbility


def test_a_model_validator_is_no_obstacle_to_an_input_schema_of_ones_own() -> None:
    """What the schema checks is then its author's choice."""

    class CheckedIn(BaseModel):
        low: int

    class Whole(ResourceController[Checked, CheckedIn]):
        ability: CurrentAbility

    assert Whole.model is Checked


def test_a_model_validator_of_a_given_input_schema_asks_for_a_patch_schema() -> None:
    """A change is a part of the input; the schema for it cannot be derived."""

    class CheckedIn(BaseModel):
        low: int

        @model_validator(mode="before")
        @classmethod
        def look(cls, data: Any) -> Any:
            return data

    with pytest.raises(ConfigurationError, match=r"look.*give your own patch schema as a type argument"):

        class Broken(ResourceController[Checked, CheckedIn]):
            ability: CurrentAbility

    class Whole(ResourceController[Checked, CheckedIn, CheckedIn]):
        ability: CurrentAbility

    assert Whole.model is Checked


@pytest.mark.parametrize(("method", "path"), [("POST", "/events"), ("PATCH", "/events/1")])
@pytest.mark.parametrize("field", ["starts_at", "ends_at", "doors_at"])
def test_a_time_without_a_zone_is_refused_where_the_column_keeps_one(
    client: TestClient, method: str, path: str, field: str
) -> None:
    """On its field, before an ability compares it and before the database refuses it."""
    values = {"starts_at": "2026-01-01T20:00:00Z", field: "2026-01-01T20:00:00"}
    response = client.request(method, path, json=values)
    assert response.status_code == 422
    assert [error["loc"] for error in response.json()["detail"]] == [["body", field]]
    assert response.json()["detail"][0]["type"] == "timezone_aware"


@pytest.mark.parametrize("field", ["starts_at", "ends_at", "doors_at"])
def test_a_time_with_a_zone_is_kept(client: TestClient, field: str) -> None:
    """It comes back as the same moment; the model's constraints on it still hold."""
    response = client.patch("/events/1", json={field: "2026-01-01T22:00:00+02:00"})
    assert response.json()[field] == "2026-01-01T20:00:00Z"
    assert client.patch("/events/1", json={"ends_at": "1999-01-01T00:00:00Z"}).status_code == 422
    assert client.patch("/events/1", json={"ends_at": None}).json()["ends_at"] is None


@pytest.mark.parametrize("field", ["printed_at", "filed_at"])
def test_a_column_without_a_zone_takes_times_without_one(client: TestClient, field: str) -> None:
    """One with a zone would lose it in SQLite and be refused by PostgreSQL: 422 on its field."""
    response = client.patch("/events/1", json={field: "2026-01-01T20:00:00"})
    assert response.json()[field] == "2026-01-01T20:00:00"
    refused = client.patch("/events/1", json={field: "2026-01-01T20:00:00Z"})
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["body", field]
