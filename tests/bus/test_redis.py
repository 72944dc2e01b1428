"""What is Redis' own: its keys, its settings, and what others may write there."""

import logging
import secrets
from typing import Any

import pytest
from redis import exceptions

from lineside.bus import BackendOptions, Bus, BusUnavailable, HistoryLimits
from lineside.bus._envelope import Envelope
from lineside.bus._redis._client import RedisClient
from lineside.bus.redis import RedisBackend
from lineside.testing._bus_nodes import Collector, until
from tests.services import Redis, running_redis

pytestmark = [pytest.mark.anyio, pytest.mark.services]

KEPT = HistoryLimits()
SECRET = "an example secret of 32 bytes or more"


def client_of(bus: Bus) -> Any:
    """The plain client, as somebody else would have one."""
    assert isinstance(bus.backend, RedisBackend)
    return bus.backend._commands.client


def new_namespace() -> str:
    return f"t{secrets.token_hex(6)}"


@pytest.mark.parametrize("signed", [False, True])
async def test_what_others_write_is_skipped_and_the_node_lives_on(redis: Redis, signed: bool) -> None:
    """On the channel and in the log: garbage, forgeries, positions from nowhere, ten megabytes."""
    namespace = new_namespace()
    async with Bus(redis.url, namespace=namespace, secret=SECRET if signed else None) as bus:
        heard = Collector()
        await bus.subscribe("s", heard, history=True)
        first = await bus.publish("s", b"1", history=KEPT)
        await heard.has(1)
        assert first.position is not None
        client, channel = client_of(bus), f"lineside:{{{namespace}}}:0:s:s"
        forged = Envelope(BackendOptions(namespace=namespace, secrets=[SECRET[::-1]])).encode(
            heard.messages[0]
        )
        foreign = Envelope(BackendOptions(namespace="other")).encode(heard.messages[0])
        at = f"+{first.position.epoch} 2\n".encode()
        odd = [b"", b"{}", b"LB", b"\xff" * 100, b"x" * 10_000_000]
        odd += [b"+", b"+x\n", b"+x y\n", b"+e -1\n", b"+\xff 1\nx", at + b"LB"]
        for raw in [*odd, foreign, *([forged, at + forged] if signed else [])]:
            await client.publish(channel, raw)
        await client.xadd(f"lineside:{{{namespace}}}:l:s", {"p": "0", "t": "9e15", "d": b"garbage"}, id="2-0")
        await client.hset(f"lineside:{{{namespace}}}:h:s", "o", 2)
        third = await bus.publish("s", b"3", history=KEPT)
        await bus.publish("s", b"unkept")
        await heard.has(3)
        assert sorted(heard.data) == [b"1", b"3", b"unkept"]
        assert third.position is not None
        assert third.position.offset == 3
        read = await bus.read("s", after=first.position)
        assert ([message.data for message in read.messages], read.complete) == ([b"3"], True)
        assert sum(count for event, count in bus.stats.counts.items() if event.startswith("skipped_")) >= 11
        assert bus.connected
        assert heard.discontinuities == []


async def test_databases_of_one_server_are_apart(redis: Redis) -> None:
    """Redis' channels know nothing of them; ours do."""
    namespace, other_url = new_namespace(), redis.url[:-1] + "1"
    async with Bus(redis.url, namespace=namespace) as one, Bus(other_url, namespace=namespace) as other:
        heard = Collector()
        await other.subscribe("s", heard, history=True)
        await one.publish("s", b"not for you", history=KEPT)
        await one.publish("s", b"not for you")
        await other.publish("s", b"yours", history=KEPT)
        await heard.has(1)
        assert heard.data == [b"yours"]


async def test_every_key_of_a_stream_expires(redis: Redis) -> None:
    """Nothing grows for ever, whatever the names are."""
    namespace = new_namespace()
    async with Bus(redis.url, namespace=namespace) as bus:
        await bus.publish("s", b"x", history=HistoryLimits(10, 60.0), idempotency_key="k")
        await bus.read("never published to")
        client = client_of(bus)
        lives = {
            key.decode().split(":", 2)[2][0]: await client.pttl(key)
            async for key in client.scan_iter(match=f"lineside:{{{namespace}}}:*")
            if not key.endswith(b":server")
        }
        assert set(lives) == {"h", "l", "d"}
        assert all(0 < life <= 3_600_000 for life in lives.values())
        assert 60_000 < lives["l"] <= 61_000


async def test_a_log_has_as_many_entries_as_its_limit_says(redis: Redis) -> None:
    """Exactly, not about."""
    namespace = new_namespace()
    async with Bus(redis.url, namespace=namespace) as bus:
        for number in range(50):
            await bus.publish("s", b"%d" % number, history=HistoryLimits(messages=7))
        assert await client_of(bus).xlen(f"lineside:{{{namespace}}}:l:s") == 7
        await bus.publish("s", b"last", history=HistoryLimits(messages=3))
        assert await client_of(bus).xlen(f"lineside:{{{namespace}}}:l:s") == 3


