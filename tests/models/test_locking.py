"""Optimistic locking by ``lock_version``, and locks that others wait for."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.orm import registry
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from lineside.exceptions import LinesideError, RecordNotFound
from lineside.models import Database
from lineside.models._base._model import Model
from lineside.models._exceptions import StaleObjectError

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


class Account(Base, table=True):
    name: str = ""
    balance: int = 0
    lock_version: int = 0


class Note(Base, table=True):
    text: str = ""


@pytest.fixture
async def account(database: Database) -> Account:
    """Give an account that is in the database, loaded by nobody."""
    async with database.session():
        return await Account.create(name="Ada", balance=100)


async def row_of(database: Database, key: int) -> tuple[int, int]:
    """Read a row through a connection of its own."""
    async with database.engine.connect() as connection:
        statement = text("select balance, lock_version from account where id = :id")
        row = (await connection.execute(statement, {"id": key})).one()
        return row.balance, row.lock_version


async def load(session: AsyncSession, key: int) -> Account:
    return (await session.exec(select(Account).where(Account.id == key))).one()


async def test_counts_the_saves_from_zero(database: Database) -> None:
    async with database.session():
        account = await Account.create(balance=1)
        assert account.lock_version == 0
        await account.update(balance=2)
        assert account.lock_version == 1
        await account.save()
        assert account.lock_version == 1
    assert await row_of(database, account.id) == (2, 1)


async def test_a_stale_save_is_refused_and_changes_nothing(database: Database, account: Account) -> None:
    async with database.session() as session:
        mine = await load(session, account.id)
    async with database.session() as session:
        await (await load(session, account.id)).update(balance=50)
    with pytest.raises(StaleObjectError) as caught:
        async with database.session():
            await mine.update(balance=70)
    assert (caught.value.model, caught.value.key, caught.value.status_hint) == ("Account", account.id, 409)
    assert isinstance(caught.value.__cause__, StaleDataError)
    assert await row_of(database, account.id) == (50, 1)


async def test_a_plain_commit_is_refused_alike(database: Database, account: Account) -> None:
    key = account.id
    async with database.session() as session:
        await (await load(session, key)).update(balance=50)
    async with AsyncSession(database.engine, expire_on_commit=False) as session:
        session.add(account)
        account.balance = 70
        with pytest.raises(StaleObjectError):
            await session.commit()
    assert await row_of(database, key) == (50, 1)


async def test_a_stale_destroy_is_refused(database: Database, account: Account) -> None:
    async with database.session() as session:
        mine = await load(session, account.id)
    async with database.session() as session:
        await (await load(session, account.id)).update(balance=50)
    with pytest.raises(StaleObjectError):
        async with database.session():
            await mine.destroy()
    assert not mine.is_destroyed
    assert await row_of(database, account.id) == (50, 1)


async def test_a_row_that_is_gone_is_stale_too_without_a_version(database: Database) -> None:
    async with database.session():
        note = await Note.create(text="a")
    async with database.engine.begin() as connection:
        await connection.execute(text("delete from note"))
    with pytest.raises(StaleObjectError, match=f"Note {note.id} was changed by somebody else"):
        async with database.session():
            await note.update(text="b")


async def test_several_stale_records_are_all_named(database: Database) -> None:
    async with database.session() as session:
        first, second = await Account.create(), await Account.create()
        keys = {first.id, second.id}
    async with database.engine.begin() as connection:
        await connection.execute(text("update account set lock_version = 7"))
    async with database.session() as session:
        session.add_all([first, second])
        first.balance = second.balance = 1
        with pytest.raises(StaleObjectError) as caught:
            await session.flush()
        await session.rollback()
    assert isinstance(caught.value.key, list)
    assert set(caught.value.key) == keys


async def test_the_version_of_a_form_is_compared(database: Database, account: Account) -> None:
    async with database.session() as session:
        await (await load(session, account.id)).update(balance=50)
    async with database.session() as session:
        fresh = await load(session, account.id)
        with pytest.raises(StaleObjectError):
            await fresh.update(balance=70, lock_version=0)
        await session.rollback()
        fresh = await load(session, account.id)
        await fresh.update(balance=80, lock_version=1)
    assert await row_of(database, account.id) == (80, 2)


async def test_the_session_goes_on_after_a_savepoint(database: Database, account: Account) -> None:
    async with database.session() as session:
        mine = await load(session, account.id)
        await session.exec(text("update account set lock_version = 7"))  # type: ignore[call-overload]
        with pytest.raises(StaleObjectError):
            async with session.begin_nested():
                await mine.update(balance=1)
        await mine.reload()
        await mine.update(balance=2)
    assert await row_of(database, account.id) == (2, 8)


async def test_two_thousand_racing_writes_lose_nothing(database: Database, account: Account) -> None:
    """T43: each reads, adds one and writes; whoever is stale begins again."""
    refused = 0

    async def writer() -> None:
        nonlocal refused
        done = 0
        while done < 1_000:
            try:
                async with database.session() as session:
                    mine = await load(session, account.id)
                    await mine.update(balance=mine.balance + 1)
            except StaleObjectError:
                refused += 1
            else:
                done += 1

    await asyncio.gather(writer(), writer())
    assert await row_of(database, account.id) == (2_100, 2_000)


async def test_two_who_lock_the_row_take_turns(database: Database, account: Account) -> None:
    async def withdraw() -> None:
        for _ in range(25):
            async with database.session() as session:
                mine = await load(session, account.id)
                async with mine.with_lock() as locked:
                    assert locked is mine
                    await mine.update(balance=mine.balance - 1)

    await asyncio.gather(withdraw(), withdraw())
    assert await row_of(database, account.id) == (50, 50)


async def test_a_lock_reads_what_others_have_written(database: Database, account: Account) -> None:
    async with database.session():
        await account.update_columns(balance=7)
        account.balance = 7
    async with database.session() as session:
        mine = await load(session, account.id)
        await session.exec(text("update account set balance = 8"))  # type: ignore[call-overload]
        async with mine.with_lock():
            assert mine.balance == 8


async def test_a_lock_that_would_lose_changes_is_refused(database: Database, account: Account) -> None:
    async with database.session() as session:
        mine = await load(session, account.id)
        mine.balance = 1
        with pytest.raises(LinesideError, match=r"changes of balance.*save\(\) or reload\(\) it first"):
            async with mine.with_lock():
                pass


async def test_a_block_that_fails_is_undone_up_to_the_lock(database: Database, account: Account) -> None:
    async with database.session() as session:
        mine = await load(session, account.id)
        await mine.update(balance=5)

        async def fail() -> None:
            async with mine.with_lock():
                await mine.update(balance=6)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
    assert await row_of(database, account.id) == (5, 1)


async def test_a_row_that_is_gone_cannot_be_locked(database: Database, account: Account) -> None:
    async with database.session() as session:
        mine = await load(session, account.id)
        await session.exec(text("delete from account"))  # type: ignore[call-overload]
        with pytest.raises(RecordNotFound):
            async with mine.with_lock():
                pass


async def test_touch_counts_as_a_save(database: Database, account: Account) -> None:
    """As in Rails: who loaded the row before notices it."""
    async with database.session() as session:
        theirs = await load(session, account.id)
    async with database.session():
        await account.touch()
        assert account.lock_version == 1
        await account.update(balance=5)
    assert await row_of(database, account.id) == (5, 2)
    for write in (theirs.touch, lambda: theirs.update(balance=7)):
        with pytest.raises(StaleObjectError):
            async with database.session():
                await write()
    assert await row_of(database, account.id) == (5, 2)
