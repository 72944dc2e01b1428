"""Whatever a client sends, and whichever way it goes: only permitted columns change."""

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import JSON, select
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship
from starlette.testclient import TestClient

from lineside.abilities import Ability, Rules
from lineside.abilities.fastapi import ability_for
from lineside.controllers.resource import ResourceController
from lineside.models import Database
from lineside.models._base._model import Model
from lineside.models._exceptions import ForbiddenAttributesError, UnknownAttributeError
from lineside.models.fastapi import SessionDep, install_database
from lineside.routing import resources

PERMITTED = ("title", "body")


class Base(Model, registry=registry()):
    """Keeps these tables apart from those of other tests."""


class Owner(Base, table=True):
    permit = ("name",)
    name: str = ""
    role: str = "reader"


class Account(Base, table=True):
    permit = PERMITTED
    title: str = "untitled"
    body: str | None = None
    role: str = "reader"
    is_admin: bool = False
    balance: int = 0
    tenant_id: int = 1
    hashed_password: str = "unset"
    settings: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    owner_id: int | None = Field(default=None, foreign_key="owner.id")
    owner: Owner | None = Relationship()

    @property
    def nickname(self) -> str:
        return self.title

    @nickname.setter
    def nickname(self, value: str) -> None:
        self.role = value


COLUMNS = tuple(Account.model_fields)
#: A value that the column would take: what is refused is refused for its name.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": st.integers(1_000, 2_000),
    "created_at": st.just("2001-01-01T00:00:00Z"),
    "updated_at": st.just("2001-01-01T00:00:00Z"),
    "title": st.sampled_from(["A", "B", "C"]),
    "body": st.sampled_from(["x", None]),
    "role": st.just("admin"),
    "is_admin": st.just(True),
    "balance": st.integers(1, 1_000),
    "tenant_id": st.integers(2, 9),
    "hashed_password": st.just("chosen by the client"),
    "settings": st.just({"role": "admin"}),
    "owner_id": st.just(None),
    "owner": st.fixed_dictionaries({"name": st.just("x"), "role": st.just("admin")}),
    "nickname": st.just("admin"),
    "permit": st.just(["role"]),
    "__class__": st.just("x"),
    "_sa_instance_state": st.just({}),
    "made_up": st.integers(),
}
PAYLOADS = st.lists(st.sampled_from(sorted(VALUES)), unique=True, max_size=6).flatmap(
    lambda names: st.fixed_dictionaries({name: VALUES[name] for name in names})
)


class Loose(BaseModel):
    """A schema of somebody who lets everything pass, and names two fields."""

    model_config = ConfigDict(extra="allow")
    title: str = "untitled"
    body: str | None = None


def differing(account: Account) -> set[str]:
    """Return the columns that are not as a new account has them."""
    fresh = Account()
    return {name for name in COLUMNS if getattr(account, name) != getattr(fresh, name)}


@settings(max_examples=300)
@given(PAYLOADS)
def test_a_mapping_or_a_schema_assigns_what_is_permitted_or_nothing(payload: dict[str, Any]) -> None:
    """A name that is not permitted refuses the whole, in memory already."""
    refused = payload.keys() - set(PERMITTED)
    for way in (Account.build, Account().assign_attributes):
        if refused:
            with pytest.raises(ForbiddenAttributesError) as caught:
                way(payload)
            assert set(caught.value.names) == refused
        else:
            assert differing(way(payload)) <= set(PERMITTED)


@settings(max_examples=300)
@given(PAYLOADS)
def test_a_derived_schema_takes_what_is_permitted_or_nothing(payload: dict[str, Any]) -> None:
    """The error names each field that is not."""
    refused = payload.keys() - set(PERMITTED)
    for schema in (Account.In, Account.Patch):
        if refused:
            with pytest.raises(ValidationError) as caught:
                schema(**payload)
            assert {error["loc"][0] for error in caught.value.errors()} == refused
        else:
            assert differing(Account.build(schema(**payload))) <= set(PERMITTED)


@given(PAYLOADS)
def test_a_schema_of_ones_own_carries_what_it_names_and_no_more(payload: dict[str, Any]) -> None:
    """Also one that lets unknown keys pass."""
    data = Loose.model_validate(payload)
    assert differing(Account.build(data)) <= set(PERMITTED)
    assert differing(Account().assign_attributes(data)) <= set(PERMITTED)


def test_a_record_is_no_way_around_its_permissions() -> None:
    """A table validates nothing: what it carries is from wherever."""
    with pytest.raises(ForbiddenAttributesError, match="role cannot be assigned"):
        Account.build(Account(title="A", role="admin"))


