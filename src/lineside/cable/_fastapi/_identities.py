"""Who a user is to the cable: what an app's authentication returned, as an `Identity`."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from lineside.cable._auth._permissions import known_permissions
from lineside.cable._protocol._errors import CableConfigurationError
from lineside.cable._protocol._identity import Identity

__all__ = ["MEMBER_PERMISSIONS", "IdentifiedBy", "identity_for"]

MEMBER_PERMISSIONS: Final = frozenset({"read:message", "send:message", "join:room", "leave:room"})
"""What an authenticated user may do whose authentication names no permissions."""

IdentifiedBy = Callable[[Any], Mapping[str, Any]]
"""Makes the identifiers of a user: JSON values by which connections are found again."""


def identity_for(user: Any, identified_by: IdentifiedBy | None = None) -> Identity:
    """Return the identity of an authenticated user.

    Its id, which is the client id, is the user's ``id``, or the user itself where that is text, a number or
    a UUID. Its permissions are the user's ``permissions`` where it has such an attribute (as GoHub's
    claims), otherwise `MEMBER_PERMISSIONS`.

    Args:
        user: What the authentication returned; an `Identity` is taken as it is.
        identified_by: Makes the identifiers; default: ``{"user_id": id}``.

    Raises:
        CableConfigurationError: ``identified_by`` gave no mapping.
    """
    if isinstance(user, Identity):
        return user
    own_id = _id_of(user)
    identifiers: Any = {} if own_id is None else {"user_id": own_id}
    if identified_by is not None:
        identifiers = identified_by(user)
        if not isinstance(identifiers, Mapping):
            raise CableConfigurationError('identified_by returns a mapping, such as {"user_id": user.id}')
    return Identity(
        id=None if own_id is None else str(own_id),
        user=user,
        identifiers=dict(identifiers),
        permissions=_permissions_of(user),
    )


def _id_of(user: Any) -> str | int | None:
    found = user if isinstance(user, str | int | UUID) else _attribute(user, "id")
    if isinstance(found, UUID):
        return str(found)
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None


def _permissions_of(user: Any) -> frozenset[str]:
    named = _attribute(user, "permissions")
    if named is None:
        return MEMBER_PERMISSIONS
    if isinstance(named, str) or not isinstance(named, Iterable):
        raise CableConfigurationError(f"{type(user).__name__}.permissions is a list of texts")
    return known_permissions(str(each) for each in named)


def _attribute(user: Any, name: str) -> Any:
    return user.get(name) if isinstance(user, Mapping) else getattr(user, name, None)
