"""Enum columns that every database keeps alike."""

from enum import Enum as PythonEnum
from typing import Any, Final

from sqlalchemy import Enum
from sqlmodel import Field

_ROOM: Final = 64


def EnumField(members: type[PythonEnum], **options: Any) -> Any:  # noqa: N802 - a field as `sqlmodel.Field` is one
    """Declare a column for an enum: the text of its values.

        status: Status = EnumField(Status, default=Status.DRAFT)

    SQLModel by itself keeps the *names* of the members, in PostgreSQL in a type of its own, which only a
    migration can add a member to; tables that have it stay as they are. This keeps the *values*, as text:
    what other programs and the API see, and a new member needs no migration.

    Args:
        members: The enum; ``StrEnum`` reads best.
        options: Anything that `sqlmodel.Field` takes, ``default`` for instance.
    """
    longest = max(len(value) for value in _values(members))
    column_type = Enum(members, native_enum=False, values_callable=_values, length=max(_ROOM, longest))
    return Field(**options, sa_type=column_type)


def _values(members: Any) -> list[str]:
    return [str(member.value) for member in members]
