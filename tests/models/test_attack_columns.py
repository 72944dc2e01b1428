"""Columns with awkward names and awkward values."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import JsonValue
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from lineside.exceptions import ConfigurationError, RecordInvalid
from lineside.models import AnySession, Database, JSONField, Model, validates
from lineside.models.fastapi import SessionDep, install_database
from lineside.problems import install_error_handlers
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


class Sheet(Base, table=True):
    permit = ("data", "tags", "anything")

    data: dict[str, Any] = JSONField(default_factory=dict)
    tags: list[Any] = JSONField(default_factory=list)
    anything: JsonValue = JSONField(default_factory=list)


def nested(levels: int) -> dict[str, Any]:
    deep: dict[str, Any] = {}
    for _ in range(levels - 1):
        deep = {"a": deep}
    return deep


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


@pytest.mark.parametrize(
    "use",
    [
        lambda model: model.create(name="x"),
        lambda model: model(name="x").save(),
        lambda model: model.query().all(),
        lambda model: model.count(),
        lambda model: model.find(1),
        lambda model: model.insert_all([{"name": "x"}]),
        lambda model: model.find_or_create_by(name="x"),
    ],
)
async def test_a_model_that_is_no_table_says_how_to_make_it_one(database: Database, use: Any) -> None:
    class NoTable(Model):
        name: str

    async with database.session():
        with pytest.raises(ConfigurationError, match=r"class NoTable\(Model, table=True\)"):
            await use(NoTable)


def test_a_model_that_is_no_table_says_so_without_await() -> None:
    class NoTable(Model):
        name: str

    with Database("sqlite://").sync_session():
        with pytest.raises(ConfigurationError, match="table=True"):
            NoTable.sync.create(name="x")
        with pytest.raises(ConfigurationError, match="table=True"):
            NoTable.sync.count()


async def test_a_field_is_updated_by_its_alias(database: Database) -> None:
    async with database.session():
        file = await File.create(content=b"", fileLabel="old")
        await file.update(fileLabel="new")
        assert file.label == "new"
    assert await rows(database, "file", "label") == [("new",)]


@pytest.mark.parametrize("depth", [201, 500, 960, 5_000])
async def test_a_document_that_is_nested_too_deeply_is_invalid(database: Database, depth: int) -> None:
    async with database.session():
        for values in ({"data": nested(depth)}, {"tags": [nested(depth - 1)]}, {"anything": nested(depth)}):
            with pytest.raises(RecordInvalid, match=r"nested more than 200 levels deep|Recursion error"):
                await Sheet.create(**values)
        sheet = await Sheet.create(data=nested(200))
        sheet.data["a"] = nested(depth)
        assert not await sheet.valid()
        sheet.data = {"b": 1}
        await sheet.save()
        await sheet.reload()
        assert sheet.data == {"b": 1}


async def test_a_document_that_holds_itself_is_invalid(database: Database) -> None:
    circle: list[Any] = []
    circle += [circle, circle]
    async with database.session():
        with pytest.raises(RecordInvalid, match="deep"):
            await Sheet.create(tags=circle)
        sheet = await Sheet.create()
        sheet.data["self"] = circle
        assert not await sheet.valid()
        await sheet.reload()


@pytest.mark.parametrize(
    "value",
    [datetime(2026, 1, 1, tzinfo=UTC), Decimal(1), b"", {1}, object()],
    ids=lambda v: type(v).__name__,
)
async def test_a_document_holds_what_json_holds(database: Database, value: Any) -> None:
    async with database.session():
        with pytest.raises(RecordInvalid, match="Data: Input should hold what JSON can hold"):
            await Sheet.create(data={"in": [value]})
        sheet = await Sheet.create()
        sheet.data["in"] = value
        assert not await sheet.valid()
        await sheet.reload()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    database = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}")
    asyncio.run(database.create_all(Base.metadata))
    app = FastAPI()
    install_database(app, database)
    install_error_handlers(app)

    @app.post("/sheets")
    async def create(data: Sheet.In, session: SessionDep) -> Sheet.Out:
        return await Sheet.create(data)

    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("depth", [250, 500, 700, 900])
@pytest.mark.parametrize("name", ["data", "tags", "anything"])
def test_a_body_that_is_nested_too_deeply_is_answered_as_such(
    client: TestClient, name: str, depth: int
) -> None:
    document = '{"a":' * depth + "1" + "}" * depth
    body = f'{{"{name}": {f"[{document}]" if name == "tags" else document}}}'
    answer = client.post("/sheets", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"][0]["loc"][:2] == ["body", name]
