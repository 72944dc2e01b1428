"""What a developer is told at the border: in a shell, in a mock, at a route and at a decorator."""

import inspect
import pydoc
from typing import Any
from unittest import mock

import pytest
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import registry

from lineside.exceptions import ConfigurationError
from lineside.models import (
    Database,
    Model,
    NoSessionError,
    Query,
    Record,
    after_commit,
    before_save,
    default_scope,
    normalizes,
    validate,
    validates,
    validates_with,
)
from lineside.models.fastapi import install_database
from lineside.testing import TestApp

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()): ...


class Closed(Base, table=True):
    """It permits nothing."""

    title: str


class Misdeclared(Base, table=True):
    permit = ("titel",)
    expose = ("titel",)
    title: str


class Broken(Base, table=True):
    @default_scope
    @staticmethod
    def of_tenant(query: Query["Broken"]) -> Query["Broken"]:
        raise LookupError("no tenant")


CLASSES = (Record, Model, Base, Closed, Misdeclared)


@pytest.mark.parametrize("model", CLASSES)
def test_a_class_can_be_looked_at(model: Any) -> None:
    """``help``, an inspector, a mock: none of them breaks on a schema that cannot be."""
    assert model.__name__ in pydoc.render_doc(model)
    assert "where" in dict(inspect.getmembers(model))
    assert not hasattr(model, "In")
    assert hasattr(model, "Out") is (model is Closed)
    assert mock.create_autospec(model).where


def test_a_record_can_be_looked_at() -> None:
    """As its class."""
    record = Closed(title="x")
    assert not hasattr(record, "In")
    assert "Closed" in pydoc.render_doc(record)


def test_a_query_that_cannot_be_written_can_be_shown() -> None:
    """A debugger asks for what is broken, too."""
    assert repr(Broken.query()) == "Query(Broken: no tenant)"


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (lambda: Model.In, "Model.In: Model is no table; add table=True"),
        (lambda: Closed.In, r'Closed.In: name the fields .* permit = \("title", ...\)'),
        (lambda: Closed.Patch, r'Closed.In: name the fields .* permit = \("title", ...\)'),
        (lambda: Misdeclared.Out, "names.*'titel'"),
    ],
)
def test_a_schema_that_cannot_be_says_why(schema: Any, says: str) -> None:
    """The error has two kinds: that of a wrong set-up, and that of a missing attribute."""
    with pytest.raises(ConfigurationError, match=says) as caught:
        schema()
    assert isinstance(caught.value, AttributeError)


@pytest.mark.parametrize(
    ("decorate", "says"),
    [
        (lambda: before_save("strip_title"), "@before_save was given 'strip_title': put it on the method"),
        (lambda: after_commit()("notify"), "@after_commit was given 'notify': put it on the method"),
        (lambda: before_save(Closed), "@before_save was given Closed: put it on the method"),
        (lambda: before_save(staticmethod(print)), "@before_save was given .*: put it on the method"),
        (lambda: validate("check"), "@validate was given 'check': put it on the method"),
        (lambda: validate(on="create")("check"), "@validate was given 'check': put it on the method"),
        (lambda: validates("title", presence=True)(print), "@validates was given print: put it above the"),
        (lambda: validates_with(print)("check"), "@validates_with was given 'check': put it above the"),
        (lambda: normalizes("title", with_=str)(print), "@normalizes was given print: put it above the"),
    ],
)
def test_a_decorator_in_the_wrong_place(decorate: Any, says: str) -> None:
    """It says where it belongs; a name, as in Rails, would be forgotten in silence."""
    with pytest.raises(ConfigurationError, match=says):
        decorate()


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: Closed.sync.create(title="x"), "Closed.sync.create()"),
        (lambda: Closed.sync.find(1), "Closed.sync.find()"),
        (lambda: Closed.sync.insert_all([]), "Closed.sync.insert_all()"),
        (lambda: Closed.sync.find_or_create_by(title="x"), "Closed.sync.find_or_create_by()"),
        (lambda: Closed(title="x").sync.save(), "Closed.sync.save()"),
        (lambda: Closed(title="x").sync.update(title="y"), "Closed.sync.update()"),
        (lambda: Closed(title="x").sync.load("pages"), "Closed.sync.load()"),
        (lambda: Closed.sync.group("title").count(), "sync.group().count()"),
    ],
)
async def test_work_without_await_and_without_its_session(call: Any, what: str) -> None:
    """The call is named by its own name, and what to write fits work without `await`."""
    with pytest.raises(NoSessionError) as caught:
        call()
    assert str(caught.value) == (
        f"{what} needs a session: write `with database.sync_session():` around it, "
        "or `with use_session(session):`, or pass session="
    )
    async with Database("sqlite://").session():
        with pytest.raises(NoSessionError) as caught:
            call()
    assert str(caught.value).startswith(f"{what}, which finds an AsyncSession, needs a session: await the")
    assert "`with database.sync_session():`" in str(caught.value)


def test_a_body_that_permits_nothing() -> None:
    """The client is not to blame: no 422, but the words that ``Closed.In`` has."""
    app = FastAPI()
    install_database(app, "sqlite://")

    @app.post("/closed")
    async def create(data: Closed) -> None: ...

    @app.get("/closed")
    async def show() -> Closed:
        return Closed(id=1, title="x", created_at=None, updated_at=None)

    with TestApp(app) as client:
        with pytest.raises(ConfigurationError, match=r'permit = \("title", \.\.\.\)'):
            client.post("/closed", json={"title": "x"})
        assert client.get("/closed").assert_status(200).json()["title"] == "x"
        assert client.get("/openapi.json").status_code == 200


@pytest.mark.parametrize("way", ["await", "sync", "psycopg"])
async def test_a_table_that_nobody_has_created(database_url: str, way: str) -> None:
    """The driver's error stays, and has a note with the next action."""
    if way == "psycopg" and not database_url.startswith("sqlite"):
        database_url = f"postgresql+psycopg://{database_url.partition('://')[2]}"
    database = Database(database_url)

    async def ask() -> None:
        if way == "sync":
            with database.sync_session():
                Closed.sync.all()
        else:
            async with database.session():
                await Closed.query().all()

    with pytest.raises(DBAPIError) as caught:
        await ask()
    (note,) = caught.value.__notes__
    assert "run `lineside db migrate`" in note
    assert "create_tables=True" in note
    await database.dispose()


@pytest.mark.parametrize("sql", ["SELECT nothing", "SELECT 'no such table: x' FROM"])
async def test_another_mistake_has_no_such_note(database_url: str, sql: Any) -> None:
    """Only the missing table has it."""
    database = Database(database_url)
    with pytest.raises(DBAPIError) as caught:
        await database.raw(sql)
    assert not hasattr(caught.value, "__notes__")
    await database.dispose()
