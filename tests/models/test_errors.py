"""Errors: what is wrong with a record, for people, for programs and for a response."""

from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from lineside.exceptions import RecordInvalid, SupportsErrorDetails
from lineside.models._validation._errors import Error, Errors, errors_of


class Base(SQLModel, registry=registry()): ...


class User(Base, table=True):
    __tablename__ = "errors_user"

    id: int | None = Field(default=None, primary_key=True)
    name: str
    password_hash: str = ""


class Colour(Enum):
    RED = "red"


def filled() -> Errors:
    errors = Errors()
    errors.add("first_name", "can't be blank", type="blank")
    errors.add("first_name", "is too short")
    errors.add_to_base("Everything is wrong")
    return errors


def test_messages_stand_under_their_fields() -> None:
    """A field lists its own, a field without any has an empty list."""
    errors = filled()
    assert errors["first_name"] == ["can't be blank", "is too short"]
    assert errors["base"] == ["Everything is wrong"]
    assert errors["other"] == []
    assert (
        errors.messages
        == errors.as_json()
        == {
            "first_name": ["can't be blank", "is too short"],
            "base": ["Everything is wrong"],
        }
    )
    assert [error.type for error in errors.on("first_name")] == ["blank", "invalid"]
    assert repr(errors) == f"Errors({errors.messages!r})"


def test_it_is_true_when_there_is_an_error() -> None:
    """It counts, iterates and contains."""
    errors = filled()
    assert errors
    assert len(errors) == len(list(errors)) == 3
    assert "first_name" in errors
    assert "other" not in errors
    errors.clear()
    assert not errors
    assert len(errors) == 0


@pytest.mark.parametrize(
    ("field", "message", "sentence"),
    [
        ("first_name", "can't be blank", "First name can't be blank"),
        ("author_id", "must exist", "Author must exist"),
        ("age", "Input should be a valid integer", "Age: Input should be a valid integer"),
        ("base", "Everything is wrong", "Everything is wrong"),
        ("_id", "is odd", "_id is odd"),
    ],
)
def test_a_full_message_is_a_sentence(field: str, message: str, sentence: str) -> None:
    """The name of the field is written as people write it."""
    errors = Errors()
    errors.add(field, message)
    assert errors.full_messages() == [sentence]


def test_details_have_fastapis_shape() -> None:
    """As in a 422 of FastAPI: type, loc, msg and input."""
    errors = errors_of(User(name="x"))
    user = User(name="x")
    errors = errors_of(user)
    errors.add("name", "is too short", type="too_short")
    errors.add_to_base("Nothing fits", type="unfit")
    assert errors.details() == [
        {"type": "too_short", "loc": ("body", "name"), "msg": "is too short", "input": "x"},
        {"type": "unfit", "loc": ("body",), "msg": "Nothing fits", "input": None},
    ]
    _: SupportsErrorDetails = errors
    assert str(RecordInvalid("User", errors)) == "User is invalid: Name is too short; Nothing fits"


@pytest.mark.parametrize(
    "field", ["password", "password_hash", "api_key", "reset_token", "client_secret", "pwd", "digest"]
)
def test_the_input_of_a_secret_is_never_shown(field: str) -> None:
    """Neither where the field is one, nor where it lies inside a document."""
    hidden = Error(field, "is too short", input="hunter2"), Error("doc", "is bad", "x", "hunter2", (field, 0))
    for error in hidden:
        assert error.details()["input"] is None


@pytest.mark.parametrize(
    "value",
    [
        {"password": "hunter2"},
        ["hunter2"],
        b"\xff",
        float("nan"),
        float("inf"),
        "\ud800",
        User(name="x", password_hash="hunter2"),
        object(),
    ],
)
def test_an_input_that_cannot_be_shown_is_left_out(value: Any) -> None:
    """A document may hold a secret, a record has other columns, and not all can be written as JSON."""
    assert Error("thing", input=value, message="is bad").details()["input"] is None


@pytest.mark.parametrize("value", ["é", 1, 1.5, True, None, datetime(2026, 1, 1, tzinfo=UTC), Colour.RED])
def test_a_plain_input_is_shown(value: Any) -> None:
    """And the whole can be sent."""
    details = Error("thing", "is bad", input=value).details()
    assert details["input"] == value
    JSONResponse(jsonable_encoder(details))


def test_a_record_has_one_errors_object() -> None:
    """It lives as long as the record, and another record has another one."""
    one, two = User(name="x"), User(name="y")
    assert errors_of(one) is errors_of(one)
    assert errors_of(one) is not errors_of(two)


def test_errors_do_not_keep_their_record_alive() -> None:
    """They remain readable without it."""
    user = User(name="x")
    errors = errors_of(user)
    errors.add("name")
    del user
    errors.add("name", "is gone")
    assert [error.input for error in errors] == ["x", None]
