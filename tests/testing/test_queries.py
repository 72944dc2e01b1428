"""Assertions about how many queries some code runs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy.orm import registry

from lineside.models import Database, Model, transaction
from lineside.models.fastapi import SessionDep, install_database
from lineside.testing import TestApp, assert_no_n_plus_one, assert_no_queries, assert_queries_count

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


class Post(Base, table=True):
    title: str


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Give a database with the table."""
    database = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}", n_plus_one="off")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield database
    await database.dispose()


async def test_as_many_as_said(database: Database) -> None:
    """The statements are there to look at."""
    with assert_queries_count(2) as statements:
        async with database.session():
            await Post.create(title="a")
            await Post.count()
    assert statements[0].startswith("INSERT")


async def test_what_frames_a_transaction_does_not_count(database: Database) -> None:
    """Nor what sets up a connection."""
    with assert_no_queries():
        async with database.session(), transaction():
            pass
    with assert_queries_count(1):
        async with database.session(), transaction():
            await Post.count()


@pytest.mark.parametrize("expected", [0, 2, 3])
async def test_more_or_fewer_fail(database: Database, expected: int) -> None:
    """The message lists what ran."""
    with pytest.raises(AssertionError, match=rf"expected {expected} queries, got 1\n  SELECT count"):
        await _count(database, expected)


async def test_any_number(database: Database) -> None:
    """None is at least one."""
    with assert_queries_count():
        async with database.session():
            await Post.count()
    with pytest.raises(AssertionError, match="expected at least 1 queries, got 0"), assert_queries_count():
        pass


async def test_an_error_of_the_block_goes_first(database: Database) -> None:
    """It is the reason, and nothing is counted afterwards."""
    with pytest.raises(ZeroDivisionError), assert_queries_count(5) as statements:
        raise ZeroDivisionError
    async with database.session():
        await Post.count()
    assert statements == []


async def test_of_one_database(database: Database) -> None:
    """Others are left out."""
    other = Database("sqlite://")
    with assert_queries_count(1, database=database):
        async with database.session():
            await Post.count()
        await other.raw("SELECT 1")
    await other.dispose()


def test_of_an_app_under_test(tmp_path: Path) -> None:
    """It runs in a thread of its own, and counts."""
    app = FastAPI()
    install_database(app, f"sqlite:///{tmp_path / 'test.sqlite3'}")

    @app.get("/")
    async def show(session: SessionDep) -> int:
        return await session.scalar(Post.metadata.tables["post"].select().limit(0)) or 0

    with TestApp(app) as client:
        client.db.run(_create_tables)
        with assert_queries_count(1):
            client.get("/").assert_status(200)


async def _count(database: Database, expected: int) -> None:
    async with database.session():
        with assert_queries_count(expected):
            await Post.count()


async def _create_tables(session: object) -> None:
    await (await session.connection()).run_sync(Base.metadata.create_all)  # type: ignore[attr-defined]


async def test_a_query_for_each_record_fails(database: Database) -> None:
    """The message has the place and the remedy; the same records in one query pass."""
    async with database.session():
        keys = [(await Post.create(title=title)).id for title in "abc"]
    async with database.session():
        with pytest.raises(AssertionError, match=r"test_queries\.py:\d+ .*once for each record"):
            await _one_by_one(keys)
        with assert_no_n_plus_one():
            await Post.where(id=keys).all()


async def _one_by_one(keys: list[int]) -> None:
    with assert_no_n_plus_one():
        for key in keys:
            await Post.find_by(id=key)
