"""T43: what two at the same moment cannot break: one name twice, a lost change, a right that is gone.

Optimistic locking has its 2,000 racing writes in ``test_locking.py``, SQLite's writers in ``test_sqlite.py``.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import registry
from sqlmodel import Field

from lineside.abilities import Ability, Rules
from lineside.abilities.fastapi import ability_for
from lineside.controllers.resource import ResourceController
from lineside.exceptions import RecordInvalid
from lineside.models import Database, Model, before_create, before_update, validates
from lineside.models.fastapi import install_database
from lineside.routing import resources
from tests.models.publishing import statements_of
from tests.models.reading import read

pytestmark = pytest.mark.anyio

ROUNDS = 1_000
# SQLite's writers stand in line before they read.
ON_POSTGRESQL = pytest.mark.parametrize(
    "database", [pytest.param("postgresql", marks=pytest.mark.services)], indirect=True
)


class Base(Model, registry=registry()):
    pass


@validates("login", uniqueness=True)
class Member(Base, table=True):
    __tablename__ = "race_member"
    login: str = Field(unique=True)

    @before_create
    async def meet(self) -> None:
        await met()


@validates("login", uniqueness=True)
class Guest(Base, table=True):
    """The control switched off: the database knows nothing of it."""

    __tablename__ = "race_guest"
    login: str

    @before_create
    async def meet(self) -> None:
        await met()


class Draft(Base, table=True):
    """May be changed until it is closed."""

    __tablename__ = "race_draft"
    permit = ("title",)
    title: str = "draft"
    sealed: str = ""
    is_closed: bool = False

    @before_update
    async def look(self) -> None:
        for watch in watching:
            await watch(self.id)


meeting: list[asyncio.Barrier] = []
watching: list[Any] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    meeting.clear()
    watching.clear()


async def met() -> None:
    """Wait for the other writer, who has been told as well that the name is free."""
    for barrier in meeting:
        await barrier.wait()


async def race(database: Database, model: type[Member] | type[Guest], rounds: int) -> Counter[str]:
    """Let two writers save the same names at the same time, and count how it ended."""
    if database.url.get_backend_name() == "postgresql":
        # SQLite has one writer at a time: there the second one would wait for the first for ever.
        meeting.append(asyncio.Barrier(2))

    async def writer() -> list[str]:
        ends: list[str] = []
        for number in range(rounds):
            try:
                async with database.session():
                    await model.create(login=f"name {number}")
            except RecordInvalid as error:
                ends.append(str(error.errors["login"]))  # type: ignore[index]
            else:
                ends.append("saved")
        return ends

    return Counter(end for ends in await asyncio.gather(writer(), writer()) for end in ends)


async def test_t43_of_two_thousand_racing_creates_one_of_each_name_is_saved(database: Database) -> None:
    """The other one hears what the validation would have said, and nobody gets a 500."""
    taken = "['has already been taken']"
    assert await race(database, Member, ROUNDS) == {"saved": ROUNDS, taken: ROUNDS}
    assert await read(database, "SELECT count(*), count(DISTINCT login) FROM race_member") == [
        (ROUNDS, ROUNDS)
    ]


@ON_POSTGRESQL
async def test_t43_without_the_index_the_question_alone_is_not_enough(database: Database) -> None:
    """The control switched off, where two can ask at once."""
    assert await race(database, Guest, 1) == {"saved": 2}


def define_abilities(user: None, rules: Rules) -> None:
    rules.can("read", Draft)
    rules.can("update", Draft, is_closed=False)


CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities))]


class DraftsController(ResourceController[Draft]):
    ability: CurrentAbility


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """Give an app in which a draft may be changed until it is closed."""
    app = FastAPI()
    install_database(app, database)
    resources(app, "drafts", DraftsController)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@ON_POSTGRESQL
async def test_t43_a_row_is_held_from_the_check_to_the_write(
    client: httpx2.AsyncClient, database: Database
) -> None:
    """Each draft is changed and closed at the same moment; none is changed once it is closed."""
    async with database.session():
        await Draft.insert_all([{"title": "draft"} for _ in range(ROUNDS)])
    statuses: set[int] = set()
    close = text("UPDATE race_draft SET is_closed = true, sealed = title WHERE id = :id")

    async def closed(key: int) -> None:
        async with database.engine.begin() as connection:
            await connection.execute(close, {"id": key})

    async def edit(key: int) -> None:
        answer = await client.patch(f"/drafts/{key}", json={"title": "edited"})
        statuses.add(answer.status_code)

    for key in range(1, ROUNDS + 1):
        await asyncio.gather(edit(key), closed(key))
    assert statuses == {200, 403}
    assert await read(database, "SELECT count(*) FROM race_draft WHERE sealed <> title") == [(0,)]


@ON_POSTGRESQL
async def test_t43_another_connection_cannot_lock_what_is_being_changed(
    client: httpx2.AsyncClient, database: Database
) -> None:
    """Asked in the moment between the check and the write."""
    async with database.session():
        draft = await Draft.create()
    refusals: list[str] = []

    async def ask(key: int) -> None:
        statement = text("SELECT id FROM race_draft WHERE id = :id FOR UPDATE NOWAIT")
        async with database.engine.connect() as connection:
            with pytest.raises(DBAPIError, match="could not obtain lock"):
                await connection.execute(statement, {"id": key})
        refusals.append("held")

    watching.append(ask)
    answer = await client.patch(f"/drafts/{draft.id}", json={"title": "edited"})
    assert (answer.status_code, refusals) == (200, ["held"])


@ON_POSTGRESQL
async def test_t43_a_form_holds_nothing(client: httpx2.AsyncClient, database: Database) -> None:
    """What only reads waits for nobody, and nobody for it."""
    async with database.session():
        draft = await Draft.create()
    path = f"/drafts/{draft.id}"
    with statements_of(database) as log:
        assert (await client.get(f"{path}/edit")).status_code == 200
        assert (await client.get(path)).status_code == 200
    assert not any("FOR UPDATE" in sql for sql, _ in log)
    with statements_of(database) as log:
        assert (await client.patch(path, json={"title": "edited"})).status_code == 200
    assert any("FOR UPDATE" in sql for sql, _ in log)


@ON_POSTGRESQL
async def test_t43_a_locking_query_gives_the_values_of_now(database: Database) -> None:
    """Also of a record that the session had loaded before somebody else changed it."""
    async with database.session():
        draft = await Draft.create()
    async with database.session():
        known = await Draft.find(draft.id)
        async with database.engine.begin() as connection:
            await connection.execute(text("UPDATE race_draft SET is_closed = true"))
        found = await Draft.where(id=draft.id).lock().first()
        assert found is known
        assert found.is_closed
