"""run_transaction(): work that collides runs again, and each of its tries is whole or nothing."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from lineside.models import Database
from lineside.models._connection._drivers import IsolationLevel
from lineside.models._exceptions import SerializationFailure

pytestmark = pytest.mark.anyio


# SQLite has one writer at a time: nothing of this can happen there.
on_postgres = pytest.mark.parametrize(
    "database", [pytest.param("postgresql", marks=pytest.mark.services)], indirect=True
)


class Base(SQLModel, registry=registry()):
    """The tables of this module."""


class Account(Base, table=True):
    __tablename__ = "retries_account"

    id: int = Field(primary_key=True)
    balance: int


async def fill(database: Database, *balances: int) -> None:
    """Open accounts 1, 2, 3."""
    async with database.session() as session:
        session.add_all([Account(id=number, balance=sum_) for number, sum_ in enumerate(balances, start=1)])


async def balances(database: Database) -> list[int]:
    """Read them through another session."""
    async with database.session(role="reading") as session:
        return list((await session.exec(select(Account.balance).order_by(Account.id))).all())


class Colliding:
    """Work that fails with what the database says of a collision, a number of times."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.tries = 0

    def count(self) -> None:
        """Fail, or not any more."""
        self.tries += 1
        if self.tries <= self.times:
            raise SerializationFailure("collided")

    async def __call__(self, session: AsyncSession) -> int:
        """Write first, so that what is left of a failed try would be seen."""
        session.add(Account(id=self.tries + 1, balance=self.tries))
        await session.flush()
        self.count()
        return self.tries

    def without_await(self, session: Session) -> int:
        """Do the same in a sync session."""
        session.add(Account(id=self.tries + 1, balance=self.tries))
        session.flush()
        self.count()
        return self.tries


async def test_it_returns_what_the_work_returns(database: Database) -> None:
    """And has committed."""
    assert await database.run_transaction(Colliding(0)) == 1
    assert await balances(database) == [0]


async def test_it_runs_again(database: Database) -> None:
    """Nothing of the failed tries is left."""
    assert await database.run_transaction(Colliding(3)) == 4
    assert await balances(database) == [3]


async def test_it_gives_up(database: Database) -> None:
    """After the first try and its retries."""
    work = Colliding(9)
    with pytest.raises(SerializationFailure):
        await database.run_transaction(work, retries=2)
    assert work.tries == 3
    assert await balances(database) == []


async def test_any_other_error_ends_it(database: Database) -> None:
    """It would fail in the same way again."""
    tries: list[int] = []

    async def wrong(session: AsyncSession) -> None:
        tries.append(1)
        await (await session.connection()).execute(text("SELECT nonsense"))

    with pytest.raises(DBAPIError):
        await database.run_transaction(wrong)
    assert tries == [1]


async def test_without_await(database: Database) -> None:
    """The same rule."""
    assert database.run_sync_transaction(Colliding(2).without_await) == 3
    with pytest.raises(SerializationFailure):
        database.run_sync_transaction(Colliding(9).without_await, retries=1)
    assert await balances(database) == [2]


@pytest.mark.parametrize("isolation_level", ["SERIALIZABLE", "REPEATABLE READ"])
async def test_counting_up_loses_nothing(database: Database, isolation_level: IsolationLevel) -> None:
    """Ten at a time read and write the same row; with retries all of them succeed."""
    await fill(database, 0)

    async def count_up(session: AsyncSession) -> None:
        account = (await session.exec(select(Account))).one()
        await asyncio.sleep(0)
        account.balance += 1

    await asyncio.gather(
        *(database.run_transaction(count_up, retries=50, isolation_level=isolation_level) for _ in range(10))
    )
    assert await balances(database) == [10]


@on_postgres
async def test_serialization_failure_has_its_name(database: Database) -> None:
    """Two transactions that each read what the other writes cannot both have been first."""
    await fill(database, 1, 1)
    async with database.session(isolation_level="SERIALIZABLE") as one:
        accounts = (await one.exec(select(Account).order_by(Account.id))).all()
        async with database.session(isolation_level="SERIALIZABLE") as two:
            (await two.exec(select(Account).order_by(Account.id))).all()[1].balance = 0
        accounts[0].balance = 0
        with pytest.raises(SerializationFailure, match="run_transaction"):
            await one.flush()
        await one.rollback()
    assert await balances(database) == [1, 0]


@on_postgres
async def test_a_deadlock_is_one(database: Database) -> None:
    """Each waits for the row of the other: the server ends one of them, which runs again."""
    await fill(database, 0, 0)
    both = asyncio.Barrier(2)
    tries = 0

    def locking(first: int, second: int) -> object:
        async def work(session: AsyncSession) -> None:
            nonlocal tries
            tries += 1
            is_first_try = tries <= 2
            await _add_one(session, first)
            if is_first_try:
                await both.wait()
            await _add_one(session, second)

        return work

    await asyncio.gather(
        database.run_transaction(locking(1, 2)),  # type: ignore[arg-type]
        database.run_transaction(locking(2, 1)),  # type: ignore[arg-type]
    )
    assert tries == 3
    assert await balances(database) == [2, 2]


async def _add_one(session: AsyncSession, account: int) -> None:
    connection = await session.connection()
    await connection.execute(
        text("UPDATE retries_account SET balance = balance + 1 WHERE id = :id"), {"id": account}
    )


@on_postgres
async def test_the_level_is_that_of_the_session(database: Database) -> None:
    """And not of the connection that the pool hands on."""
    level = text("SHOW transaction_isolation")
    async with database.session(isolation_level="SERIALIZABLE") as session:
        assert await session.scalar(level) == "serializable"
    async with database.session() as session:
        assert await session.scalar(level) == "read committed"
    async with database.session(isolation_level="REPEATABLE READ", role="reading") as session:
        assert await session.scalar(level) == "repeatable read"
