"""One channel alone, without a client (Rails' ``ActionCable::Channel::TestCase``)."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from lineside.cable import Cable, Channel, ChannelRegistry, Identity
from lineside.cable._channel._injection import dependencies_of
from lineside.cable._fastapi._identities import identity_for
from lineside.cable._protocol._ports import ConnectionPort
from lineside.cable._protocol._values import json_value
from lineside.exceptions import ConfigurationError
from lineside.strict_json import dumps
from lineside.testing._cable_channel_test import ChannelTest, OpenForTest
from lineside.testing._cable_stubs import StubConnection, StubSubscription

__all__ = ["channel_test"]

_Channel = TypeVar("_Channel", bound=Channel)


@asynccontextmanager
async def channel_test(
    channel: type[_Channel],
    params: Mapping[str, Any] | None = None,
    /,
    *,
    identity: Identity | None = None,
    user: Any = None,
    ability: Any = None,
    injected: Mapping[str, Any] | None = None,
    **more_params: Any,
) -> AsyncGenerator[ChannelTest[_Channel]]:
    """Subscribe to a channel that has no cable around it but one in memory.

        async with channel_test(ChatChannel, room=1, user=ada) as chat:
            chat.assert_has_stream("room:1")
            async with assert_broadcast_on(chat.cable, "room:1", {"text": "Hello"}):
                await chat.perform("speak", text="Hello")

    Callbacks, validation and rescues run as in a cable; an error that nothing rescues is raised in the test.
    At the end of the block ``unsubscribed`` runs.

    Args:
        channel: The class.
        params: The identifier's values, where one is called as an argument here.
        identity: Who is connected; default: that of ``user``, or a guest.
        user: The app's user object.
        ability: What the client may do: an `Ability`, or a function of the connection that makes one.
        injected: What ``Annotated[..., Depends(...)]`` attributes are, by name.
        more_params: The identifier's values, too.

    Yields:
        The channel under test, confirmed or rejected.

    Raises:
        ConfigurationError: An attribute is injected, and ``injected`` does not have it.
    """
    filled = dict(injected or {})
    if ability is not None:
        filled.setdefault("ability", ability)
    registry = ChannelRegistry(
        [channel], inject=_injecting(filled), ability=None if ability is None else _making(ability)
    )
    values = {"channel": channel.channel_name, **(params or {}), **more_params}
    name, parsed = registry.parse(dumps(json_value(values)).decode())
    if identity is None:
        identity = Identity(anonymous=True) if user is None else identity_for(user)
    cable = Cable(registry)
    await cable.start()
    try:
        subscription = StubSubscription(name, parsed, StubConnection(cable, identity))
        test: ChannelTest[_Channel] = ChannelTest(
            OpenForTest(registry.plans[name], subscription), subscription
        )
        try:
            await test.begin()
            yield test
        finally:
            await test.unsubscribe()
    finally:
        await cable.stop()


def _injecting(values: Mapping[str, Any]) -> Callable[..., Any]:
    @asynccontextmanager
    async def inject(target: type, _connection: ConnectionPort) -> AsyncGenerator[Mapping[str, Any]]:
        wanted = dependencies_of(target)
        missing = [name for name in wanted if name not in values]
        if missing:
            raise ConfigurationError(
                f"{target.__name__} is injected {', '.join(missing)}: give channel_test injected={{...}}"
            )
        yield {name: values[name] for name in wanted}

    return inject


def _making(ability: Any) -> Callable[[ConnectionPort], Any]:
    if callable(ability):
        made: Callable[[ConnectionPort], Any] = ability
        return made
    return lambda _: ability
