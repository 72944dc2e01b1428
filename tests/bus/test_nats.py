"""What is NATS' own: its URL, its ways of writing things down, and servers that lack something."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineside.bus import (
    Bus,
    BusUnavailable,
    GroupFullError,
    HistoryLimits,
    MessageTooLargeError,
)
from lineside.bus._nats._jetstream import place_of, seconds_of
from lineside.bus._nats._known import Known
from lineside.bus._nats._subjects import Subjects, token_of
from lineside.bus.nats import NatsBackend
from lineside.exceptions import ConfigurationError
from lineside.testing._bus_nodes import Collector
from tests.services import Nats, Server, _free_port, running_nats

KEPT = HistoryLimits(messages=100)


@pytest.fixture
def own() -> Iterator[Nats]:
    """A NATS server that only this test has."""
    with running_nats() as server:
        yield server


@pytest.fixture
def without_jetstream(nats: Nats, tmp_path: Path) -> Iterator[str]:
    """A NATS server that keeps nothing; `nats` is asked for so that a missing one is told."""
    program, port = shutil.which("nats-server") or "", _free_port()
    server = Server((program, "--addr", "127.0.0.1", "--port", str(port)), port=port, data=tmp_path / "data")
    server.start()
    yield f"nats://127.0.0.1:{port}"
    server.stop()


def test_a_place_is_read_from_both_forms_of_a_reply_subject() -> None:
    """The newer form has the domain and the account's hash in front, and a random token behind."""
    short = "$JS.ACK.log.c1.1.7.3.1795288520111688133.2"
    long = "$JS.ACK.hub.ACCHASH.log.c1.1.7.3.1795288520111688133.2.random"
    for reply in (short, long):
        place = place_of(reply)
        assert place is not None
        assert (place.sequence, place.delivery, place.pending) == (7, 3, 2)
        assert place.stored_at == pytest.approx(1795288520.111688)


@pytest.mark.parametrize(
    "reply", ["", "_INBOX.x", "$JS.ACK.log.c1.1.7.3", "$JS.ACK.log.c1.1.x.3.4.5", "$JS.FC.log.c1.1.2.3.4.5"]
)
def test_what_is_no_place_is_none(reply: str) -> None:
    """Anybody may publish to an inbox."""
    assert place_of(reply) is None


def test_times_are_read_to_the_nanosecond_as_far_as_a_float_goes() -> None:
    """With and without fractions, in any zone."""
    assert seconds_of("2026-11-21T19:15:20.109249507Z") == pytest.approx(1795288520.109249507)
    assert seconds_of("2026-11-21T19:15:20Z") == 1795288520.0
    assert seconds_of("2026-11-21T20:15:20.5+01:00") == 1795288520.5


def test_a_stream_that_is_known_from_the_start_is_known_to_be_quiet() -> None:
    """What lies in front of the beginning is not known, and what has been forgotten is not either."""
    known = Known(size=2)
    assert known.behind("a", 5) is None
    known.begin(10, at=0.0)
    assert known.behind("a", 9) is None
    assert known.behind("a", 10) == []
    known.saw("a", 11)
    known.saw("a", 15)
    assert known.behind("a", 10) == [11, 15]
    assert (known.behind("a", 11), known.behind("a", 15)) == ([15], [])
    known.saw("b", 16)
    known.saw("c", 17)
    assert known.behind("a", 11) is None
    assert known.behind("a", 15) == []
    assert (known.last("a"), known.last("b")) == (15, 16)


def test_a_long_chain_forgets_its_beginning() -> None:
    """Bounded, and still right."""
    known = Known()
    known.begin(0, at=0.0)
    for sequence in range(1, 101):
        known.saw("a", sequence)
    assert known.behind("a", 50) is None
    assert known.behind("a", 90) == list(range(91, 101))


def test_names_of_streams_never_stand_in_subjects() -> None:
    """A name is data: no wildcard, no dot, no line break."""
    subjects = Subjects("app")
    for name in ("*", ">", "a.b", "a b", "a\r\nPUB x 0", "ü"):
        assert subjects.live(name) == f"ls.app.{token_of(name)}.live"
        assert token_of(name).isalnum()


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("nats://127.0.0.1?storage=tape", "'file' or 'memory'"),
        ("nats://127.0.0.1?replicas=7", "from 1 to 5"),
        ("nats://127.0.0.1?colour=red", "not colour"),
        ("nats://", "names a server"),
    ],
)
def test_a_wrong_url_says_what_is_right(url: str, match: str) -> None:
    """Before anything is opened."""
    with pytest.raises(ConfigurationError, match=match):
        NatsBackend(url)


def test_a_url_may_name_several_servers() -> None:
    """The user and the password are those of each."""
    from lineside.bus.nats import _read_url

    servers, storage, replicas = _read_url("nats://u:p@one:4222,two:4223/?storage=memory&replicas=3")
    assert servers == ["nats://u:p@one:4222", "nats://u:p@two:4223"]
    assert (storage, replicas) == ("memory", 3)


@pytest.mark.anyio
@pytest.mark.services
async def test_without_jetstream_core_nats_is_enough(without_jetstream: str) -> None:
    """Only what needs a log says what is missing."""
    async with Bus(without_jetstream, deadline_seconds=0.5) as bus:
        heard = Collector()
        await bus.subscribe("s", heard)
        await bus.publish("s", b"x")
        await heard.has(1)
        for work in (
            bus.publish("s", b"x", history=KEPT),
            bus.subscribe("kept", heard, history=True),
            bus.require_membership().beat("n", {}, ttl_seconds=5),
        ):
            with pytest.raises(BusUnavailable, match="nats-server with -js"):
                await work


