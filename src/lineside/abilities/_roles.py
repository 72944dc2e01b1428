"""The roles of a user: read from the user, unknown ones grant nothing and are logged once."""

import logging
from collections.abc import Callable, Iterable
from enum import Enum
from functools import lru_cache
from typing import Any, cast

from lineside.exceptions import ConfigurationError

RoleOf = Callable[[Any], str | Iterable[str] | None]
"""Reads the role names of a user."""

_logger = logging.getLogger("lineside.abilities")


def role_names(user: object, role_of: RoleOf | None) -> frozenset[str]:
    """Return the names of a user's roles; a guest has none.

    Args:
        user: The user, or None for a guest.
        role_of: Reads the roles; by default ``user.roles``, then ``user.role``.

    Raises:
        ConfigurationError: The user has neither attribute, or holds something that is no role.
    """
    if user is None:
        return frozenset()
    held = _roles_of(user) if role_of is None else role_of(user)
    if held is None:
        return frozenset()
    if isinstance(held, str | Enum) or not isinstance(held, Iterable):
        return frozenset([_name(held)])
    return frozenset(_name(role) for role in cast("Iterable[object]", held))


def _roles_of(user: object) -> Any:
    for attribute in ("roles", "role"):
        if hasattr(user, attribute):
            return getattr(user, attribute)
    raise ConfigurationError(
        f"{type(user).__name__} has neither 'roles' nor 'role'; pass role_of=, a function that reads them"
    )


def _name(role: object) -> str:
    value = role.value if isinstance(role, Enum) else role
    name = value if isinstance(value, str) else getattr(value, "name", None)
    if not isinstance(name, str):
        raise ConfigurationError(
            f"{type(role).__name__} is no role: use a string, an Enum of strings, or an object with a name"
        )
    return name


@lru_cache(maxsize=256)
def warn_unknown_role(role: str, known: frozenset[str]) -> None:
    """Log a role that has no rules. The cache makes it once per role, and bounds what is kept."""
    _logger.warning(
        "the role %.64r has no rules and grants nothing; known roles: %s", role, ", ".join(sorted(known))
    )
