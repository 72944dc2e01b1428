"""What a connection is found by, read from the app's own user object."""

from collections.abc import Callable, Mapping
from typing import Any

from lineside.cable._protocol._errors import CableConfigurationError
from lineside.cable._protocol._values import json_value

__all__ = ["identified_by"]


def identified_by(*names: str, **renamed: str) -> Callable[[object], dict[str, Any]]:
    """Say what connections are found by when they are to be closed (as Rails' ``identified_by``).

        identifiers = identified_by("tenant_id", user_id="id")
        identity = Identity(user=user, identifiers=identifiers(user))
        await cable.disconnect(identifiers(user))

    Args:
        names: Attributes of the user, or keys of a mapping such as a token's claims.
        renamed: The same under another name: ``user_id="id"``.

    Returns:
        A function that reads them from a user, as JSON values.

    Raises:
        CableConfigurationError: No name is given.
    """
    sources = {**{name: name for name in names}, **renamed}
    if not sources:
        raise CableConfigurationError('identified_by takes names: identified_by(user_id="id")')

    def identifiers(user: object) -> dict[str, Any]:
        return {name: _read(user, source) for name, source in sources.items()}

    return identifiers


def _read(user: object, source: str) -> Any:
    value = user.get(source) if isinstance(user, Mapping) else getattr(user, source, None)
    if value is None:
        # None would be found in every connection that has no such identifier.
        raise CableConfigurationError(
            f"a {type(user).__name__} without {source!r} identifies nobody; name an attribute that it has"
        )
    return json_value(value)
