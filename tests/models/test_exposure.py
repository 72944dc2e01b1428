"""A secret that is planted in a row is found in no answer, no error, no log line and no traceback."""

import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel, ValidationError, model_serializer
from sqlalchemy import CheckConstraint
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from lineside.abilities import Ability, Rules
from lineside.abilities.fastapi import ability_for
from lineside.controllers.resource import ResourceController
from lineside.models import Database
from lineside.models._base._model import Model
from lineside.models._validation._declarations import validates
from lineside.models.fastapi import SessionDep, install_database
from lineside.routing import resources

PLANTED = "planted-8d1f"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Base(Model, registry=registry()):
    """Keeps these tables apart from those of other tests."""


@validates("secret_field", "hashed_password", length=(1, 20), uniqueness=True)
class Vault(Base, table=True):
    __table_args__ = (CheckConstraint("size < 100", name="small"),)

    permit = ("name", "size", "secret_field")
    name: str = ""
    size: int = 0
    secret_field: str = Field(default=PLANTED, unique=True)
    hashed_password: str = Field(default=PLANTED, unique=True)
    keys: list["VaultKey"] = Relationship(back_populates="vault")


class VaultKey(Base, table=True):
    expose = ("id", "label", "vault")
    label: str = ""
    private_part: str = PLANTED
    vault_id: int = Field(foreign_key="vault.id")
    vault: Vault = Relationship(back_populates="keys")


class VaultNumbers(BaseModel):
    """An answer that this row cannot give."""

    name: int
    keys: int


def define_abilities(user: None, rules: Rules) -> None:
    rules.can("manage", Vault)


CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities))]


class VaultsController(ResourceController[Vault]):
    sort = ("name",)
    filter = ("name",)
    ability: CurrentAbility


def vault(**values: Any) -> Vault:
    return Vault(id=7, created_at=EPOCH, updated_at=EPOCH, **values)


def answers(app: FastAPI) -> None:
    @app.get("/annotated")
    async def annotated(session: SessionDep) -> Vault:
        return await session.get_one(Vault, 1)

    @app.get("/listed")
    async def listed(session: SessionDep) -> list[Vault]:
        return [await session.get_one(Vault, 1)]

    @app.get("/bare", response_model=None)
    async def bare(session: SessionDep) -> Any:
        return {"vaults": [await session.get_one(Vault, 1)]}

    @app.get("/out", response_model=list[Vault.Out])
    async def out(session: SessionDep) -> Any:
        return [await session.get_one(Vault, 1)]

    @app.get("/related", response_model=VaultKey.Out)
    async def related() -> Any:
        return VaultKey(id=1, label="front", vault=vault())


def failures(app: FastAPI) -> None:
    @app.get("/misfit", response_model=VaultNumbers)
    async def misfit(session: SessionDep) -> Any:
        return await session.get_one(Vault, 1)

    @app.get("/missing")
    async def missing(session: SessionDep) -> Vault:
        return await Vault.find_or_raise(name="nobody", secret_field=PLANTED)

    @app.get("/unknown-column")
    async def unknown_column(session: SessionDep, by: Annotated[str, Query()]) -> None:
        await Vault.order(by).all()

    @app.post("/invalid")
    async def invalid(session: SessionDep) -> None:
        await Vault.create(name="x", secret_field=PLANTED * 2, hashed_password=PLANTED * 2)

    @app.post("/taken")
    async def taken(session: SessionDep) -> None:
        await vault().save(validate=False)

    @app.post("/refused-by-the-database")
    async def refused_by_the_database(session: SessionDep) -> None:
        await vault(secret_field="another", hashed_password=f"{PLANTED}-2", size=100).save()

    @app.post("/crash")
    async def crash(session: SessionDep) -> None:
        found = await session.get_one(Vault, 1)
        logging.getLogger("app").error("cannot open %r, %s", found, [found])
        raise RuntimeError(f"cannot open {found!r} {found.errors}")


