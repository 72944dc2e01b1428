"""What a driver of PostgreSQL says of a refused row stays without its values, whichever driver it is."""

import traceback
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import CheckConstraint
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import registry
from sqlmodel import Field

from lineside.models import Database, Model

pytestmark = [pytest.mark.anyio, pytest.mark.services]

PLANTED = "-".join(("planted", "8d1f"))  # as a whole in no line of a traceback


class Base(Model, registry=registry()):
    pass


class Safe(Base, table=True):
    __tablename__ = "threat_safe"
    __table_args__ = (CheckConstraint("size < 100", name="small"),)
    combination: str = Field(unique=True)
    size: int = 0


@pytest.fixture(params=["asyncpg", "psycopg"])
async def database(request: pytest.FixtureRequest, postgres_url: str) -> AsyncIterator[Database]:
    """Give a database by each of its drivers; the one without ``await`` is psycopg in both cases."""
    database = Database(postgres_url.replace("postgresql://", f"postgresql+{request.param}://"))
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with database.session():
        await Safe.create(combination=PLANTED)
    yield database
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
    await database.dispose()


@pytest.mark.parametrize(
    ("values", "constraint"),
    [({"combination": PLANTED}, "combination"), ({"combination": f"{PLANTED}-2", "size": 100}, "small")],
    ids=["unique", "check"],
)
@pytest.mark.parametrize("is_sync", [False, True], ids=["await", "sync"])
async def test_a_refused_row_is_not_repeated(
    database: Database, values: dict[str, object], constraint: str, is_sync: bool
) -> None:
    """The constraint is named, which is all that a log needs."""
    with pytest.raises(IntegrityError) as caught:
        await insert(database, values, is_sync=is_sync)
    written = "".join(traceback.format_exception(caught.value))
    assert constraint in written
    assert PLANTED not in written


async def insert(database: Database, values: dict[str, object], *, is_sync: bool) -> None:
    """Write a row, with ``await`` or without."""
    if is_sync:
        with database.sync_session():
            Safe.sync.create(None, **values)
    else:
        async with database.session():
            await Safe.create(None, **values)
