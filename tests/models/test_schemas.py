"""`Post.In`, `Post.Patch` and `Post.Out`: what they let through, what they say, and when they are made."""

from datetime import datetime
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ValidationError, field_validator, model_validator
from sqlalchemy import Column, String
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship, SQLModel

from lineside.exceptions import ConfigurationError
from lineside.models._base._model import Model
from lineside.models._base._record import Record
from lineside.models._validation._declarations import validates
from lineside.models._validation._normalizes import normalizes

SHARED = registry()


class Base(Model, registry=SHARED):
    """Keeps these tables apart from those of other tests."""


class Plain(SQLModel, registry=SHARED):
    """Tables of SQLModel beside them."""


@normalizes("email", with_=lambda value: value.strip().lower())
@validates("name", presence=True, length=(2, 10))
@validates("level", numericality={"greater_than": 0, "less_than_or_equal_to": 9}, allow_none=True)
@validates("color", inclusion=["red", "green"])
@validates("code", format="^[a-z]+$", if_="email")
class Person(Base, table=True):
    permit = ("name", "email", "level", "color", "code", "nick", "share", "seen_at", "titled")

    name: str
    email: str = ""
    level: int | None = None
    color: str = "red"
    code: str = ""
    nick: str = Field(default="", sa_column=Column(String(5), nullable=False))
    share: float = 0.0
    seen_at: datetime | None = None
    titled: str = ""
    password_digest: str = ""
    api_token: str = ""
    notes: str = Field(default="", exclude=True)
    pets: list["Pet"] = Relationship(back_populates="owner")

    @property
    def greeting(self) -> str:
        return f"Hello {self.name}"

    @field_validator("titled", mode="before")
    @classmethod
    def words(cls, value: Any) -> Any:
        return " ".join(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def whole(self) -> "Person":
        return self


class Pet(Base, table=True):
    expose = ("id", "name", "owner")
    name: str = ""
    owner_id: int = Field(foreign_key="person.id")
    owner: Person = Relationship(back_populates="pets")


class Legacy(Record, registry=registry()):
    """Tables that exist already."""


def schema_of(model: type[BaseModel], field: str) -> dict[str, Any]:
    found: dict[str, Any] = model.model_json_schema()["properties"][field]
    return found


def refused(schema: type[BaseModel], **values: Any) -> list[tuple[str, Any]]:
    with pytest.raises(ValidationError) as caught:
        schema(**values)
    return [(error["type"], error["loc"][0]) for error in caught.value.errors()]


def test_input_has_what_is_permitted_and_nothing_else() -> None:
    """Another name is an error on that name, also that of a column."""
    assert set(Person.In.model_fields) == set(Person.permit)
    assert Person.In(name="Ada").model_dump(exclude_unset=True) == {"name": "Ada"}
    for name in ("id", "password_digest", "pets", "made_up"):
        assert refused(Person.In, name="Ada", **{name: 1}) == [("extra_forbidden", name)]


def test_a_class_that_permits_nothing_has_no_input() -> None:
    """The error types the line to add."""
    for schema in ("In", "Patch"):
        with pytest.raises(
            ConfigurationError, match=r'Pet\.In: .* in the class: permit = \("title", \.\.\.\)'
        ):
            getattr(Pet, schema)


def test_what_is_permitted_must_exist() -> None:
    """A relationship is no column that a client could set."""

    class Misspelt(Base, table=True):
        permit = ("titel", "owner")
        title: str = ""

    with pytest.raises(ConfigurationError, match=r"permit names \['owner', 'titel'\].*'title'"):
        _ = Misspelt.In


def test_a_text_is_no_list_of_names() -> None:
    """Its letters would be the names."""

    class Texted(Base, table=True):
        permit = "title"
        expose = "title"
        title: str = ""

    for schema, option in (("In", "permit"), ("Out", "expose")):
        with pytest.raises(
            ConfigurationError, match=rf'Texted: {option} is text; write {option} = \("title",\)'
        ):
            getattr(Texted, schema)


def test_a_class_without_a_table_has_no_schemas() -> None:
    """The error says what its class line lacks."""
    for schema in ("In", "Patch", "Out"):
        with pytest.raises(ConfigurationError, match="Base is no table; add table=True"):
            getattr(Base, schema)


def test_schemas_are_derived_once() -> None:
    """FastAPI names them in OpenAPI: two of one name would be told apart by longer names."""
    assert Person.In is Person.In
    assert Person.Patch is Person.Patch
    assert Person.Out is Person.Out
    assert [Person.In.__name__, Person.Patch.__name__, Person.Out.__name__] == [
        "PersonIn",
        "PersonPatch",
        "PersonOut",
    ]


def test_tables_of_one_base_have_schemas_of_their_own() -> None:
    """What the base permits is inherited, and what it derives is not."""

    class Animal(Base):
        permit: ClassVar[tuple[str, ...]] = ("name",)
        name: str = ""

    class Cat(Animal, table=True):
        lives: int = 9

    class Dog(Animal, table=True):
        permit = ("name", "breed")
        breed: str = ""

    assert set(Cat.In.model_fields) == {"name"}
    assert set(Dog.In.model_fields) == {"name", "breed"}
    assert {"lives"} == set(Cat.Out.model_fields) - set(Dog.Out.model_fields)


def test_a_column_without_a_field_length_still_bounds_the_text() -> None:
    """The database would refuse it, or SQLite keep what no other database keeps."""
    assert schema_of(Person.In, "nick")["maxLength"] == 5
    assert refused(Person.In, name="Ada", nick="x" * 6) == [("string_too_long", "nick")]


def test_a_number_that_is_no_json_is_refused() -> None:
    """Infinity and NaN, also as texts."""
    for value in ("Infinity", "NaN", float("inf")):
        assert refused(Person.In, name="Ada", share=value) == [("finite_number", "share")]
        assert refused(Person.Patch, share=value) == [("finite_number", "share")]


def test_a_time_without_a_zone_is_refused() -> None:
    """Its column keeps times in UTC."""
    assert refused(Person.In, name="Ada", seen_at="2026-01-01T00:00:00") == [("timezone_aware", "seen_at")]


def test_declared_validations_are_told_to_clients() -> None:
    """In the words of JSON Schema; saving is what checks them, with the words of the model."""
    assert schema_of(Person.In, "name") | {"title": ""} == {
        "type": "string",
        "minLength": 2,
        "maxLength": 10,
        "title": "",
    }
    level = schema_of(Person.In, "level")
    assert (level["exclusiveMinimum"], level["maximum"]) == (0, 9)
    assert schema_of(Person.In, "color")["enum"] == ["red", "green"]
    assert schema_of(Person.Patch, "name")["minLength"] == 2
    assert Person.In(name="A").name == "A"


def test_a_validation_with_a_condition_is_not_told() -> None:
    """It may not hold for this value."""
    assert "pattern" not in schema_of(Person.In, "code")


def test_values_come_in_their_normal_form() -> None:
    """So that an ability decides about what is going to be written."""
    assert Person.In(name="Ada", email=" Ada@Example.COM ").email == "ada@example.com"
    assert Person.Patch(email=" Ada@Example.COM ").email == "ada@example.com"


def test_field_validators_of_the_model_hold() -> None:
    """One that looks at the whole is left to saving, which has the whole."""
    assert Person.In(name="Ada", titled=["Countess", "of", "Lovelace"]).titled == "Countess of Lovelace"
    assert Person.Patch(titled=["Dr"]).titled == "Dr"


def test_a_patch_requires_nothing_and_takes_null_only_where_null_is_a_value() -> None:
    """Its schema promises no default: what is left out stays as it is."""
    assert Person.Patch().model_dump(exclude_unset=True) == {}
    assert Person.Patch(level=None).model_dump(exclude_unset=True) == {"level": None}
    assert refused(Person.Patch, name=None) == [("string_type", "name")]
    assert refused(Person.Patch, id=1) == [("extra_forbidden", "id")]
    schema = Person.Patch.model_json_schema()
    assert "required" not in schema
    assert all("default" not in field for field in schema["properties"].values())


def test_output_has_all_but_secrets_and_relationships() -> None:
    """And nothing that the model itself excludes."""
    shown = set(Person.Out.model_fields)
    assert shown == set(Person.model_fields) - {"password_digest", "api_token", "notes"}


def test_relationships_and_properties_are_shown_when_they_are_named() -> None:
    """A related record as its own output: its secrets stay inside."""
    person = Person(id=1, name="Ada", api_token="planted", created_at=None, updated_at=None)
    pet = Pet(id=2, name="Rex", owner_id=1, owner=person)
    assert set(Pet.Out.model_fields) == {"id", "name", "owner"}
    assert Pet.Out.model_fields["owner"].annotation is Person.Out
    with pytest.raises(ValidationError) as caught:
        Pet.Out.model_validate(pet)
    assert {error["loc"] for error in caught.value.errors()} == {
        ("owner", "created_at"),
        ("owner", "updated_at"),
    }

    class Greeter(Base, table=True):
        expose = ("greeting",)
        name: str = ""

        @property
        def greeting(self) -> str:
            return f"Hello {self.name}"

    assert Greeter.Out.model_validate(Greeter(name="Ada")).model_dump() == {"greeting": "Hello Ada"}
    assert schema_of(Greeter.Out, "greeting")["type"] == "string"


def test_a_collection_is_shown_as_a_list_and_a_plain_class_without_its_secrets() -> None:
    """A class of SQLModel has no `Out`; the same is derived for it."""

    class Shelf(Base, table=True):
        expose = ("books", "label")
        books: list["Book"] = Relationship(back_populates="shelf")
        label_id: int | None = Field(default=None, foreign_key="plate.id")
        label: "Plate" = Relationship()

    class Plate(Plain, table=True):
        id: int | None = Field(default=None, primary_key=True)
        text: str = ""
        secret_text: str = ""

    class Book(Base, table=True):
        expose = ("title",)
        title: str = ""
        shelf_id: int | None = Field(default=None, foreign_key="shelf.id")
        shelf: Shelf = Relationship(back_populates="books")

    shelf = Shelf(
        books=[Book(title="A"), Book(title="B")], label=Plate(id=1, text="x", secret_text="planted")
    )
    assert Shelf.Out.model_validate(shelf).model_dump() == {
        "books": [{"title": "A"}, {"title": "B"}],
        "label": {"id": 1, "text": "x"},
    }
    assert Shelf.Out.model_validate(Shelf(books=[])).model_dump() == {"books": [], "label": None}


def test_records_that_expose_each_other_are_an_error() -> None:
    """An answer without end; the error says which way round it goes."""

    class Left(Base, table=True):
        expose = ("right",)
        right_id: int | None = Field(default=None, foreign_key="right.id")
        right: "Right" = Relationship(back_populates="left")

    class Right(Base, table=True):
        expose = ("left",)
        left: list[Left] = Relationship(back_populates="right")

    with pytest.raises(
        ConfigurationError, match="Left -> Right -> Left: these expose each other without end"
    ):
        _ = Left.Out
    with pytest.raises(ConfigurationError, match="Right -> Left -> Right"):
        _ = Right.Out


def test_what_is_exposed_must_exist() -> None:
    """With the names that do."""

    class Shy(Base, table=True):
        expose = ("titel",)
        title: str = ""

    with pytest.raises(ConfigurationError, match=r"expose names \['titel'\].*'title'"):
        _ = Shy.Out


def test_a_record_without_timestamps_has_schemas_too() -> None:
    """For tables that exist already, with a key of another kind."""

    class Country(Legacy, table=True):
        permit = ("code", "name")
        code: str = Field(primary_key=True, max_length=2)
        name: str = ""

    assert Country.In(code="NO").model_dump() == {"code": "NO", "name": ""}
    assert refused(Country.In, code="NOR") == [("string_too_long", "code")]
    assert Country.Out.model_validate(Country(code="NO", name="Norway")).model_dump() == {
        "code": "NO",
        "name": "Norway",
    }
