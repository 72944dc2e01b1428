"""The rows that an app begins with, from a file of the user's."""

import importlib.util
import inspect
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from lineside.exceptions import ConfigurationError
from lineside.models._connection._database import Database

_MODULE: Final = "lineside_seeds"


async def seed(database: Database, file: str | Path = "db/seeds.py") -> None:
    """Run the seeds of a file in one session, and commit; as `rails db:seed`.

    The file has a coroutine function ``seed(session)``. It may run again and again: it finds or creates.

    Args:
        database: The database; its session is the ambient one meanwhile.
        file: The file.

    Raises:
        ConfigurationError: There is no such file, or no such function in it.
    """
    function = _load(Path(file))
    async with database.session() as session:
        await function(session)


def _load(path: Path) -> Callable[[Any], Awaitable[object]]:
    spec = importlib.util.spec_from_file_location(_MODULE, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise ConfigurationError(
            f"there is no file {str(path)!r}; write it with `async def seed(session)`, or name another one"
        )
    module = importlib.util.module_from_spec(spec)
    # Pydantic and SQLModel look a class's annotations up in its module.
    sys.modules[_MODULE] = module
    spec.loader.exec_module(module)
    function = getattr(module, "seed", None)
    if not inspect.iscoroutinefunction(function):
        raise ConfigurationError(f"{str(path)!r} has no `async def seed(session)`")
    return function