async def test_an_epoch_that_is_gone_takes_its_offsets_with_it(redis: Redis) -> None:
    """Evicted or expired: the counter never begins anew under the old name."""
    namespace = new_namespace()
    async with Bus(redis.url, namespace=namespace) as bus:
        before = (await bus.publish("s", b"x", history=KEPT)).position
        await client_of(bus).delete(f"lineside:{{{namespace}}}:h:s")
        after = (await bus.publish("s", b"y", history=KEPT)).position
        assert before is not None
        assert after is not None
        assert (after.offset, after.epoch != before.epoch) == (1, True)
        assert [message.data for message in (await bus.read("s")).messages] == [b"y"]


async def test_durability_is_said_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """And where it is none, whoever asks for history is warned, once."""
    expected = {
        ("--appendonly", "no"): "none",
        ("--appendonly", "yes"): "process",
        ("--appendonly", "yes", "--appendfsync", "always"): "power",
    }
    for arguments, durability in expected.items():
        caplog.clear()
        with running_redis(*arguments) as server:
            async with Bus(server.url) as bus:
                assert isinstance(bus.backend, RedisBackend)
                assert await bus.backend.durability() == durability
                await bus.subscribe("a", Collector())
                assert "append-only" not in caplog.text
                await bus.subscribe("b", Collector(), history=True)
                await bus.subscribe("c", Collector(), history=True)
                assert caplog.text.count("append-only") == (durability == "none")


async def test_a_wrong_password_is_told_at_once_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Trying again would change nothing."""
    with running_redis("--requirepass", "right") as server:
        host = server.url.partition("://")[2]
        with caplog.at_level(logging.DEBUG, "lineside.bus"), pytest.raises(BusUnavailable) as raised:
            await Bus(f"redis://:hunter2@{host}").connect()
        assert "hunter2" not in f"{raised.value!r} {raised.value} {caplog.text}"
        async with Bus(f"redis://:right@{host}") as bus:
            await bus.ping()
            assert "right" not in repr(bus.backend)


async def test_a_server_that_is_not_there_is_told_within_the_deadline() -> None:
    """With the address, and what to do."""
    with pytest.raises(BusUnavailable, match=r"within 0\.3 s .*try again later"):
        await Bus("redis://127.0.0.1:1/0", deadline_seconds=0.3).connect()


async def test_a_full_store_raises_and_recovers() -> None:
    """A kept message that cannot be kept is an error, never a silence."""
    with running_redis("--maxmemory-policy", "noeviction") as server:
        async with Bus(server.url, deadline_seconds=1.0) as bus:
            heard = Collector()
            await bus.subscribe("s", heard, history=True)
            await client_of(bus).config_set("maxmemory", "1")
            with pytest.raises(BusUnavailable, match="Redis refused"):
                await bus.publish("s", b"x", history=KEPT)
            await client_of(bus).config_set("maxmemory", "0")
            await bus.publish("s", b"y", history=KEPT)
            await heard.has(1)
            assert heard.data == [b"y"]


async def test_a_node_that_may_not_ask_for_the_servers_state_works_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Some hosts forbid INFO: then nobody can see whether a restart has lost messages."""
    with running_redis() as server:
        async with Bus(server.url) as admin:
            await client_of(admin).execute_command(
                "ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", "-info"
            )
        async with Bus(server.url.replace("redis://", "redis://app:pw@")) as bus:
            heard = Collector()
            await bus.subscribe("s", heard, history=True)
            await bus.publish("s", b"x", history=KEPT)
            await heard.has(1)
        assert caplog.text.count("cannot tell whether Redis has lost messages") == 1


async def test_a_killed_connection_comes_back(redis: Redis) -> None:
    """Redis itself may cut a listener that is too slow; its messages are brought from the log."""
    async with Bus(redis.url, namespace=new_namespace()) as bus:
        heard, told = Collector(), list[str]()
        bus.on_lost(told.append)
        await bus.subscribe("s", heard, history=True)
        await client_of(bus).client_kill_filter(_type="pubsub")
        await bus.publish("s", b"x", history=KEPT)
        await heard.has(1)
        await until(lambda: bus.connected and told, what="the bus is back")
        assert heard.data == [b"x"]


class _StillLoading:
    """A connection to a server that reads its file: it says ``aof_enabled:0`` meanwhile."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def on_connect(self) -> None:
        """Greet as the client does."""

    async def send_command(self, name: str, *_: Any, check_health: bool) -> None:
        self.sent.append(name)

    async def read_response(self) -> bytes:
        return b"loading:1\r\naof_enabled:0\r\nrun_id:abc\r\n"


async def test_a_server_that_reads_its_file_has_lost_nothing_yet(redis_url: str) -> None:
    """What it says of its file then is not asked for a second time, and would cost every reader its place."""
    connection = _StillLoading()
    with pytest.raises(exceptions.BusyLoadingError):
        await RedisClient(redis_url, prefix="x", deadline_seconds=1.0)._greet(connection)
    assert connection.sent == ["INFO"]
