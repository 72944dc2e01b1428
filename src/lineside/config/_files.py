"""Reloading when a file changes."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from lineside.exceptions import MissingDependencyError

_logger = logging.getLogger("lineside.config")


@asynccontextmanager
async def watching_files(directory: Path, reload: Callable[[], Awaitable[None]]) -> AsyncGenerator[None]:
    """Call ``reload`` after each change of a configuration file, until the block ends.

    Args:
        directory: Where the files are. The directory is watched, so a file may be created,
            renamed into place, or swapped by a symbolic link as Kubernetes does.
        reload: What to call; it must not raise.

    Raises:
        MissingDependencyError: watchfiles is not installed.
    """
    try:
        from watchfiles import Change, awatch
    except ImportError:
        raise MissingDependencyError("watchfiles", extra="watch") from None

    def is_ours(_change: Change, path: str) -> bool:
        name = Path(path).name
        return name.startswith(("config.", ".."))

    async def follow() -> None:
        changes = awatch(
            directory, watch_filter=is_ours, recursive=False, step=20, debounce=200, rust_timeout=1_000
        )
        try:
            async for _ in changes:
                await reload()
        except OSError as error:
            _logger.error("configuration files are no longer watched: %s", error)

    # A task and not a task group: an error of the block itself should leave it unwrapped.
    task = asyncio.create_task(follow())
    try:
        # awatch is watching once it first waits, so after one turn of the loop no change is missed;
        # this reload picks up what changed between the load and now.
        await asyncio.sleep(0)
        await reload()
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
