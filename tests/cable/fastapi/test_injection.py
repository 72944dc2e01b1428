"""Attributes of channels are FastAPI's dependencies, resolved for each run and closed behind it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, Header, HTTPException
from sqlalchemy.orm import registry
from sqlmodel import Field

from lineside.abilities import Ability, Rules
from lineside.abilities.fastapi import ability_for
from lineside.cable import Channel, Identity
from lineside.cable.fastapi import CableDep, IdentityDep, cable_router
from lineside.models import Model
from lineside.models.fastapi import SessionDep, install_database
from tests.cable.fastapi.apps import app_with, site

pytestmark = pytest.mark.anyio


async def test_an_attribute_is_opened_for_each_run_and_closed_behind_it() -> None:
    log: list[str] = []

    async def resource() -> AsyncIterator[int]:
        log.append("open")
        yield len(log)
        log.append("close")

    class Worker(Channel):
        public = True
        number: Annotated[int, Depends(resource)]

        async def work(self) -> None:
            log.append("work")
            self.transmit(self.number)

    async with site(app_with(cable_router([Worker]))) as served, served.client() as client:
        identifier = await client.subscribed("Worker")
        assert log == ["open", "close"]
        await client.perform(identifier, "work")
        assert (await client.next())["message"] == 3
    assert log[2:5] == ["open", "work", "close"]


async def test_an_error_reaches_the_dependency_so_that_it_can_roll_back() -> None:
    seen: list[str] = []

    async def resource() -> AsyncIterator[None]:
        try:
            yield
        except ZeroDivisionError as error:
            seen.append(str(error))
            raise

    class Worker(Channel):
        public = True
        nothing: Annotated[None, Depends(resource)]

        async def fail(self) -> None:
            raise ZeroDivisionError("at work")

        async def answer(self) -> None:
            self.transmit("still here")

    async with site(app_with(cable_router([Worker]))) as served, served.client() as client:
        identifier = await client.subscribed("Worker")
        await client.perform(identifier, "fail")
        await client.perform(identifier, "answer")
        assert (await client.next())["message"] == "still here"
    assert seen == ["at work"]


async def test_dependencies_see_the_handshake_without_its_secrets_and_overrides_hold() -> None:
    async def language(
        accept_language: Annotated[str, Header()] = "none",
        authorization: Annotated[str, Header()] = "none",
        cookie: Annotated[str, Header()] = "none",
    ) -> str:
        return f"{accept_language} {authorization} {cookie}"

    async def flag() -> str:
        return "as it is"

    class Reader(Channel):
        public = True
        spoken: Annotated[str, Depends(language)]
        said: Annotated[str, Depends(flag)]

        async def read(self) -> None:
            self.transmit([self.spoken, self.said])

    app = app_with(cable_router([Reader]))
    app.dependency_overrides[flag] = lambda: "replaced"
    headers = {"Accept-Language": "en", "Authorization": "Bearer x"}
    async with site(app) as served, served.client(headers=headers) as client:
        identifier = await client.subscribed("Reader")
        await client.perform(identifier, "read")
        assert (await client.next())["message"] == ["en none none", "replaced"]


async def test_the_authentication_is_not_asked_again_after_the_upgrade() -> None:
    async def user(authorization: Annotated[str, Header()]) -> str:
        return authorization.removeprefix("Bearer ")

    async def define(current: Annotated[str, Depends(user)], identity: IdentityDep) -> list[Any]:
        return [current, identity.id]

    class Me(Channel):
        public = True
        me: Annotated[list[Any], Depends(define)]
        hub: CableDep

        async def who(self) -> None:
            assert self.hub is self.cable
            self.transmit(self.me)

    router = cable_router([Me], authenticate=user)
    headers = {"Authorization": "Bearer ada"}
    async with site(app_with(router)) as served, served.client(headers=headers) as client:
        identifier = await client.subscribed("Me")
        await client.perform(identifier, "who")
        assert (await client.next())["message"] == ["ada", "ada"]


async def test_an_ability_decides_who_may_subscribe() -> None:
    async def user() -> str:
        return "ada"

    def define_abilities(name: str, rules: Rules) -> None:
        rules.can("read", "room:1")

    class Room(Channel):
        ability: Annotated[Ability, Depends(ability_for(define_abilities, user=user))]

        async def subscribed(self, room: int) -> None:
            await self.authorize("read", f"room:{room}")

    router = cable_router([Room], authenticate=user)
    async with site(app_with(router)) as served, served.client() as client:
        await client.subscribed("Room", room=1)
        refused = await client.subscribe("Room", room=2)
        assert await client.next() == {"type": "reject_subscription", "identifier": refused}


async def test_what_a_dependency_or_an_ability_refuses_is_an_answer_and_no_fault() -> None:
    async def locked() -> None:
        raise HTTPException(403, "locked")

    class Denied(Channel):
        ability: Annotated[Ability, Depends(ability_for(lambda user, rules: None))]

        async def subscribed(self) -> None:
            await self.authorize("read", "room")

    class Locked(Channel):
        public = True
        nothing: Annotated[None, Depends(locked)]

    router = cable_router([Denied, Locked])
    async with site(app_with(router)) as served, served.client(subprotocol=None) as client:
        for channel in ("Denied", "Locked"):
            data = {"channel": channel}
            await client.send({"message_id": 1, "message_type": "subscribe", "data": data})
            assert (await client.next())["data"]["code"] == 2001
    assert router.cable.stats.faults == 0


async def test_the_routers_ability_serves_every_channel() -> None:
    def define_abilities(identity: Identity, rules: Rules) -> None:
        rules.can("read", "room")

    class Room(Channel):
        async def subscribed(self) -> None:
            await self.authorize("read", "room")

    router = cable_router([Room], ability=lambda connection: Ability(connection.identity, define_abilities))
    async with site(app_with(router)) as served, served.client() as client:
        await client.subscribed("Room")


class Base(Model, registry=registry()):
    """The models of this file."""


class Note(Base, table=True):
    id: int | None = Field(default=None, primary_key=True)
    text: str


async def test_models_use_the_session_of_the_run(tmp_path: Path) -> None:
    class Notes(Channel):
        public = True
        session: SessionDep

        async def write(self, text: str) -> None:
            await Note.create(text=text)
            self.transmit("written")

        async def count(self) -> None:
            self.transmit(await Note.count())

        async def spoil(self) -> None:
            await Note.create(text="never kept")
            raise ZeroDivisionError

    app = app_with(cable_router([Notes]))
    database = install_database(app, f"sqlite:///{tmp_path / 'notes.sqlite3'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with site(app) as served, served.client() as client:
        identifier = await client.subscribed("Notes")
        await client.perform(identifier, "write", text="one")
        assert (await client.next())["message"] == "written"
        await client.perform(identifier, "spoil")
        await client.perform(identifier, "count")
        assert (await client.next())["message"] == 1
