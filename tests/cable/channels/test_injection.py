"""Injected attributes: fresh for each run, closed behind it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import Depends

from lineside.cable import CableConfigurationError, Channel, ChannelRegistry, RequestFailed, rescue_from
from lineside.cable._channel._injection import dependencies_of
from tests.cable.channels.fakes import opened, subscribed

pytestmark = pytest.mark.anyio


class Session:
    def __init__(self, number: int) -> None:
        self.number = number
        self.error: BaseException | None = None
        self.closed = False


class Sessions:
    """Counts what it opened."""

    def __init__(self) -> None:
        self.all: list[Session] = []

    @asynccontextmanager
    async def __call__(self, channel: type, connection: Any) -> AsyncIterator[Mapping[str, Any]]:
        session = Session(len(self.all))
        self.all.append(session)
        try:
            yield {"session": session}
        except BaseException as error:
            session.error = error
            raise
        finally:
            session.closed = True


def get_session() -> None: ...


SessionDep = Annotated[Session, Depends(get_session)]


class Uses(Channel):
    public = True
    session: SessionDep
    plain: int = 5

    async def subscribed(self) -> None:
        self.first = self.session

    async def number(self) -> int:
        assert not self.session.closed
        return self.session.number

    async def fail(self) -> None:
        raise KeyError("x")

    async def forbidden(self) -> None:
        raise RequestFailed(2001, "no")

    async def unsubscribed(self) -> None:
        self.transmit(self.session.number)

    @rescue_from(KeyError)
    def rescue(self) -> bool:
        return hasattr(self, "session")


async def test_each_run_gets_values_of_its_own() -> None:
    """A session never lives as long as a socket."""
    sessions = Sessions()
    channel = await subscribed(Uses, inject=sessions)
    assert [each.closed for each in sessions.all] == [True]
    assert await channel.port.perform("number", {}) == 1
    assert await channel.port.perform("number", {}) == 2
    await channel.port.unsubscribe()
    assert channel.subscription.transmitted == [3]
    assert all(each.closed for each in sessions.all)


async def test_the_injected_value_sees_the_error_before_the_rescue() -> None:
    """It has rolled back, and is out of reach: a closed session would open again."""
    sessions = Sessions()
    channel = await subscribed(Uses, inject=sessions)
    assert await channel.port.perform("fail", {}) is False
    assert isinstance(sessions.all[-1].error, KeyError)


async def test_a_refusal_rolls_back_too() -> None:
    """An answer that is an error is one for the session as well."""
    sessions = Sessions()
    channel = await subscribed(Uses, inject=sessions)
    with pytest.raises(RequestFailed):
        await channel.port.perform("forbidden", {})
    assert sessions.all[-1].closed
    assert isinstance(sessions.all[-1].error, RequestFailed)


async def test_an_unknown_action_opens_nothing() -> None:
    """What cannot run costs no session."""
    sessions = Sessions()
    channel = await subscribed(Uses, inject=sessions)
    with pytest.raises(RequestFailed):
        await channel.port.perform("nothing", {})
    assert len(sessions.all) == 1


async def test_a_dependency_that_refuses_is_an_answer() -> None:
    """It may raise RequestFailed; unsubscribing runs nothing then, because nothing had begun."""
    sessions = Sessions()

    @asynccontextmanager
    async def refusing(channel: type, connection: Any) -> AsyncIterator[Mapping[str, Any]]:
        raise RequestFailed(2000, "sign in")
        yield {}

    channel = opened(Uses, inject=refusing)
    with pytest.raises(RequestFailed, match="sign in"):
        await channel.port.subscribe()
    await channel.port.unsubscribe()
    assert not sessions.all


async def test_an_ability_may_be_injected() -> None:
    """As in controllers: `ability: CurrentAbility`."""

    class Ability:
        asked = False

        def authorize(self, action: str, subject: Any) -> None:
            self.asked = True

    class Guarded(Channel):
        ability: Annotated[Any, Depends(get_session)]

        async def subscribed(self) -> None:
            await self.authorize("read", "x")

    @asynccontextmanager
    async def inject(channel: type, connection: Any) -> AsyncIterator[Mapping[str, Any]]:
        yield {"ability": Ability()}

    channel = await subscribed(Guarded, inject=inject)
    assert not channel.subscription.rejected


async def test_without_an_ability_the_message_says_where_to_put_one() -> None:
    """It is a mistake of the app, which the core logs."""

    class Lacks(Channel):
        async def subscribed(self) -> None:
            await self.authorize("read", "x")

    with pytest.raises(CableConfigurationError, match="ability: CurrentAbility"):
        await subscribed(Lacks)


def test_dependencies_are_found_without_the_framework() -> None:
    """By what they look like, bases first; for whoever resolves them."""

    class More(Uses):
        other: Annotated[int, Depends(get_session, use_cache=False)]

    assert list(dependencies_of(More)) == ["session", "other"]
    assert dependencies_of(Uses)["session"].annotation == SessionDep


def test_nobody_to_inject_is_a_mistake() -> None:
    """An attribute that stays empty would fail in the middle of an action."""
    with pytest.raises(CableConfigurationError, match="Uses: nothing injects session"):
        ChannelRegistry([Uses])


def test_a_parameter_is_no_dependency() -> None:
    """Parameters come from the client: one that is injected elsewhere must not be his to choose."""

    class Wrong(Channel):
        public = True

        async def act(self, session: SessionDep) -> None: ...

    with pytest.raises(CableConfigurationError, match=r"Wrong\.act\(session\).*attribute"):
        ChannelRegistry([Wrong])