@pytest.mark.anyio
@pytest.mark.services
async def test_a_server_that_is_not_there_is_told_in_time() -> None:
    """And the password is in no message."""
    bus = Bus(f"nats://user:hunter2secret@127.0.0.1:{_free_port()}", deadline_seconds=0.5)
    with pytest.raises(BusUnavailable) as caught:
        await bus.connect()
    assert "hunter2secret" not in str(caught.value)
    await bus.close()


@pytest.mark.anyio
@pytest.mark.services
async def test_a_message_that_the_server_does_not_take_is_refused(own: Nats) -> None:
    """The server's limit, not ours: the error names the setting."""
    async with Bus(own.url) as bus:
        for history in (None, KEPT):
            with pytest.raises(MessageTooLargeError, match="max_payload"):
                await bus.publish("s", b"x" * 2_000_000, history=history)
        assert bus.connected


@pytest.mark.anyio
@pytest.mark.services
async def test_a_stream_that_somebody_else_has_made_is_left_alone(own: Nats) -> None:
    """A log without our mark is not ours."""
    async with Bus(own.url, deadline_seconds=1.0) as bus:
        jetstream: Any = bus.history._jetstream  # type: ignore[union-attr]
        config = {"name": "ls-lineside-history", "subjects": ["mine"], "storage": "file"}
        await jetstream.call("STREAM.CREATE.ls-lineside-history", config)
        with pytest.raises(Exception, match="another namespace"):
            await bus.publish("s", b"x", history=KEPT)


@pytest.mark.anyio
@pytest.mark.services
async def test_the_log_grows_with_what_is_wanted_of_it(own: Nats) -> None:
    """Two nodes with different limits: the wider ones hold, for both at the same time too."""
    async with Bus(own.url) as one, Bus(own.url) as other:
        await asyncio.gather(
            one.publish("a", b"x", history=HistoryLimits(messages=7, age_seconds=400)),
            other.publish("b", b"x", history=HistoryLimits(messages=3, age_seconds=900)),
        )
        log: Any = one.backend._reader._log  # type: ignore[attr-defined]
        state = await log.look()
        assert (state.messages, state.age_seconds, state.least) in {(7, 900.0, 7), (7, 900.0, 3)}


@pytest.mark.anyio
@pytest.mark.services
async def test_a_limit_holds_while_nodes_are_killed_and_come_back(own: Nats) -> None:
    """Forty join ten places over two connections while the server restarts."""
    async with Bus(own.url, deadline_seconds=8.0) as one, Bus(own.url, deadline_seconds=8.0) as other:
        for bus, node in ((one, "n1"), (other, "n2")):
            await bus.require_membership().beat(node, {}, ttl_seconds=60)

        async def join(number: int) -> bool:
            bus, node = (one, "n1") if number % 2 else (other, "n2")
            try:
                await bus.require_presence().join("room", f"m{number}", f"s{number}", node=node, limit=10)
            except GroupFullError:
                return False
            return True

        joining = [asyncio.create_task(join(number)) for number in range(40)]
        await asyncio.sleep(0.01)
        own.kill()
        await asyncio.to_thread(own.restart)
        joined = await asyncio.gather(*joining)
        assert sum(joined) == 10
        assert await one.require_presence().count("room") == 10


@pytest.mark.anyio
@pytest.mark.services
async def test_what_is_over_leaves_nothing_behind(own: Nats) -> None:
    """Groups, nodes and grace periods that have ended have no keys any more."""
    async with Bus(own.url) as bus:
        presence, membership = bus.require_presence(), bus.require_membership()
        await membership.beat("n1", {}, ttl_seconds=60)
        for number in range(20):
            await presence.join(f"room {number}", "m", f"s{number}", node="n1")
        await presence.leave("room 0", "m", "s0", grace_seconds=0.05)
        await membership.depart("n1")
        departed: list[Any] = []

        async def all_gone() -> None:
            while len(departed) < 20:
                departed.extend(await presence.expire())
                await asyncio.sleep(0.02)

        await asyncio.wait_for(all_gone(), 10)
        await presence.expire()
        assert sorted(told.group for told in departed) == sorted(f"room {number}" for number in range(20))
        groups: Any = presence._state.groups  # type: ignore[attr-defined]
        keys = [key for pattern in ("group.*", "grace.*", "node.*") for key in await groups._keys(pattern)]
        assert keys == []


@pytest.mark.anyio
@pytest.mark.services
async def test_many_readers_at_once_leave_no_consumers_behind(own: Nats) -> None:
    """Each reading has a consumer of its own, for as long as it takes."""
    async with Bus(own.url) as bus:
        for number in range(50):
            await bus.publish("s", b"%d" % number, history=KEPT)
        found = await asyncio.gather(*(bus.read("s") for _ in range(100)))
        assert all([m.data for m in one.messages] == [b"%d" % n for n in range(50)] for one in found)
        jetstream: Any = bus.history._jetstream  # type: ignore[union-attr]
        left: list[int] = []

        async def only_ours() -> None:
            while not left or left[-1] > 1:
                left.append((await jetstream.call("CONSUMER.NAMES.ls-lineside-history", {}))["total"])
                await asyncio.sleep(0.02)

        await asyncio.wait_for(only_ours(), 10)
