"""Models: the database of an app, by URL, and its sessions.

    import asyncio
    from lineside.models import Database

    async def main() -> None:
        database = Database("sqlite://")
        async with database.session() as session:
            assert (await session.connection()).dialect.name == "sqlite"
        await database.dispose()

    asyncio.run(main())

FastAPI's side is `lineside.models.fastapi`: ``SessionDep`` for one session per request.
"""

from lineside.models._database import DEFAULT_URL, Database

__all__ = ["DEFAULT_URL", "Database"]
