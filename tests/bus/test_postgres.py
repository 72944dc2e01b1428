"""What is PostgreSQL's own: its tables, who may make them, and what is swept out of them."""

import asyncio
from typing import Any

import asyncpg
import pytest

from lineside.bus import Bus, BusError, BusUnavailable, HistoryLimits
from lineside.bus.postgres import SCHEMA
from lineside.exceptions import ConfigurationError
from tests.services import _free_port

pytestmark = [pytest.mark.anyio, pytest.mark.services]


async def fetch(url: str, sql: str, *arguments: object) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        rows: list[Any] = await connection.fetch(sql, *arguments)
        return rows
    finally:
        await connection.close()


async def a_database(url: str, name: str) -> str:
    """Make a database of the test's own, and return its URL."""
    await fetch(url, f"DROP DATABASE IF EXISTS {name}")
    await fetch(url, f"CREATE DATABASE {name}")
    return url.rpartition("/")[0] + f"/{name}"


async def test_nodes_that_start_together_make_the_tables_once(postgres_url: str) -> None:
    """Ten at the same time on an empty database."""
    url = await a_database(postgres_url, "bus_together")
    buses = [Bus(url) for _ in range(10)]
    await asyncio.gather(*(bus.connect() for bus in buses))
    await asyncio.gather(*(bus.close() for bus in buses))


async def test_the_schema_can_be_run_again(postgres_url: str) -> None:
    """By hand, before or after."""
    url = await a_database(postgres_url, "bus_again")
    connection = await asyncpg.connect(url)
    await connection.execute(SCHEMA)
    await connection.execute(SCHEMA)
    await connection.close()
    async with Bus(url) as bus:
        await bus.publish("s", b"x", history=HistoryLimits())


async def test_a_user_who_may_not_create_tables_is_told_what_to_do(postgres_url: str) -> None:
    """Never a half-made schema."""
    url = await a_database(postgres_url, "bus_forbidden")
    await fetch(url, "DROP ROLE IF EXISTS bus_guest")
    await fetch(url, "CREATE ROLE bus_guest LOGIN PASSWORD 'guest-password'")
    await fetch(url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    guest = url.replace(url[url.index("//") + 2 : url.index("@")], "bus_guest:guest-password")
    bus = Bus(guest)
    with pytest.raises(ConfigurationError, match=r"lineside\.bus\.postgres\.SCHEMA") as caught:
        await bus.connect()
    assert "guest-password" not in str(caught.value)
    await bus.backend.close()


async def test_a_wrong_password_is_no_outage(postgres_url: str) -> None:
    """Waiting would not help."""
    bus = Bus(postgres_url.replace("tester:", "tester:not"))
    with pytest.raises(ConfigurationError, match="refuses the user or the password") as caught:
        await bus.connect()
    assert "tester" not in str(caught.value)


async def test_a_server_that_is_not_there_is_told_in_time() -> None:
    """Within the deadline, and without the password."""
    bus = Bus(f"postgres://user:hunter2secret@127.0.0.1:{_free_port()}/app", deadline_seconds=0.5)
    with pytest.raises(BusUnavailable) as caught:
        await bus.connect()
    assert "hunter2secret" not in str(caught.value)


async def test_dropped_tables_are_made_again(postgres_url: str) -> None:
    """As after a restore of the database under a running app."""
    url = await a_database(postgres_url, "bus_dropped")
    async with Bus(url) as bus:
        before = (await bus.publish("s", b"x", history=HistoryLimits())).position
        await fetch(url, "DROP TABLE lineside_bus_streams, lineside_bus_messages, lineside_bus_keys")
        after = (await bus.publish("s", b"y", history=HistoryLimits())).position
        assert before is not None
        assert after is not None
        assert before.epoch != after.epoch
        assert (await bus.read("s", after=before)).complete is False


async def test_what_is_over_is_swept_out(postgres_url: str) -> None:
    """Messages, keys, payloads and values; a position in front of what was swept is told so."""
    url = await a_database(postgres_url, "bus_swept")
    async with Bus(url) as bus:
        limits = HistoryLimits(messages=100, age_seconds=0.01)
        first = (await bus.publish("s", b"1", history=limits)).position
        second = (await bus.publish("s", b"2", history=limits)).position
        await bus.publish("large", b"x" * 20_000)
        await bus.require_membership().put("key", b"value", ttl_seconds=0.01)
        await fetch(url, "UPDATE lineside_bus_keys SET expires_at = now()")
        await fetch(url, "UPDATE lineside_bus_payloads SET expires_at = now()")
        await fetch(url, "SELECT pg_sleep(0.05)")
        await fetch(url, "SELECT lineside_bus_sweep()")
        for table in ("messages", "keys", "payloads", "values"):
            assert (await fetch(url, f"SELECT count(*) FROM lineside_bus_{table}"))[0][0] == 0
        assert (await bus.read("s", after=first)).complete is False
        quiet = await bus.read("s", after=second)
        assert (quiet.complete, quiet.messages) == (True, ())
        assert (await bus.read("s", since=0.0)).complete is False
        await fetch(url, "UPDATE lineside_bus_streams SET used_at = now() - interval '2 days'")
        await fetch(url, "SELECT lineside_bus_sweep()")
        assert (await fetch(url, "SELECT count(*) FROM lineside_bus_streams"))[0][0] == 0
        assert (await bus.read("s", after=second)).complete is False


async def test_what_the_database_cannot_take_is_an_error_and_no_outage(postgres_url: str) -> None:
    """NUL is no character of PostgreSQL's."""
    async with Bus(postgres_url, namespace="nul") as bus:
        with pytest.raises(BusError) as caught:
            await bus.require_presence().join("a\x00b", "m", "s", node="")
        assert not isinstance(caught.value, BusUnavailable)
        assert bus.connected


async def test_offsets_are_seen_in_the_order_they_are_given(postgres_url: str) -> None:
    """Many publishers at a time on one stream: whoever reads never sees a hole."""
    async with Bus(postgres_url, namespace="order") as one, Bus(postgres_url, namespace="order") as other:
        limits = HistoryLimits(messages=1_000)
        publishing = [
            asyncio.create_task(bus.publish("s", b"x", history=limits))
            for _ in range(50)
            for bus in (one, other)
        ]
        while not all(task.done() for task in publishing):
            found = await one.read("s")
            offsets = [message.position.offset for message in found.messages if message.position]
            assert offsets == list(range(1, len(offsets) + 1))
        assert sorted(task.result().position.offset for task in publishing) == list(range(1, 101))  # type: ignore[union-attr]
