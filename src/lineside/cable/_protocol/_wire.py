"""The way from a connection's outbox to its peer."""

from collections.abc import Sequence
from typing import Protocol

from lineside.cable._protocol._frame import Frame

__all__ = ["Wire"]


class Wire(Protocol):
    """What a server's adapter offers a connection. Nothing here waits."""

    def write(self, frames: Sequence[Frame]) -> None:
        """Hand frames over, in this order and as few writes as possible.

        Args:
            frames: At least one; a wire that is closed ignores them. The caller uses the list again.
        """
        ...

    def pending_bytes(self) -> int:
        """Return how many bytes were handed over and have not left for the kernel yet."""
        ...

    def is_gone(self) -> bool:
        """Tell whether the peer is known to be gone, though nobody may have said so yet."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close after what was handed over has left; give up after a bounded time.

        Args:
            code: The close code (RFC 6455 section 7.4).
            reason: At most 123 bytes.
        """
        ...

    def abort(self) -> None:
        """Drop the connection at once, and what has not left with it."""
        ...
