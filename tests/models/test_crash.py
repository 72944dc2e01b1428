"""A process that is killed inside a transaction leaves nothing of it behind.

One process with everything imported forks a child for each kill; the child says where it is, and is killed
there. What is left is read by another process: this one.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from lineside.models import Database

pytestmark = pytest.mark.anyio

KILLS = 50
FREE_KILLS = 10
# Where a transfer stops and waits to be killed.
PLACES = ["after the first statement", "after the second statement", "in a savepoint"]
NURSERY = """
import asyncio, os, signal, sys
from sqlalchemy import text
from lineside.models import Database
from lineside.models._connection._transactions import transaction

url = sys.argv[1]

def reached(place):
    if place == wanted:
        print(os.getpid(), flush=True)
        signal.pause()

async def transfer(database):
    async with database.session() as session:
        await move(database, -1, 1)
        reached("after the first statement")
        async with transaction():
            await move(database, 1, 2)
            reached("in a savepoint")
        reached("after the second statement")

async def move(database, amount, account):
    await database.exec(
        "UPDATE crash_account SET balance = balance + :amount WHERE id = :id", amount=amount, id=account
    )

async def transfers():
    database = Database(url)
    if wanted == "anywhere":
        await transfer(database)
        print(os.getpid(), flush=True)
        while True:
            await transfer(database)
    await transfer(database)

for line in sys.stdin:
    wanted = line.strip()
    child = os.fork()
    if child == 0:
        asyncio.run(transfers())
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


class Base(SQLModel, registry=registry()):
    """The tables of this module."""


class Account(Base, table=True):
    __tablename__ = "crash_account"

    id: int = Field(primary_key=True)
    balance: int


class Nursery:
    """Gives children, each at a known place of a transfer, to be killed."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders, self._answers = process.stdin, process.stdout

    def kill_one(self, place: str) -> None:
        """Let a child come to the place, kill it, and wait until it is gone."""
        self._orders.write(f"{place}\n")
        self._orders.flush()
        os.kill(int(self._answers.readline()), signal.SIGKILL)
        assert self._answers.readline() == "gone\n"


@contextmanager
def nursery(url: str) -> Iterator[Nursery]:
    """Start the process that forks."""
    command = [sys.executable, "-c", NURSERY, url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            yield Nursery(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


async def balances(database: Database) -> list[int]:
    """Read both accounts through a connection of this process."""
    async with database.session(role="reading") as session:
        rows = await (await session.connection()).execute(
            text("SELECT balance FROM crash_account ORDER BY id")
        )
        return list(rows.scalars())


async def test_no_half_transaction_is_left(database: Database) -> None:
    """Fifty kills between two statements, or before the COMMIT: the accounts are as they were."""
    async with database.session() as session:
        session.add_all([Account(id=1, balance=100), Account(id=2, balance=100)])
    with nursery(database.engine.url.render_as_string(hide_password=False)) as children:
        for number in range(KILLS):
            children.kill_one(PLACES[number % len(PLACES)])
            assert await balances(database) == [100, 100]


async def test_no_money_is_lost_wherever_it_ends(database: Database) -> None:
    """Killed while transfers run, in a COMMIT perhaps: each of them is whole or not there."""
    async with database.session() as session:
        session.add_all([Account(id=1, balance=100), Account(id=2, balance=100)])
    with nursery(database.engine.url.render_as_string(hide_password=False)) as children:
        for _ in range(FREE_KILLS):
            children.kill_one("anywhere")
            assert sum(await balances(database)) == 200


async def test_a_killed_transaction_does_not_lock(database: Database) -> None:
    """The next one writes the same rows."""
    async with database.session() as session:
        session.add_all([Account(id=1, balance=100), Account(id=2, balance=100)])
    with nursery(database.engine.url.render_as_string(hide_password=False)) as children:
        children.kill_one(PLACES[1])
    assert await database.exec("UPDATE crash_account SET balance = 0") == 2
    assert await balances(database) == [0, 0]
