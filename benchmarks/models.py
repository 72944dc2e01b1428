"""What a model costs over SQLModel and an AsyncSession by hand, beside Advanced Alchemy and Tortoise.

Run it with ``python -m benchmarks.models``; ``--check`` exits 1 when a bound is missed. SQLite in a file,
one process; every operation opens a session and commits it, as a request does.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from tortoise import Tortoise

from benchmarks._harness import Bound, Figure, Result, Round, compare, main
from benchmarks._tables import (
    AlchemyPost,
    AlchemyPosts,
    HandPost,
    Ours,
    Post,
    TortoisePost,
    values,
)
from lineside.models import Database

Operation = Callable[[], Awaitable[object]]

_ROWS = 200
_AUTHOR = 7  # has 20 of them
_REPEAT = 40

_FIGURES = (
    Figure("find (us)", "find", "find by hand", Bound(1.15)),
    Figure("where, order, all: 20 rows (us)", "all", "all by hand", Bound(1.15)),
    Figure("save: validations, two callbacks (us)", "save", "save by hand", Bound(1.5)),
    Figure("Advanced Alchemy: get (us)", "find alchemy", "find by hand"),
    Figure("Advanced Alchemy: list of 20 (us)", "all alchemy", "all by hand"),
    Figure("Advanced Alchemy: add (us)", "save alchemy", "save by hand"),
    Figure("Tortoise: get (us)", "find tortoise", "find by hand"),
    Figure("Tortoise: filter of 20 (us)", "all tortoise", "all by hand"),
    Figure("Tortoise: create (us)", "save tortoise", "save by hand"),
)


def _ours(database: Database) -> dict[str, Operation]:
    async def find() -> object:
        async with database.session():
            return await Post.find(_AUTHOR)

    async def every() -> object:
        async with database.session():
            found = await Post.where(author_id=_AUTHOR).order("-id").all()
            return _twenty(found)

    async def save() -> object:
        async with database.session():
            return await Post(**values(1_000)).save()

    return {"find": find, "all": every, "save": save}


def _by_hand(database: Database) -> dict[str, Operation]:
    sessions = async_sessionmaker(database.engine, class_=AsyncSession, expire_on_commit=False)

    async def find() -> object:
        async with sessions() as session:
            found = await session.get(HandPost, _AUTHOR)
            await session.commit()
            return found

    async def every() -> object:
        async with sessions() as session:
            query = select(HandPost).where(HandPost.author_id == _AUTHOR).order_by(col(HandPost.id).desc())
            found = list((await session.exec(query)).all())
            await session.commit()
            return _twenty(found)

    async def save() -> object:
        async with sessions() as session:
            post = HandPost(**values(1_000))
            session.add(post)
            await session.commit()
            return post

    return {"find by hand": find, "all by hand": every, "save by hand": save}


def _alchemy(database: Database) -> dict[str, Operation]:
    sessions = async_sessionmaker(database.engine, expire_on_commit=False)

    async def find() -> object:
        async with sessions() as session:
            found = await AlchemyPosts(session=session).get(_AUTHOR)
            await session.commit()
            return found

    async def every() -> object:
        async with sessions() as session:
            posts = AlchemyPosts(session=session, order_by=[AlchemyPost.id.desc()])
            found = await posts.list(AlchemyPost.author_id == _AUTHOR)
            await session.commit()
            return _twenty(found)

    async def save() -> object:
        async with sessions() as session:
            return await AlchemyPosts(session=session).add(AlchemyPost(**values(1_000)), auto_commit=True)

    return {"find alchemy": find, "all alchemy": every, "save alchemy": save}


def _tortoise() -> dict[str, Operation]:
    async def find() -> object:
        return await TortoisePost.get(id=_AUTHOR)

    async def every() -> object:
        return _twenty(await TortoisePost.filter(author_id=_AUTHOR).order_by("-id"))

    async def save() -> object:
        return await TortoisePost.create(**values(1_000))

    return {"find tortoise": find, "all tortoise": every, "save tortoise": save}


def _twenty(found: Sequence[object]) -> object:
    # The rows that `save` adds belong to another author: every contender reads the same number.
    if len(found) != _ROWS // 10:
        raise AssertionError(f"{len(found)} rows instead of {_ROWS // 10}")
    return found


async def _prepare(folder: Path, ours: Database, alchemy: Database) -> dict[str, Operation]:
    async with ours.engine.begin() as connection:
        await connection.run_sync(Ours.metadata.create_all)
    async with alchemy.engine.begin() as connection:
        await connection.run_sync(AlchemyPost.metadata.create_all)
    await Tortoise.init(
        db_url=f"sqlite://{folder / 'tortoise.sqlite3'}", modules={"models": ["benchmarks._tables"]}
    )
    await Tortoise.generate_schemas()
    async with ours.session() as session:
        session.add_all([Post(**values(number)) for number in range(_ROWS)])
    async with alchemy.session() as session:
        session.add_all([AlchemyPost(**values(number)) for number in range(_ROWS)])
    await TortoisePost.bulk_create([TortoisePost(**values(number)) for number in range(_ROWS)])
    return {**_ours(ours), **_by_hand(ours), **_alchemy(alchemy), **_tortoise()}


def _contender(runner: asyncio.Runner, operation: Operation) -> Round:
    async def repeated() -> None:
        for _ in range(_REPEAT):
            await operation()

    def one_round() -> float:
        started = time.process_time()
        runner.run(repeated())
        return (time.process_time() - started) / _REPEAT * 1e6

    one_round()
    return one_round


def _measure(rounds: int) -> list[Result]:
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        ours = Database(f"sqlite:///{folder}/ours.sqlite3")
        alchemy = Database(f"sqlite:///{folder}/alchemy.sqlite3")
        try:
            operations = runner.run(_prepare(Path(folder), ours, alchemy))
            contenders = {name: _contender(runner, operation) for name, operation in operations.items()}
            return compare(contenders, _FIGURES, rounds=rounds, at_most_seconds=60.0)
        finally:
            runner.run(ours.dispose())
            runner.run(alchemy.dispose())
            runner.run(Tortoise.close_connections())


if __name__ == "__main__":
    main(__doc__ or "", _measure, rounds=40)
