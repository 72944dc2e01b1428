"""The id of the request that is being served."""

import asyncio
import re
import uuid

import pytest

from lineside.instrumentation import accept_request_id, new_request_id, request_id, using_request_id


def test_there_is_none_outside_of_a_request() -> None:
    """Without a request there is no id."""
    assert request_id() is None


def test_a_block_has_an_id_and_gives_it_back() -> None:
    """Blocks nest, also when they end with an error."""
    with using_request_id("outer"):
        with pytest.raises(ValueError, match="xinner"), using_request_id("inner"):
            raise ValueError(f"x{request_id()}")
        assert request_id() == "outer"
    assert request_id() is None


def test_tasks_keep_the_id_they_were_started_with() -> None:
    """Two requests at once do not see each other's id."""

    async def serve(identifier: str, both: asyncio.Barrier) -> tuple[str | None, str | None]:
        with using_request_id(identifier):
            child = asyncio.create_task(_read())
            await both.wait()
            return request_id(), await child

    async def _read() -> str | None:
        return request_id()

    async def main() -> list[tuple[str | None, str | None]]:
        both = asyncio.Barrier(2)
        return await asyncio.gather(serve("a", both), serve("b", both))

    assert asyncio.run(main()) == [("a", "a"), ("b", "b")]


def test_a_fresh_id_is_a_random_uuid() -> None:
    """Fresh ids are of version 4 and differ."""
    first, second = new_request_id(), new_request_id()
    assert uuid.UUID(first).version == 4
    assert first != second


@pytest.mark.parametrize("header", ["a", "0", "A-b_c.9", "x" * 128, "b964bbc8-b0d7-4122-952c-a311141d5a5e"])
def test_a_well_formed_id_is_honoured(header: str) -> None:
    """An id of the documented characters and length is taken as it came."""
    assert accept_request_id(header) == header


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        " ",
        "x" * 129,
        "a b",
        "a\n",
        "a\r\nSet-Cookie: x=1",
        "a\x1b[31m",
        "a\u2028b",
        "<script>",
        "é",
        "٣",
        "a/b",
        "a;b",
        '"a"',
        "a\0",
    ],
)
def test_any_other_id_is_replaced(header: str | None) -> None:
    """What could break a log line or a header never becomes an id."""
    assert re.fullmatch(r"[0-9a-f-]{36}", accept_request_id(header))
