"""Eyes of their own: the driver alone, without an engine, a session or a query of ours."""

import sqlite3
from contextlib import closing
from typing import Any

import asyncpg

from lineside.models import Database


async def read(database: Database, sql: str) -> list[tuple[Any, ...]]:
    """Return what another program sees: rows that are committed, as the driver gives them."""
    url = database.url
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(url.database))) as lite:
            return list(lite.execute(sql))
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(address)
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()
