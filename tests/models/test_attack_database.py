"""What an error of the database tells whoever reads the log."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from lineside.models import Database

pytestmark = pytest.mark.anyio

STATEMENT = text("INSERT INTO missing VALUES (:password)")
VALUES = {"password": "planted-secret"}


async def failing(database: Database) -> str:
    with pytest.raises(DBAPIError) as caught:
        async with database.session() as session:
            await (await session.connection()).execute(STATEMENT, VALUES)
    await database.dispose()
    return str(caught.value)


async def test_an_error_of_the_database_shows_no_values(database_url: str) -> None:
    """They are what users sent, a password perhaps, and errors go into logs."""
    message = await failing(Database(database_url))
    assert "INSERT INTO missing" in message
    assert "planted-secret" not in message


async def test_echo_shows_them_for_development(database_url: str) -> None:
    """Whoever asks for every statement gets the values as well."""
    assert "planted-secret" in await failing(Database(database_url, echo=True))


async def test_a_session_takes_no_connection_after_its_block(database_url: str) -> None:
    """A stream that goes on using it would keep one per request, until the pool is empty."""
    database = Database(database_url)
    async with database.session() as session:
        await (await session.connection()).execute(text("SELECT 1"))
    with pytest.raises(InvalidRequestError, match="closed"):
        await session.connection()
    await database.dispose()