def test_an_output_is_no_input() -> None:
    """It has every column that is shown; taken for a body by mistake it would set them."""
    shown = Account.Out.model_validate(
        Account(id=1, role="admin", created_at="2001-01-01T00:00:00Z", updated_at="2001-01-01T00:00:00Z")
    )
    with pytest.raises(ForbiddenAttributesError, match="role"):
        Account().assign_attributes(shown)


def test_what_is_unknown_is_never_dropped_in_silence() -> None:
    """Nor can code itself give an attribute that there is not."""
    with pytest.raises(UnknownAttributeError, match="no attribute 'titel'"):
        Account(titel="A")


def define_abilities(user: None, rules: Rules) -> None:
    rules.can("manage", Account)


CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities))]


class AccountsController(ResourceController[Account]):
    ability: CurrentAbility


def routes(app: FastAPI) -> None:
    resources(app, "accounts", AccountsController)

    @app.post("/mapping")
    async def create_from_mapping(session: SessionDep, data: dict[str, Any]) -> int:
        return (await Account.create(data)).id

    @app.post("/schema")
    async def create_from_schema(session: SessionDep, data: Account.In) -> int:
        return (await Account.create(data)).id

    @app.post("/permitted")
    async def create_permitted(session: SessionDep, data: Account.In, ability: CurrentAbility) -> int:
        return (await Account.create(ability.permit(data, "create", Account))).id

    @app.post("/table")
    async def create_from_table(session: SessionDep, data: Account) -> int:
        return (await data.save()).id

    class Order(BaseModel):
        account: Account

    @app.post("/nested")
    async def create_nested(session: SessionDep, data: Order) -> int:
        return (await data.account.save()).id

    @app.patch("/mapping/{id}")
    async def update_from_mapping(session: SessionDep, id: int, data: dict[str, Any]) -> None:
        await (await session.get_one(Account, id)).update(data)

    @app.patch("/schema/{id}")
    async def update_from_schema(session: SessionDep, id: int, data: Account.Patch) -> None:
        await (await session.get_one(Account, id)).update(data)


class Client:
    """The app, and a connection of its own to its database."""

    def __init__(self, http: TestClient, database: Database) -> None:
        self.http = http
        self.engine = database.sync_engine
        self.table = Account.__table__  # type: ignore[attr-defined]

    def rows(self) -> dict[int, dict[str, Any]]:
        with self.engine.connect() as connection:
            return {row["id"]: dict(row) for row in connection.execute(select(self.table)).mappings()}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('mass') / 'a.sqlite3'}"
    else:
        url = request.getfixturevalue("postgres_url")
    app = FastAPI()
    install_database(app, url)
    routes(app)
    other = Database(url)
    Base.metadata.create_all(other.sync_engine)
    with TestClient(app, raise_server_exceptions=False) as http:
        yield Client(http, other)
    Base.metadata.drop_all(other.sync_engine)
    other.sync_engine.dispose()


CREATING = ("accounts", "mapping", "schema", "permitted", "table", "nested")
KEPT = set(COLUMNS) - set(PERMITTED) - {"id", "created_at", "updated_at"}


@settings(max_examples=60, deadline=None)
@given(
    payload=PAYLOADS, path=st.sampled_from(["accounts", "mapping", "schema", "permitted", "table", "nested"])
)
def test_a_created_row_has_the_clients_values_in_permitted_columns_only(
    client: Client, payload: dict[str, Any], path: str
) -> None:
    """Read through another connection; a refused payload is a 422 and leaves no row."""
    before = client.rows()
    body = {"account": payload} if path == "nested" else payload
    response = client.http.post(f"/{path}", json=body)
    new = {key: row for key, row in client.rows().items() if key not in before}
    if payload.keys() <= set(PERMITTED):
        assert response.status_code in (200, 201), response.text
        (row,) = new.values()
        fresh = Account()
        assert {name: row[name] for name in KEPT} == {name: getattr(fresh, name) for name in KEPT}
        assert (row["id"] < 1_000, row["created_at"].year > 2001) == (True, True)
    else:
        assert response.status_code == 422, response.text
        assert new == {}


@settings(max_examples=60, deadline=None)
@given(payload=PAYLOADS, path=st.sampled_from(["accounts", "mapping", "schema"]))
def test_a_changed_row_differs_in_permitted_columns_only(
    client: Client, payload: dict[str, Any], path: str
) -> None:
    """Whether it is refused or not."""
    key = client.http.post("/schema", json={"title": "before", "body": "before"}).json()
    before = client.rows()[key]
    response = client.http.patch(f"/{path}/{key}", json=payload)
    after = client.rows()[key]
    changed = {name for name in COLUMNS if before[name] != after[name]}
    if payload.keys() <= set(PERMITTED):
        assert response.status_code == 200, response.text
        assert changed <= {*PERMITTED, "updated_at"}
        assert {name: after[name] for name in payload} == payload
    else:
        assert response.status_code == 422, response.text
        assert changed == set()
