"""Server-Sent Events: the same channels and rules over plain HTTP, without losing anything."""

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest

from lineside.cable import AnonymousRights, CableLimits, Channel, SignedStreams
from lineside.cable.fastapi import CableRouter, cable_router
from tests.cable.fastapi.apps import app_with, site
from tests.cable.fastapi.event_source import Event, listening
from tests.cable.server.cables import until

pytestmark = pytest.mark.anyio


class News(Channel):
    public = True

    async def subscribed(self, topic: str = "all") -> None:
        await self.stream_from(f"news:{topic}")


class Private(Channel):
    async def subscribed(self) -> None:
        self.reject("only for members")


def router(**options: Any) -> CableRouter:
    return cable_router([News, Private], public_streams=["open:*"], **options)


def identifier(topic: str) -> str:
    return json.dumps({"channel": "News", "topic": topic})


async def test_a_channel_is_listened_to_over_http() -> None:
    cables = router()
    async with site(app_with(cables)) as served:
        async with listening(served, "channel=News") as source:
            welcome = await source.next()
            assert (welcome.type, welcome.data["type"]) == ("welcome", "welcome")
            confirmed = await source.next()
            assert confirmed == Event(
                "confirm_subscription",
                {"type": "confirm_subscription", "identifier": '{"channel":"News"}'},
                "",
            )
            await cables.cable.broadcast("news:all", {"text": "é\n"})
            received = await source.next()
            assert (received.type, received.data) == (
                "message",
                {"identifier": '{"channel":"News"}', "message": {"text": "é\n"}},
            )
            assert received.id.startswith("1/news:all/")
        await until(lambda: not cables.cable.connections)


async def test_raw_is_the_bare_message_and_an_identifier_has_parameters() -> None:
    cables = router()
    async with (
        site(app_with(cables)) as served,
        listening(served, f"identifier={quote(identifier('sport'))}&raw=1") as source,
    ):
        await source.next()
        await source.next()
        await cables.cable.broadcast("news:sport", [1, 2])
        received = await source.next()
        assert received.data == [1, 2]


async def test_a_client_goes_on_where_it_was_cut_off() -> None:
    cables = router()
    async with site(app_with(cables)) as served:
        async with listening(served, "channel=News&raw=1") as source:
            await source.next()
            await source.next()
            await cables.cable.broadcast("news:all", 1)
            assert (await source.next()).data == 1
            last_id = source.last_id
        for number in (2, 3):
            await cables.cable.broadcast("news:all", number)
        async with listening(served, "channel=News&raw=1", last_id=last_id) as source:
            await cables.cable.broadcast("news:all", 4)
            found = [await source.next() for _ in range(6)]
    assert [each.data for each in found if each.type == "message"] == [2, 3, 4]
    assert "confirm_history" in [each.type for each in found]


async def test_a_client_that_has_heard_nothing_yet_misses_nothing_either() -> None:
    cables = router()
    async with site(app_with(cables)) as served:
        await cables.cable.broadcast("news:all", "before")
        async with listening(served, "channel=News&raw=1") as source:
            await source.next()
            await source.next()
            # Its id comes without an event: the stream has one when the line was read.
            reading = asyncio.create_task(source.next(pings=True))
            await until(lambda: source.last_id)
            last_id = source.last_id
            reading.cancel()
        await cables.cable.broadcast("news:all", "between")
        async with listening(served, "channel=News&raw=1", last_id=last_id) as source:
            found = [await source.next() for _ in range(3)]
    assert found[-1].data == "between"


async def test_several_streams_go_on_each_from_its_own_place() -> None:
    cables = router()
    query = "channels=open:a,%20open:b,,"
    async with site(app_with(cables)) as served:
        async with listening(served, query) as source:
            kinds = [await source.next() for _ in range(3)]
            assert [(each.type, each.data) for each in kinds] == [
                ("connected", {"message": "Connected to SSE server"}),
                ("subscribed", {"channel": "open:a"}),
                ("subscribed", {"channel": "open:b"}),
            ]
            await cables.cable.broadcast("open:a", "a1")
            assert (await source.next()).data == "a1"
            last_id = source.last_id
        await cables.cable.broadcast("open:b", "b1")
        await cables.cable.broadcast("open:a", "a2")
        async with listening(served, query, last_id=last_id) as source:
            missed: list[Any] = []
            while len(missed) < 2:
                event = await source.next()
                if event.type == "message":
                    missed.append(event.data)
    assert sorted(missed) == ["a2", "b1"]


async def test_what_cannot_be_brought_back_is_told() -> None:
    async with (
        site(app_with(router())) as served,
        listening(served, "channel=News", last_id="7/news:all/another-life") as source,
    ):
        found = [await source.next() for _ in range(3)]
    assert [each.type for each in found] == [
        "welcome",
        "confirm_subscription",
        "reject_history",
    ]


async def test_history_since_a_time_comes_first() -> None:
    cables = router()
    async with site(app_with(cables)) as served:
        await cables.cable.broadcast("news:all", "old")
        async with listening(served, "channel=News&raw=1&history_since=0") as source:
            found = [await source.next() for _ in range(3)]
    assert found[2].data == "old"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 422),
        ("channel=Unknown", 422),
        ("channel=Private", 403),
        ("stream=secret", 403),
        ("signed_stream=forged--00", 403),
        ("identifier=%7B", 422),
        ("channels=,,", 422),
        ("history_since=nan&channel=News", 422),
        ("channel=News&channel=" + "x" * 5_000, 422),
    ],
)
async def test_what_may_not_be_listened_to_is_refused_before_the_stream(query: str, status: int) -> None:
    cables = router()
    async with site(app_with(cables)) as served:
        answer = await served.http.get(f"/cable/events?{query}")
        assert answer.status_code == status
        assert "detail" in answer.json()
        assert not cables.cable.connections


