"""`Model` and its siblings: a record with a key and timestamps."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Field, SQLModel

from lineside.models._attribute._keys import ULID_TYPE, ulid, uuid7
from lineside.models._base._record import Record


def _timestamp() -> Any:
    # The server's default is for rows that other programs write, and for tables that exist already.
    return Field(default=None, nullable=False, sa_column_kwargs={"server_default": func.now()})


class Timestamps(SQLModel):
    """``created_at`` and ``updated_at``, aware and in UTC, set by every save (as Rails' timestamps)."""

    created_at: datetime = _timestamp()
    updated_at: datetime = _timestamp()


class Model(Timestamps, Record):
    """A record with an integer ``id``, ``created_at`` and ``updated_at``."""

    id: int = Field(default=None, primary_key=True)


class UUIDModel(Timestamps, Record):
    """A record with a UUIDv7 ``id``, made when the record is built: known before the INSERT.

    It tells when the record was made. PostgreSQL has a type for it, other databases keep 32 characters;
    both sort it in the order of creation.
    """

    id: UUID = Field(default_factory=uuid7, primary_key=True)


class ULIDModel(Timestamps, Record):
    """A record with a ULID ``id``, a string of 26 characters, made when the record is built.

    It says and sorts the same as the key of `UUIDModel`, and reads better in a URL.
    """

    id: str = Field(default_factory=ulid, primary_key=True, sa_type=ULID_TYPE)
