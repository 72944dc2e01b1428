"""`Model`: a record with a key and timestamps."""

from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import Field, SQLModel

from lineside.models._record import Record


def _timestamp() -> Any:
    # The server's default is for rows that other programs write, and for tables that exist already.
    return Field(default=None, nullable=False, sa_column_kwargs={"server_default": func.now()})


class Timestamps(SQLModel):
    """``created_at`` and ``updated_at``, aware and in UTC, set by every save (GOR-ORM-01, Rails' timestamps)."""

    created_at: datetime = _timestamp()
    updated_at: datetime = _timestamp()


class Model(Timestamps, Record):
    """A record with an integer ``id``, ``created_at`` and ``updated_at``."""

    id: int = Field(default=None, primary_key=True)
