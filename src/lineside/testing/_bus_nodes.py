"""Nodes for a backend's conformance tests, and waiting without sleeping."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from lineside.bus import Backend, BackendOptions, Bus, Discontinuity, Message

__all__ = ["BusNodes", "Collector", "until"]


async def until(
    condition: Callable[[], object], *, seconds: float = 10.0, what: str | Callable[[], str] = "it"
) -> None:
    """Wait until a condition holds.

    Args:
        condition: Is called again and again, on the event loop.
        seconds: When to give up.
        what: What was waited for, for the failure; or what says so then.

    Raises:
        AssertionError: The condition did not hold in time.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not condition():
        if loop.time() > deadline:
            waited_for = what if isinstance(what, str) else what()
            raise AssertionError(f"waited {seconds:g} s in vain until {waited_for}")
        await asyncio.sleep(0.005)


class Collector:
    """A listener that keeps what it hears.

    Attributes:
        items: Messages and discontinuities, in order.
    """

    def __init__(self) -> None:
        self.items: list[Message | Discontinuity] = []

    def __call__(self, item: Message | Discontinuity) -> None:
        self.items.append(item)

    @property
    def messages(self) -> list[Message]:
        """The messages alone."""
        return [item for item in self.items if isinstance(item, Message)]

    @property
    def data(self) -> list[bytes]:
        """The messages' bytes."""
        return [message.data for message in self.messages]

    @property
    def discontinuities(self) -> list[Discontinuity]:
        """The notices that messages are lost."""
        return [item for item in self.items if isinstance(item, Discontinuity)]

    async def has(self, count: int, *, seconds: float = 10.0) -> None:
        """Wait for so many messages.

        Args:
            count: How many, or more.
            seconds: When to give up.
        """
        await until(
            lambda: len(self.messages) >= count,
            seconds=seconds,
            what=lambda: f"{count} messages came, and these have: {self.data}",
        )


class BusNodes:
    """What every part of the suite stands on: buses of one test, on one server.

    Attributes:
        make_backend: Makes one more node's backend. Every call is another node on the same server.
    """

    make_backend: Callable[[BackendOptions], Backend]

    @asynccontextmanager
    async def nodes(
        self, count: int = 2, *, namespace: str | None = None, **options: Any
    ) -> AsyncGenerator[list[Bus], None]:
        """Connect so many buses of one namespace for a block.

        Args:
            count: How many nodes.
            namespace: Their namespace; by default one that only this test has.
            options: Further fields of `BackendOptions`.
        """
        settings = BackendOptions(namespace=namespace or f"t{secrets.token_hex(6)}", **options)
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(Bus(self.make_backend(settings))) for _ in range(count)]

    @staticmethod
    def needs(part: object | None, name: str) -> None:
        """Skip a test of what the backend does not claim.

        Args:
            part: The capability, or None.
            name: What it is called.
        """
        if part is None:
            import pytest

            pytest.skip(f"this backend claims no {name}")
