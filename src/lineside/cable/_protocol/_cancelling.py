"""Telling a cancellation that somebody wants from one that an app's code let out."""

import asyncio
from types import TracebackType

__all__ = ["LeakedCancellation", "app_code"]


class LeakedCancellation(RuntimeError):  # noqa: N818 - it says what is
    """An app's code awaited something that was cancelled, and let the cancellation out."""


class _AppCode:
    """A block of an app's code, whose cancellations end nothing but itself.

    Raises:
        LeakedCancellation: The block raised a cancellation, and nobody cancels the task that runs.
    """

    # A class and not a generator: it is entered for every command.
    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, asyncio.CancelledError):
            return
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            raise LeakedCancellation(
                "what the app awaited was cancelled; catch CancelledError there"
            ) from error


app_code = _AppCode()
"""For ``with`` around an app's code."""
