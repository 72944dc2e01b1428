"""The role of a session: writing, or reading and nothing else (Rails' ``connected_to(role:)``)."""

from typing import Any, Final, Literal, get_args

from lineside.exceptions import ConfigurationError
from lineside.models._connection._drivers import IsolationLevel
from lineside.models._connection._sqlite import BEGIN_OPTION, QUERY_ONLY_OPTION, SQLiteBegin

Role = Literal["writing", "reading"]
"""What a session may do."""

_LEVELS: Final = frozenset(get_args(IsolationLevel))
_ROLES: Final = frozenset(get_args(Role))


def transaction_options(
    backend: str, role: Role, isolation_level: IsolationLevel | None, sqlite_begin: SQLiteBegin
) -> dict[str, Any]:
    """Return SQLAlchemy's execution options for the transactions of a session.

    Args:
        backend: ``"sqlite"`` or ``"postgresql"``.
        role: Whether it may write.
        isolation_level: None means the database's own. SQLite has one level, the strictest of all.
        sqlite_begin: How a writing transaction of SQLite begins.

    Raises:
        ConfigurationError: There is no such role or level.
    """
    if role not in _ROLES:
        raise ConfigurationError(f"unknown role {role!r}; known roles: {', '.join(sorted(_ROLES))}")
    if isolation_level is not None and isolation_level not in _LEVELS:
        raise ConfigurationError(
            f"unknown isolation level {isolation_level!r}; known levels: {', '.join(sorted(_LEVELS))}"
        )
    reading = role == "reading"
    if backend == "sqlite":
        if reading:
            return {QUERY_ONLY_OPTION: True}
        return {} if sqlite_begin == "IMMEDIATE" else {BEGIN_OPTION: sqlite_begin}
    options: dict[str, Any] = {"postgresql_readonly": True} if reading else {}
    if isolation_level is not None:
        options["isolation_level"] = isolation_level
    return options
