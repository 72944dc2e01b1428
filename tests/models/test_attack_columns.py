"""Columns with awkward names and awkward values."""

from typing import Any, ClassVar, Self

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from lineside.exceptions import ConfigurationError, RecordInvalid
from lineside.models import AnySession, Database, Model, validates
from tests.models.ways import rows

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


class Plain(SQLModel):
    """Fields that an app had before; FastAPI's template shares them between tables and schemas."""

    first: str
    last: str = "Nobody"


@validates("order", length=(1, 3))
class Person(Plain, Base, table=True):
    permit = ("first", "count", "save")

    count: int
    errors: int = Field(ge=1)
    order: str
    query: str = "?"
    save: str = ""
    build: str = ""
    update: str = ""
    changes: str = ""
    is_new_record: bool = False
    assign_attributes: str = ""


class File(Base, table=True):
    content: bytes
    label: str = Field(default="", alias="fileLabel")


class Note(Base, table=True):
    saved: ClassVar[list[str]] = []

    title: str

    async def save(self, *, validate: bool = True, session: AnySession | None = None) -> Self:
        self.saved.append(self.title)
        return await super().save(validate=validate, session=session)


@pytest.fixture(autouse=True)
def nothing_saved() -> None:
    Note.saved.clear()


NAMED: dict[str, Any] = {"first": "Ada", "count": 3, "errors": 1, "order": "a"}


def test_a_column_with_the_name_of_a_method_has_no_default_of_it() -> None:
    fields = Person.model_fields
    assert [fields[name].is_required() for name in ("first", "count", "errors", "order")] == [True] * 4
    assert [Person.__table__.c[name].default for name in ("first", "count", "errors")] == [None] * 3
    assert Person(**{**NAMED, "first": "Grace"}).last == "Nobody"


@pytest.mark.parametrize("name", ["increment", "toggle", "attribute_changed", "find", "where", "dup", "load"])
def test_any_method_may_be_hidden_by_a_column(name: str) -> None:
    base = type(Model)("Named", (Model,), {"__module__": __name__}, registry=registry())
    made = type(Model)(
        f"With{name}", (base,), {"__module__": __name__, "__annotations__": {name: str}}, table=True
    )
    assert getattr(made(**{name: "x"}), name) == "x"


@pytest.mark.parametrize("name", ["In", "Out", "Patch", "expose", "metadata", "permit", "sync"])
def test_a_column_cannot_have_a_name_that_every_model_needs(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}: no column can have this name"):
        type(Model)("Wrong", (Base,), {"__module__": __name__, "__annotations__": {name: str}}, table=True)


def test_what_a_class_says_of_itself_may_be_annotated() -> None:
    class Annotated(Model):
        permit: ClassVar[tuple[str, ...]] = ("title",)
        expose: "ClassVar[tuple[str, ...]]" = ("title",)

        title: str

    assert "permit" not in Annotated.model_fields


async def test_records_whose_columns_hide_methods_are_written_in_every_way(database: Database) -> None:
    async with database.session():
        ada = await Person.create(**NAMED)
        with pytest.raises(RecordInvalid, match="Order"):
            await Person.create(**{**NAMED, "order": "long"})
        await Person.insert_all([{**NAMED, "first": "Grace"}])
        await Person.find_or_create_by(**{**NAMED, "first": "Edsger"})
        ada.count = 4
        await Model.save(ada, validate=False)
        await ada.toggle("is_new_record")
    with database.sync_session():
        Person.sync.create(**{**NAMED, "first": "Kay"}).sync.update(count=5)
    assert await rows(database, "person", "first", "count") == [
        ("Ada", 4),
        ("Edsger", 3),
        ("Grace", 3),
        ("Kay", 5),
    ]


async def test_records_whose_columns_hide_methods_are_found_by_them(database: Database) -> None:
    async with database.session():
        await Person.create(**NAMED)
        found = await Person.where(first="Ada", count=3).order("first", "-errors").all()
        assert [person.count for person in found] == [3]


def test_schemas_of_columns_that_hide_methods_are_like_any_other() -> None:
    app = FastAPI()

    @app.post("/people")
    async def create(data: Person.In) -> Person.Out:
        return Person(**{**NAMED, **data.model_dump()}, id=1)

    with TestClient(app) as client:
        schemas = client.get("/openapi.json").json()["components"]["schemas"]
        assert set(schemas["PersonIn"]["required"]) == {"first", "count"}
        assert "default" not in schemas["PersonIn"]["properties"]["first"]


async def test_a_save_of_ones_own_is_what_create_and_update_call(database: Database) -> None:
    async with database.session():
        note = await Note.create(title="a")
        await note.update(title="b")
    assert Note.saved == ["a", "b"]


async def test_a_field_is_updated_by_its_alias(database: Database) -> None:
    async with database.session():
        file = await File.create(content=b"", fileLabel="old")
        await file.update(fileLabel="new")
        assert file.label == "new"
    assert await rows(database, "file", "label") == [("new",)]
