"""What an error of the database tells whoever reads the log."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

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
