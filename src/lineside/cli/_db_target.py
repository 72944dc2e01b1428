"""What ``lineside db`` works on: a database, the tables of the models, the environment."""

import asyncio
import os
import pkgutil
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lineside.exceptions import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from lineside.models import Database

__all__ = ["STATEMENT_SECONDS", "find_database", "find_metadata", "refuse_production", "run"]

STATEMENT_SECONDS = 3600.0
"""What one statement of a migration may take by default."""

_Result = TypeVar("_Result")


def find_database(
    app: str | None, url: str | None, statement_seconds: float = STATEMENT_SECONDS
) -> "Database":
    """Return the database of an app, or the one at a URL.

    It is made anew, because a migration may take longer than a statement of a request.

    Args:
        app: The app's name, for instance ``"myapp:app"``.
        url: A database URL; one of the two.
        statement_seconds: How long one statement may take.

    Raises:
        ConfigurationError: Neither or both are named, or the app has no database.
    """
    from lineside.models import Database

    # Migrations and seeds import the app's modules, also where no app is named.
    sys.path.insert(0, str(Path.cwd()))
    if (app is None) == (url is None):
        raise ConfigurationError("name the app with --app module:app, or the database with --url")
    if app is not None:
        installed = getattr(_state(app), "lineside_database", None)
        if installed is None:
            raise ConfigurationError(
                f"{app} has no database: call install_database(app, url) where it is made, or give --url"
            )
        url = installed.engine.url.render_as_string(hide_password=False)
    return Database(str(url), command_timeout_seconds=statement_seconds)


def find_metadata(names: list[str] | None) -> "list[MetaData]":
    """Return the tables of the models: those named, else those of all models that were imported.

    Args:
        names: For instance ``["myapp.models:Base.metadata"]``.

    Raises:
        ConfigurationError: A name leads nowhere; or none is given, and there are several registries.
    """
    from sqlalchemy import MetaData

    from lineside.models.migrations import metadata_of_models

    if not names:
        return [metadata_of_models()]
    found: list[MetaData] = []
    for name in names:
        try:
            value = pkgutil.resolve_name(name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigurationError(f"--metadata {name} leads nowhere: {error}") from error
        if not isinstance(value, MetaData):
            raise ConfigurationError(f"--metadata {name} is of type {type(value).__name__}, not MetaData")
        found.append(value)
    return found


def refuse_production(app: str | None) -> None:
    """Raise when the environment is production: that of the app, or that of ``LINESIDE_ENV``.

    Raises:
        ProtectedEnvironmentError: It is.
    """
    from lineside.config import Config
    from lineside.models.migrations import ProtectedEnvironmentError

    named = os.environ.get("LINESIDE_ENV") or "development"
    environments = [Config.from_dict({}, environment=named, checks=()).environment]
    installed = getattr(_state(app), "lineside", None) if app is not None else None
    if installed is not None:
        environments.append(installed.environment)
    if "production" in environments:
        raise ProtectedEnvironmentError("production")


def run(database: "Database", work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run work to its end, and close the database's connections."""

    async def run_and_close() -> _Result:
        try:
            return await work
        finally:
            await database.dispose()

    return asyncio.run(run_and_close())


def _state(app: str) -> Any:
    from lineside.cli._load import load_app, parse_name

    return getattr(load_app(parse_name(app)), "state", None)
