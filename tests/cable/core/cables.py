"""Cables and clients for the tests of the core: real channels, real codecs, no sockets."""

import json
from collections.abc import Sequence
from typing import Any

from lineside.bus.memory import MemoryBackend, MemoryBroker
from lineside.cable import Cable, CableLimits, Channel, ChannelRegistry
from tests.cable.fakes import FakeClient, client

EXT = "actioncable-v1-ext-json"
V1 = "actioncable-v1-json"


def identifier(channel: str, **params: Any) -> str:
    """Return an identifier as JavaScript clients write it."""
    return json.dumps({"channel": channel, **params})


def cable(
    channels: Sequence[type[Channel]],
    *,
    broker: MemoryBroker | None = None,
    limits: CableLimits | None = None,
    **more: Any,
) -> Cable:
    """Make a cable, which is a node of its own; nodes with one broker are one cluster."""
    return Cable(
        ChannelRegistry(channels), bus=MemoryBackend(broker or MemoryBroker()), limits=limits, **more
    )


async def subscribe(connected: FakeClient, name: str, **more: Any) -> Any:
    """Subscribe, and return the confirmation or the rejection."""
    await connected.send({"command": "subscribe", "identifier": name, **more})
    return await connected.receive(
        lambda frame: frame.get("identifier") == name and str(frame.get("type")).endswith("_subscription")
    )


def messages(connected: FakeClient, name: str) -> list[Any]:
    """Return the messages that a client has shown its application, in order."""
    return [
        frame["message"]
        for frame in connected.frames()
        if frame.get("identifier") == name and "type" not in frame
    ]


def types(connected: FakeClient) -> list[str]:
    """Return the types of a client's frames, ``message`` for those without one; pings are left out."""
    return [kind for frame in connected.frames() if (kind := frame.get("type", "message")) != "ping"]


__all__ = ["EXT", "V1", "cable", "client", "identifier", "messages", "subscribe", "types"]
