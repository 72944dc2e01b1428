"""Finding an app by its name, and saying what is there when it is not."""

import asyncio
import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from fastapi import FastAPI
from starlette.applications import Starlette

import lineside
from lineside.exceptions import ConfigurationError, LinesideError

__all__ = ["AppName", "load_app", "parse_name"]

_MAX_LISTED: Final = 10
_NOT_THE_USERS: Final = (str(Path(lineside.__file__).parent), importlib.__file__)


@dataclass(frozen=True, slots=True)
class AppName:
    """Where an app is: ``myapp:app``, ``myapp:create_app()``, ``pkg.mod:holder.app``.

    Attributes:
        module: The dotted name of the module.
        attribute: The dotted name inside it.
        factory: Whether it is a function that makes the app.
    """

    module: str
    attribute: str
    factory: bool

    @property
    def import_string(self) -> str:
        """The name as uvicorn writes it."""
        return f"{self.module}:{self.attribute}"


def parse_name(name: str, *, factory: bool = False) -> AppName:
    """Read the name of an app.

    Args:
        name: ``module:app``, or ``module:create_app()`` for a factory.
        factory: Whether it is a factory although it has no ``()``.

    Raises:
        ConfigurationError: The name cannot be read.
    """
    module, colon, attribute = name.partition(":")
    called = attribute.endswith("()")
    attribute = attribute.removesuffix("()")
    dotted = [*module.split("."), *attribute.split(".")]
    if not colon or not all(part.isidentifier() for part in dotted):
        hint = f"{module.removesuffix('.py').replace('/', '.') or 'myapp'}:app"
        raise ConfigurationError(f"{name!r} does not name an app; write module:app, for instance {hint!r}")
    return AppName(module, attribute, factory or called)


def load_app(name: AppName) -> Any:
    """Import an app, with the current directory first on the path.

    Args:
        name: Where it is.

    Returns:
        The ASGI app.

    Raises:
        ConfigurationError: It is not there, or it is not an app; with what is there.
    """
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = _import(name.module)
    found: Any = module
    for part in name.attribute.split("."):
        if not hasattr(found, part):
            raise ConfigurationError(
                f"module {name.module!r} has no {name.attribute!r}; {_apps_in(module, name.module)}"
            )
        found = getattr(found, part)
    if name.factory:
        found = _made_by(found, name)
    return _checked(found, name)


def _import(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module == missing or module.startswith(f"{missing}."):
            raise ConfigurationError(
                f"there is no module {missing!r} in {Path.cwd()} or among the installed packages;"
                f" modules here: {_listed(_modules_here())}"
            ) from None
        raise ConfigurationError(
            f"module {module!r} was found, but it imports {missing!r}, which was not{_place(error)};"
            " install it, or correct the name"
        ) from None
    except LinesideError as error:
        raise ConfigurationError(f"importing {module!r} failed{_place(error)}: {error.message}") from error


def _modules_here() -> list[str]:
    here = Path.cwd()
    files = [path.stem for path in here.glob("*.py")]
    packages = [path.parent.name for path in here.glob("*/__init__.py")]
    return sorted(name for name in files + packages if name.isidentifier() and name != "conftest")


def _apps_in(module: ModuleType, name: str) -> str:
    values = {key: value for key, value in vars(module).items() if not key.startswith("_")}
    if apps := [f"{name}:{key}" for key, value in values.items() if isinstance(value, Starlette)]:
        return f"apps there: {_listed(apps)}"
    own = [
        f"{name}:{key}()"
        for key, value in values.items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and "app" in key
    ]
    return f"functions there that may make one: {_listed(own)}" if own else "there is no app in it"


def _made_by(factory: Any, name: AppName) -> Any:
    if isinstance(factory, Starlette) or not callable(factory):
        raise ConfigurationError(
            f"{name.import_string} is no factory but {_described(factory)}; leave out the () and --factory"
        )
    try:
        inspect.signature(factory).bind()
    except TypeError as error:
        raise ConfigurationError(
            f"the factory {name.import_string} cannot be called without arguments: {error}"
        ) from None
    return factory()


def _checked(found: Any, name: AppName) -> Any:
    if asyncio.iscoroutine(found):
        found.close()
        raise ConfigurationError(f"{name.import_string} is async; a factory is a plain def")
    if inspect.isfunction(found) and not inspect.iscoroutinefunction(found):
        raise ConfigurationError(
            f"{name.import_string} is a function; if it makes the app, write {name.import_string + '()'!r}"
        )
    if not callable(found) or isinstance(found, type):
        raise ConfigurationError(f"{name.import_string} is {_described(found)}, not an app")
    return found


def _described(value: object) -> str:
    if isinstance(value, FastAPI):
        return "a FastAPI app"
    return f"the class {value.__name__}" if isinstance(value, type) else f"of type {type(value).__name__}"


def _place(error: BaseException) -> str:
    """Name the line of the user's code that failed, as ``(myapp.py:3)``."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename[:1] != "<"]
    own = [frame for frame in frames if not frame.filename.startswith(_NOT_THE_USERS)]
    return f" ({os.path.relpath(own[-1].filename)}:{own[-1].lineno})" if own else ""


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - _MAX_LISTED} more" if len(found) > _MAX_LISTED else ""
    return (", ".join(found[:_MAX_LISTED]) or "none") + more
