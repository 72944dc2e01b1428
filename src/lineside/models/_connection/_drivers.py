"""Which drivers speak to a database, async and sync, and what its URL may be."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final, Literal

from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from lineside.exceptions import ConfigurationError, MissingDependencyError

IsolationLevel = Literal["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
"""An isolation level of the SQL standard."""

_ASYNC: Final[Mapping[str, str]] = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_SYNC: Final[Mapping[str, str]] = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}
# Driver -> its import name, and the extra that brings it.
_PACKAGES: Final[Mapping[str, tuple[str, str]]] = {
    "postgresql+asyncpg": ("asyncpg", "postgres"),
    "postgresql+psycopg": ("psycopg", "psycopg"),
}
# One and the same setting, which asyncpg and libpq each give a name of their own.
_TLS: Final[Mapping[str, tuple[str, str]]] = {
    "postgresql+asyncpg": ("sslmode", "ssl"),
    "postgresql+psycopg": ("ssl", "sslmode"),
}


def async_url(url: str) -> URL:
    """Return the URL with the driver for ``await``.

    Raises:
        ConfigurationError: It cannot be read, or its scheme is unknown.
        MissingDependencyError: The driver is not installed.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # ValueError is a port that is no number. The cause would print the URL, and with it a password.
        raise ConfigurationError("the database URL cannot be read; write scheme://user@host/name") from None
    if parsed.drivername not in _ASYNC:
        raise ConfigurationError(
            f"unknown database scheme {parsed.drivername!r}; known schemes: {', '.join(sorted(_ASYNC))}"
        )
    return _with_driver(parsed, _ASYNC[parsed.drivername])


def sync_url(url: URL) -> URL:
    """Return the same URL with the driver for work without ``await``.

    Raises:
        MissingDependencyError: The driver is not installed.
    """
    return _with_driver(url, _SYNC[url.get_backend_name()])


def _with_driver(url: URL, driver: str) -> URL:
    package, extra = _PACKAGES.get(driver, ("sqlite3", ""))
    if find_spec(package) is None:
        raise MissingDependencyError(package, extra=extra)
    foreign, own = _TLS.get(driver, ("", ""))
    query = {own if key == foreign else key: value for key, value in url.query.items()}
    return url.set(drivername=driver, query=query)
