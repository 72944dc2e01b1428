"""GOR-ORM-21 to 23: transactions and raw SQL; what is committed is read by another program."""

from pathlib import Path

import pytest
from pydantic import BaseModel
from sqlalchemy.orm import registry
from sqlmodel import Field

from lineside.models import Database, Model, PreparedStatementInvalid, transaction
from tests.models.reading import read

pytestmark = pytest.mark.anyio

HOSTILE = ("' OR '1'='1", "'; DROP TABLE account; --", ":name", "%s", "$1", "?", "\\", '"')


class Base(Model, registry=registry()):
    pass


class Account(Base, table=True):
    name: str = Field(unique=True)
    balance: int = 0


class NameAndBalance(BaseModel):
    """The type of a row that no model has."""

    name: str
    balance: int


class NotEnoughError(Exception):
    """What an app raises."""


async def balances(database: Database) -> dict[str, int]:
    """Read what is committed."""
    return dict(await read(database, "SELECT name, balance FROM account"))


async def move(database: Database, amount: int) -> None:
    """Move money, and notice too late that there is not enough."""
    async with database.transaction():
        ada, bob = await Account.find_or_raise(name="Ada"), await Account.find_or_raise(name="Bob")
        await bob.update(balance=bob.balance + amount)
        await ada.update(balance=ada.balance - amount)
        if ada.balance < 0:
            raise NotEnoughError


@pytest.fixture
async def _accounts(database: Database) -> None:
    async with database.transaction():
        await Account.create(name="Ada", balance=10)
        await Account.create(name="Bob")


@pytest.mark.usefixtures("_accounts")
class TestTransaction:
    async def test_gor_orm_21_a_block_that_ends_well_is_committed(self, database: Database) -> None:
        """Both rows, together."""
        await move(database, 4)
        assert await balances(database) == {"Ada": 6, "Bob": 4}

    async def test_gor_orm_21_an_error_rolls_back_and_is_the_callers(self, database: Database) -> None:
        """The very error, and neither row has changed."""
        with pytest.raises(NotEnoughError):
            await move(database, 11)
        assert await balances(database) == {"Ada": 10, "Bob": 0}

    async def test_gor_orm_21_also_one_that_is_no_exception_of_an_app(self, database: Database) -> None:
        """Gor rolls back on a panic and panics on: so does a request to stop."""
        with pytest.raises(KeyboardInterrupt):
            await self.interrupted(database)
        assert await balances(database) == {"Ada": 10, "Bob": 0}

    @staticmethod
    async def interrupted(database: Database) -> None:
        """Write, and be stopped."""
        async with database.transaction():
            await Account.create(name="Cyd")
            raise KeyboardInterrupt

    async def test_gor_orm_21_inside_records_queries_and_raw_sql_are_one(self, database: Database) -> None:
        """Create, update, delete, query and raw SQL see each other, and nobody else sees them."""
        async with database.transaction():
            cyd = await Account.create(name="Cyd", balance=1)
            assert await database.exec("UPDATE account SET balance = 2 WHERE id = :id", id=cyd.id) == 1
            await cyd.reload()
            assert cyd.balance == 2
            await (await Account.find_or_raise(name="Bob")).destroy()
            assert await Account.order("name").pluck("name") == ["Ada", "Cyd"]
            (row,) = await database.raw("SELECT count(*) AS total FROM account")
            assert row.total == 2
            assert await balances(database) == {"Ada": 10, "Bob": 0}
        assert await balances(database) == {"Ada": 10, "Cyd": 2}

    async def test_gor_orm_21_a_level_inside_is_undone_alone(self, database: Database) -> None:
        """What Gor has not: transactions nest."""
        async with database.transaction():
            await Account.create(name="Cyd")
            with pytest.raises(NotEnoughError):
                await self.refused()
        assert sorted(await balances(database)) == ["Ada", "Bob", "Cyd"]

    @staticmethod
    async def refused() -> None:
        """Write in a level that fails."""
        async with transaction():
            await Account.create(name="Dan")
            raise NotEnoughError

    async def test_gor_orm_21_without_await(self, database: Database) -> None:
        """The same on a sync session."""
        with database.transaction():
            Account.sync.create(name="Cyd")
        with pytest.raises(NotEnoughError):
            self.refused_sync(database)
        assert sorted(await balances(database)) == ["Ada", "Bob", "Cyd"]

    @staticmethod
    def refused_sync(database: Database) -> None:
        """Write in a transaction that fails."""
        with database.transaction():
            Account.sync.create(name="Dan")
            raise NotEnoughError


@pytest.mark.usefixtures("_accounts")
class TestRaw:
    async def test_gor_orm_22_raw_rows_go_into_any_type(self, database: Database) -> None:
        """By the names of the columns."""
        rows = await database.raw(
            "SELECT name, balance FROM account WHERE balance >= :least ORDER BY name", least=0
        )
        found = [NameAndBalance.model_validate(row, from_attributes=True) for row in rows]
        assert found == [NameAndBalance(name="Ada", balance=10), NameAndBalance(name="Bob", balance=0)]

    @pytest.mark.parametrize("value", HOSTILE)
    async def test_gor_orm_22_values_stay_values(self, database: Database, value: str) -> None:
        """Whatever they say."""
        assert await database.raw("SELECT id FROM account WHERE name = :name", name=value) == []
        await database.exec(
            "INSERT INTO account (name, balance) VALUES (:name, 5)",
            name=value,
        )
        (row,) = await database.raw("SELECT name FROM account WHERE balance = 5")
        assert row.name == value
        assert len(await balances(database)) == 3

    async def test_gor_orm_22_a_value_that_is_missing_is_an_error(self, database: Database) -> None:
        """Nothing is sent."""
        with pytest.raises(PreparedStatementInvalid, match="no value for :name"):
            await database.raw("SELECT id FROM account WHERE name = :name")

    async def test_gor_orm_23_exec_says_how_many_rows(self, database: Database) -> None:
        """And commits, where no session is around it."""
        assert await database.exec("UPDATE account SET balance = balance + :more", more=1) == 2
        assert await database.exec("DELETE FROM account WHERE name = :name", name="nobody") == 0
        assert await balances(database) == {"Ada": 11, "Bob": 1}


async def test_gorx_orm_25_sqlite_and_postgresql_by_url(tmp_path: Path, postgres_url: str) -> None:
    """The same class and the same code; an unknown scheme is an error and no SQLite file."""
    for url in (f"sqlite:///{tmp_path / 'a.sqlite3'}", postgres_url):
        database = Database(url)
        async with database.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with database.session():
            await Account.create(name="Ada", balance=1)
        assert await balances(database) == {"Ada": 1}
        async with database.engine.begin() as connection:
            await connection.run_sync(Base.metadata.drop_all)
        await database.dispose()