class Tracebacks:
    """What a server would write to its log when an app raises."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.written: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            self.written.extend(traceback.format_exception(error))
            raise


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tracebacks]:
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'a.sqlite3'}" if sqlite else request.getfixturevalue("postgres_url")
    other = Database(url)
    app = FastAPI()
    install_database(app, url)
    resources(app, "vaults", VaultsController)
    answers(app)
    failures(app)
    Base.metadata.create_all(other.sync_engine)
    with other.sync_session() as session:
        session.add(Vault(name="First"))
    yield Tracebacks(app)
    Base.metadata.drop_all(other.sync_engine)
    other.sync_engine.dispose()


REQUESTS: list[tuple[int, str, str, Any]] = [
    (200, "GET", "/vaults", None),
    (200, "GET", "/vaults?sort=-name&name=First", None),
    (200, "GET", "/vaults/new", None),
    (200, "GET", "/vaults/1", None),
    (200, "GET", "/vaults/1/edit", None),
    (200, "PATCH", "/vaults/1", {"name": "Second"}),
    (422, "PATCH", "/vaults/1", {"name": 5}),
    (422, "PATCH", "/vaults/1", {"hashed_password": "mine"}),
    (422, "POST", "/vaults", {"name": "Third"}),
    (422, "GET", "/vaults?sort=hashed_password", None),
    (422, "GET", "/vaults?hashed_password=x", None),
    (422, "GET", "/vaults?secret_field=x", None),
    (404, "GET", "/vaults/99", None),
    (204, "DELETE", "/vaults/1", None),
    (200, "GET", "/annotated", None),
    (200, "GET", "/listed", None),
    (200, "GET", "/bare", None),
    (200, "GET", "/out", None),
    (200, "GET", "/related", None),
    (500, "GET", "/misfit", None),
    (404, "GET", "/missing", None),
    (500, "GET", "/unknown-column?by=nothing", None),
    (422, "POST", "/invalid", None),
    (422, "POST", "/taken", None),
    (500, "POST", "/refused-by-the-database", None),
    (500, "POST", "/crash", None),
    (200, "GET", "/openapi.json", None),
]


@pytest.mark.parametrize(("status", "method", "path", "body"), REQUESTS, ids=lambda value: str(value)[:30])
def test_a_planted_secret_never_leaves(
    server: Tracebacks, caplog: pytest.LogCaptureFixture, status: int, method: str, path: str, body: Any
) -> None:
    """Neither to the client, nor into what is written down about the request."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, logger="aiosqlite")  # it writes down what it sends to its thread
    with TestClient(server, raise_server_exceptions=False) as client:
        response = client.request(method, path, json=body)
    assert response.status_code == status, response.text
    assert PLANTED not in response.text
    assert PLANTED not in str(response.headers)
    assert PLANTED not in caplog.text
    assert PLANTED not in "".join(server.written)


def test_an_error_of_the_database_still_says_what_it_is(server: Tracebacks) -> None:
    """Without the values: which constraint of which table is all that a log needs."""
    with TestClient(server, raise_server_exceptions=False) as client:
        client.post("/refused-by-the-database")
    written = "".join(server.written)
    assert "small" in written
    assert "INSERT INTO vault" in written
    assert "failed>" not in written


def test_a_record_shows_no_secret_of_itself() -> None:
    """As Rails filters what `inspect` says; the attribute itself is readable."""
    record = vault(name="First")
    assert PLANTED not in f"{record!r} {record} {[record]}"
    assert "hashed_password='[FILTERED]'" in repr(record)
    assert record.hashed_password == PLANTED


def test_the_json_of_a_record_is_what_it_exposes() -> None:
    """JSON is made to leave. What stays in Python is whole, as SQLModel has it."""
    record = vault()
    assert PLANTED not in record.model_dump_json()
    assert "secret_field" not in record.model_dump(mode="json")
    assert record.model_dump()["secret_field"] == PLANTED
    assert set(VaultKey(id=1, vault_id=2).model_dump(mode="json")) == {"id", "label"}


def test_a_record_whose_class_has_a_serializer_keeps_it() -> None:
    """Whoever writes one has decided."""

    class Written(Base, table=True):
        token_hint: str = ""

        @model_serializer
        def shown(self) -> dict[str, str]:
            return {"hint": self.token_hint}

    assert Written(token_hint="abc").model_dump(mode="json") == {"hint": "abc"}


def test_a_schema_that_fails_names_no_secret_of_its_record() -> None:
    """The text of pydantic's error shows its input."""
    with pytest.raises(ValidationError) as caught:
        VaultNumbers.model_validate(vault(), from_attributes=True)
    assert "name" in str(caught.value)
