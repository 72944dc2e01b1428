"""What is shown of a connection opens no other one; what is counted and logged is bounded, and no secret."""

import logging
from typing import Any, ClassVar

import pytest

from lineside.cable import CableLimits, Channel, RequestFailed, SignedStreams
from lineside.cable._channel._stream_channels import PublicStreams, stream_channels
from lineside.cable.codecs import Command, Event, PingEvent
from tests.cable.core.cables import EXT, V1, cable, client, identifier, subscribe
from tests.cable.fakes import eventually, running

pytestmark = pytest.mark.anyio

SECRET = "an example secret of 32 bytes or more"


class Feed(Channel):
    public = True
    open: ClassVar[bool] = True

    async def subscribed(self, token: str = "") -> None:
        if not self.open:
            raise RequestFailed(2001, "closed")
        await self.stream_from("feed", transform=_fails)


def _fails(message: Any) -> Any:
    raise ValueError("no")


async def test_the_client_id_of_a_guest_does_not_tell_its_session() -> None:
    """Everybody in a room is shown the one; the other lets a client go on where it was."""
    async with running(node := cable([Feed])):
        guest = await client(node, EXT)
        assert guest.connection.id not in guest.id
        assert guest.id.removeprefix("guest-") not in guest.connection.id


async def test_reasons_that_apps_make_up_do_not_grow_the_figures() -> None:
    """A metric with a user's name as label would grow for ever."""
    async with running(node := cable([])):
        for number in range(200):
            someone = await client(node, "gohub", id=f"user-{number}")
            someone.connection.disconnect(f"banned by {number}", reconnect=False)
            node.stats.failed(100_000 + number)
        assert len(node.stats.disconnections) < 100
        assert sum(node.stats.disconnections.values()) == 200
        assert len(node.stats.errors) < 100
        assert sum(node.stats.errors.values()) == 200


async def test_no_log_has_what_is_secret_in_an_identifier(caplog: pytest.LogCaptureFixture) -> None:
    """A signed stream's name, or a token among the parameters, is a key of its own."""
    caplog.set_level(logging.DEBUG, logger="lineside")
    signed = SignedStreams(SECRET)
    node = cable([Feed, *stream_channels(signed, PublicStreams([]))])
    name, streamed = identifier("Feed", token="s3cr3t"), signed.sign("news")
    async with running(node):
        someone = await client(node, EXT)
        await subscribe(someone, name)
        await subscribe(someone, identifier("$pubsub", signed_stream_name=streamed))
        await subscribe(someone, identifier("$pubsub", signed_stream_name=streamed[:-1] + "0"))
        await node.broadcast("feed", 1)
        await someone.close()
        Feed.open = False
        try:
            await client(node, EXT, restore=someone.connection.id)
        finally:
            Feed.open = True
    assert "s3cr3t" not in caplog.text
    assert streamed[:-1] not in caplog.text


async def test_one_connection_that_cannot_be_looked_at_does_not_end_the_looks_at_all(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Pings and the ends of tokens go on for everybody else."""

    class Broken:
        name, subprotocol, binary = "broken", "broken", False
        restores, replies, pings = False, True, True

        def decode(self, frame: str | bytes) -> Command:
            raise AssertionError

        def encode(self, event: Event) -> str | None:
            if isinstance(event, PingEvent):
                raise ValueError("this codec has a fault")
            return None

    async with running(node := cable([Feed], limits=CableLimits(ping_seconds=0.05))):
        await client(node, Broken())
        someone = await client(node, V1)
        await eventually(lambda: sum(frame.get("type") == "ping" for frame in someone.frames()) >= 3)
    assert "could not be looked at" in caplog.text
