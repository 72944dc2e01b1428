"""Every test about databases runs on each of them, in an empty database of its own."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import MetaData

from lineside.models import Database


@pytest.fixture(
    params=["sqlite-file", "sqlite-memory", pytest.param("postgresql", marks=pytest.mark.services)]
)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database."""
    if request.param == "sqlite-memory":
        return "sqlite://"
    if request.param == "sqlite-file":
        return f"sqlite:///{tmp_path / 'test.sqlite3'}"
    server: str = request.getfixturevalue("postgres_url")
    name = f"test_{secrets.token_hex(8)}"

    async def create() -> None:
        connection = await asyncpg.connect(server)
        await connection.execute(f'CREATE DATABASE "{name}"')
        await connection.close()

    asyncio.run(create())
    return f"{server.rpartition('/')[0]}/{name}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """Give a database with the tables of the test's module, which names their base class ``Base``."""
    metadata: MetaData = request.module.Base.metadata
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'test.sqlite3'}"
    else:
        url = request.getfixturevalue("postgres_url")
    # Tests run the same line again and again on purpose.
    database = Database(url, n_plus_one="off")
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield database
    if request.param == "postgresql":
        async with database.engine.begin() as connection:
            await connection.run_sync(metadata.drop_all)
    await database.dispose()
