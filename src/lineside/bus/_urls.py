"""Which backend a URL chooses."""

import importlib
from collections.abc import Mapping
from typing import Final, cast

from lineside.bus._contract import Backend
from lineside.bus._options import BackendOptions
from lineside.exceptions import ConfigurationError

__all__ = ["SCHEMES", "backend_of_url"]

SCHEMES: Final[Mapping[str, tuple[str, str]]] = {
    "memory": ("lineside.bus.memory", "from_url"),
    "nats": ("lineside.bus.nats", "NatsBackend"),
    "postgres": ("lineside.bus.postgres", "PostgresBackend"),
    "postgresql": ("lineside.bus.postgres", "PostgresBackend"),
    "redis": ("lineside.bus.redis", "RedisBackend"),
    "rediss": ("lineside.bus.redis", "RedisBackend"),
    "tls": ("lineside.bus.nats", "NatsBackend"),
}
"""The file of each scheme, and what makes its backend there of the URL and the options."""


def backend_of_url(url: str, options: BackendOptions) -> Backend:
    """Make the backend that a URL names; its client is imported now, and nothing is opened.

    Args:
        url: ``memory://``, ``redis://...``, ``nats://...`` or ``postgres://...``.
        options: The bus' settings.

    Raises:
        ConfigurationError: Nothing is known of the scheme. The message has no more of the URL, which may
            hold a password.
        MissingDependencyError: The client is not installed.
    """
    scheme, separator, _ = url.partition("://")
    found = SCHEMES.get(scheme.lower()) if separator else None
    if found is None:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        named = f"{scheme}://" if separator else "a text without '://'"
        raise ConfigurationError(f"no bus backend is known for {named}; known are {known}")
    module, name = found
    return cast("Backend", getattr(importlib.import_module(module), name)(url, options))
