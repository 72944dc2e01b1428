"""What a developer is told at the border: in a shell, in a mock, at a route and at a decorator."""

import inspect
import pydoc
from typing import Any
from unittest import mock

import pytest
from fastapi import FastAPI
from sqlalchemy.orm import registry

from lineside.exceptions import ConfigurationError
from lineside.models import Model, Query, Record, default_scope
from lineside.models.fastapi import install_database
from lineside.testing import TestApp


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