@pytest.mark.parametrize("last_id", ["x", "1/2", "-1/a/b", "1//b", "1/a/" + "e" * 100, "1/a/b," * 70])
async def test_an_id_that_is_none_of_ours_is_refused(last_id: str) -> None:
    async with site(app_with(router())) as served:
        answer = await served.http.get("/cable/events?channel=News", headers={"Last-Event-ID": last_id})
    assert answer.status_code == 422


async def test_one_refused_subscription_of_several_is_told_and_the_others_go_on() -> None:
    cables = router()
    async with (
        site(app_with(cables)) as served,
        listening(served, "channels=open:a,secret") as source,
    ):
        found = [await source.next() for _ in range(3)]
        assert [each.type for each in found] == [
            "connected",
            "subscribed",
            "reject_subscription",
        ]


async def test_signed_streams_are_listened_to_by_their_token() -> None:
    signed = SignedStreams("a secret that is long enough for signing names")
    cables = router(signed_streams=signed)
    async with (
        site(app_with(cables)) as served,
        listening(served, f"signed_stream={quote(signed.sign('chat/1'))}&raw=1") as source,
        served.client() as socket,
    ):
        await source.next()
        await source.next()
        name = await socket.subscribed("Turbo::StreamsChannel", signed_stream_name=signed.sign("chat/1"))
        await cables.cable.broadcast("chat/1", "hello")
        event = await source.next()
        assert event.data == "hello"
        assert (await socket.next())["identifier"] == name


async def test_origin_and_authentication_are_those_of_the_socket() -> None:
    async def nobody() -> None:
        """Know nobody."""

    async with site(app_with(router(authenticate=nobody))) as served:
        assert (await served.http.get("/cable/events?channel=News")).status_code == 401
    guests = router(authenticate=nobody, anonymous=AnonymousRights([]), origins=["https://a.example"])
    async with site(app_with(guests)) as served:
        evil = {"Origin": "https://evil.example"}
        assert (await served.http.get("/cable/events?channel=News", headers=evil)).status_code == 403
        good = {"Origin": "https://a.example"}
        async with served.http.stream("GET", "/cable/events?channel=News", headers=good) as answer:
            assert answer.headers["access-control-allow-origin"] == "https://a.example"


async def test_named_events_reach_listeners_of_their_name() -> None:
    cables = router()
    async with site(app_with(cables)) as served, listening(served, "channel=News&raw=1") as source:
        await source.next()
        await source.next()
        await cables.cable.sse.data_update("news:all", "posts", "create", {"id": 1})
        await cables.cable.sse.progress("news:all", "t1", 50, "half")
        await cables.cable.sse.notification("news:all", "Title", "Text", "warning")
        await cables.cable.broadcast("news:all", 1, type="two\nlines")
        found = [await source.next() for _ in range(4)]
    said = [
        (each.type, dict(each.data, time="") if each.type != "two lines" else each.data)
        for each in found
        if each
    ]
    assert said == [
        ("data_update", {"entity": "posts", "action": "create", "data": {"id": 1}, "time": ""}),
        ("progress", {"taskID": "t1", "progress": 50, "message": "half", "time": ""}),
        ("notification", {"title": "Title", "message": "Text", "level": "warning", "time": ""}),
        ("two lines", 1),
    ]


async def test_heartbeats_keep_the_stream_alive() -> None:
    cables = router(limits=CableLimits(ping_seconds=0.2))
    async with site(app_with(cables)) as served, listening(served, "channel=News") as source:
        while True:
            event = await source.next(pings=True)
            if event.type == "ping":
                break


async def test_a_drain_ends_the_stream_and_lets_the_client_come_back() -> None:
    cables = router()
    async with site(app_with(cables)) as served, listening(served, "channel=News") as source:
        await source.next()
        await source.next()
        draining = asyncio.create_task(cables.cable.drain(seconds=0))
        event = await source.next()
        assert (event.type, event.data["reason"], event.data["reconnect"]) == (
            "disconnect",
            "server_restart",
            True,
        )
        assert source.retry_ms is None
        with pytest.raises(EOFError):
            await source.next()
        await draining
        assert (await served.http.get("/cable/events?channel=News")).status_code == 503


async def test_who_may_not_come_back_is_told_to_wait_for_ever() -> None:
    cables = router()
    async with site(app_with(cables)) as served, listening(served, "channel=News") as source:
        await source.next()
        await source.next()
        (connection,) = cables.cable.connections.values()
        await cables.cable.disconnect({"client_id": connection.client_id}, reconnect=False)
        assert (await source.next()).data["reconnect"] is False
        assert source.retry_ms is not None
        assert source.retry_ms > 10**9


async def test_a_client_that_does_not_read_is_cut_off_within_its_bound() -> None:
    limits = CableLimits(outbox_bytes=100_000, close_seconds=0.2)
    cables = router(limits=limits)
    async with site(app_with(cables)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1_000)
        writer.write(b"GET /cable/events?channel=News&raw=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await until(lambda: cables.cable.connections)
        (connection,) = cables.cable.connections.values()
        await until(lambda: connection.subscriptions)
        largest = 0
        while cables.cable.connections:
            await cables.cable.broadcast("news:all", "x" * 50_000, history=False)
            largest = max(largest, connection.outbox.size + connection.wire.pending_bytes())
            await asyncio.sleep(0)
        assert cables.cable.stats.slow_clients == 1
        assert largest < 500_000
        writer.close()
        del reader
