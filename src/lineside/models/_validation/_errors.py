"""What is wrong with a record: messages by field, and about the record as a whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal
from uuid import UUID
from weakref import ref

from lineside.models._lifecycle._state import instance_state
from lineside.models._secret_fields import looks_secret

BASE: Final = "base"
"""The key of errors that belong to no single field, as in Rails."""

_INFO_KEY: Final = "lineside_errors"
# What may be sent back as the input of an error. A list or an object may hold a secret inside, a
# related record would be sent with all its columns, and bytes may be no text.
_PLAIN: Final = (str, int, date, time, timedelta, UUID, Enum)


@dataclass(frozen=True, slots=True)
class Error:
    """One thing that is wrong.

    Attributes:
        field: The attribute, or `BASE` for the record as a whole.
        message: What is wrong, as it follows the name of the field: ``"can't be blank"``.
        type: A word for programs: pydantic's where pydantic found it, Rails' otherwise (``"blank"``).
        input: The value as it was.
        inside: Where in the value it is, for a value with parts: keys and indexes.
    """

    field: str
    message: str
    type: str = "invalid"
    input: Any = None
    inside: tuple[str | int, ...] = ()

    def full_message(self) -> str:
        """Return a sentence with the name of the field, as people say it."""
        if self.field == BASE:
            return self.message
        name = _humanized(self.field)
        # pydantic's messages are sentences of their own.
        return f"{name}: {self.message}" if self.message[:1].isupper() else f"{name} {self.message}"

    def details(self) -> dict[str, Any]:
        """Return it in the shape of FastAPI's 422; the input of a secret is never in it."""
        loc = ("body",) if self.field == BASE else ("body", self.field, *self.inside)
        is_shown = _is_plain(self.input) and not any(looks_secret(str(part)) for part in loc)
        return {
            "type": self.type,
            "loc": loc,
            "msg": self.message,
            "input": self.input if is_shown else None,
        }


class Errors:
    """The errors of one record, in the order in which they were found (as ``ActiveModel::Errors``).

    ``errors["title"]`` lists the messages of a field, ``bool(errors)`` tells whether there are any.

    Args:
        record: The record, of which errors show the value; kept by a weak reference.
    """

    __slots__ = ("_found", "_record")

    def __init__(self, record: object | None = None) -> None:
        self._record = (lambda: None) if record is None else ref(record)
        self._found: list[Error] = []

    def __getstate__(self) -> list[Error]:
        return self._found

    def __setstate__(self, found: list[Error]) -> None:
        self._record = lambda: None
        self._found = found

    def belong_to(self, record: object) -> None:
        """Say whose errors they are: a copy of a record has a copy of them."""
        self._record = ref(record)

    def add(self, field: str, message: str = "is invalid", *, type: str = "invalid") -> None:  # noqa: A002
        """Say what is wrong with a field.

        Args:
            field: The attribute, or ``"base"``.
            message: What is wrong, as it follows the name of the field.
            type: A word for programs.
        """
        # Past the descriptors: an attribute that is not loaded would be loaded now.
        value = getattr(self._record(), "__dict__", {}).get(field)
        self.append(Error(field, message, type, value))

    def add_to_base(self, message: str, *, type: str = "invalid") -> None:  # noqa: A002
        """Say what is wrong with the record as a whole.

        Args:
            message: A whole sentence.
            type: A word for programs.
        """
        self.append(Error(BASE, message, type))

    def append(self, error: Error) -> None:
        """Add an error that is made already."""
        self._found.append(error)

    def clear(self) -> None:
        """Forget them all; each validation begins with it."""
        self._found.clear()

    def on(self, field: str) -> tuple[Error, ...]:
        """Return the errors of a field, with their types."""
        return tuple(error for error in self._found if error.field == field)

    @property
    def messages(self) -> dict[str, list[str]]:
        """The messages by field; those about the whole record stand under ``"base"``."""
        messages: dict[str, list[str]] = {}
        for error in self._found:
            messages.setdefault(error.field, []).append(error.message)
        return messages

    def full_messages(self) -> list[str]:
        """Return a sentence for each error, with the name of its field."""
        return [error.full_message() for error in self._found]

    def details(self) -> list[dict[str, Any]]:
        """Return the errors in the shape of FastAPI's 422: ``type``, ``loc``, ``msg`` and ``input``.

        The input is the value only where it can be shown: neither that of a field that looks secret, nor
        a value with parts.
        """
        return [error.details() for error in self._found]

    def as_json(self) -> dict[str, list[str]]:
        """Return the messages by field (as Rails' ``as_json``)."""
        return self.messages

    def __getitem__(self, field: str) -> list[str]:
        return [error.message for error in self.on(field)]

    def __contains__(self, field: object) -> bool:
        return any(error.field == field for error in self._found)

    def __iter__(self) -> Iterator[Error]:
        return iter(tuple(self._found))

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return f"Errors({self.messages!r})"


def errors_of(record: object) -> Errors:
    """Return the errors of a record, always the same object."""
    info = instance_state(record).info
    errors: Errors | None = info.get(_INFO_KEY)
    if errors is None:
        errors = info[_INFO_KEY] = Errors()
    errors.belong_to(record)
    return errors


On = Literal["create", "update"]
"""What a validation is for."""


def _is_plain(value: Any) -> bool:
    """Tell whether a value may be sent back, and can be written as JSON."""
    if isinstance(value, float | Decimal):
        return Decimal(value).is_finite()
    if isinstance(value, str) and not value.isascii():
        return not any("\ud800" <= char <= "\udfff" for char in value)
    return isinstance(value, _PLAIN)


def _humanized(field: str) -> str:
    words = field.removesuffix("_id").replace("_", " ").strip()
    return (words or field).capitalize()
