"""Testing: drive an app from pytest, in process, without a server.

    from fastapi import FastAPI
    from lineside.testing import TestApp

    app = FastAPI()

    @app.get("/posts")
    async def posts() -> list[str]:
        return ["Hello"]

    with TestApp(app) as client:
        client.get("/posts").assert_status(200).assert_json(["Hello"])
        client.get("/nothing").assert_problem(404, "Not Found")

A cable's channels, connections and broadcasts are tested without sockets:

    import asyncio
    from lineside.cable import Channel
    from lineside.testing import assert_broadcast_on, channel_test

    class Chat(Channel):
        public = True

        async def subscribed(self, room: int) -> None:
            await self.stream_from(f"room:{room}")

        async def speak(self, text: str) -> None:
            await self.broadcast(f"room:{self.params['room']}", {"text": text})

    async def test_speaking() -> None:
        async with channel_test(Chat, room=1) as chat:
            chat.assert_has_stream("room:1")
            async with assert_broadcast_on(chat.cable, "room:1", {"text": "Hello"}):
                await chat.perform("speak", text="Hello")

    asyncio.run(test_speaking())

Any FastAPI app will do; it need not use anything else of ours. The pytest plugin, which is there as
soon as lineside is installed, has the fixtures ``test_app`` and ``capture_events``.
"""

import importlib
import typing

from lineside.testing._abilities import assert_all_authorized, assert_can, assert_cannot
from lineside.testing._app import TestApp
from lineside.testing._bus_conformance import BusConformance
from lineside.testing._database import TestDatabase
from lineside.testing._events import EventLog, capture_events
from lineside.testing._factories import Factory
from lineside.testing._factory_attributes import Association, Sequence, Trait, Transient, Values
from lineside.testing._queries import assert_no_n_plus_one, assert_no_queries, assert_queries_count
from lineside.testing._response import TestResponse
from lineside.testing._transactional import TransactionalTests, transactional_tests

if typing.TYPE_CHECKING:
    from lineside.testing._cable_broadcasts import (
        assert_broadcast_on,
        assert_broadcasts,
        assert_no_broadcasts,
        broadcasts,
        present_on,
    )
    from lineside.testing._cable_channel import channel_test
    from lineside.testing._cable_channel_test import ChannelTest
    from lineside.testing._cable_client import CableClient
    from lineside.testing._cable_connect import assert_reject_connection, connect
    from lineside.testing._cable_refusals import ConnectionRejected
    from lineside.testing._cable_running import running
    from lineside.testing._cable_subscription import CableSubscription

# A cable brings pydantic along: who tests none does not load it. pytest loads this door in every project.
_LAZY = {
    "CableClient": "_cable_client",
    "CableSubscription": "_cable_subscription",
    "ChannelTest": "_cable_channel_test",
    "ConnectionRejected": "_cable_refusals",
    "assert_broadcast_on": "_cable_broadcasts",
    "assert_broadcasts": "_cable_broadcasts",
    "assert_no_broadcasts": "_cable_broadcasts",
    "assert_reject_connection": "_cable_connect",
    "broadcasts": "_cable_broadcasts",
    "channel_test": "_cable_channel",
    "connect": "_cable_connect",
    "present_on": "_cable_broadcasts",
    "running": "_cable_running",
}

__all__ = [
    "Association",
    "BusConformance",
    "CableClient",
    "CableSubscription",
    "ChannelTest",
    "ConnectionRejected",
    "EventLog",
    "Factory",
    "Sequence",
    "TestApp",
    "TestDatabase",
    "TestResponse",
    "Trait",
    "TransactionalTests",
    "Transient",
    "Values",
    "assert_all_authorized",
    "assert_broadcast_on",
    "assert_broadcasts",
    "assert_can",
    "assert_cannot",
    "assert_no_broadcasts",
    "assert_no_n_plus_one",
    "assert_no_queries",
    "assert_queries_count",
    "assert_reject_connection",
    "broadcasts",
    "capture_events",
    "channel_test",
    "connect",
    "present_on",
    "running",
    "transactional_tests",
]


def __getattr__(name: str) -> typing.Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
