"""What each request needs a permission for, and the rights of guests."""

from collections.abc import Iterable, Mapping
from typing import Final

from lineside.cable._protocol._errors import CableConfigurationError, ErrorCode, RequestFailed
from lineside.cable._protocol._identity import PERMISSIONS, Identity

__all__ = [
    "REQUIRED_PERMISSIONS",
    "AnonymousRights",
    "has_any_permission",
    "known_permissions",
    "require_permission",
    "require_request",
]

REQUIRED_PERMISSIONS: Final[Mapping[str, str]] = {
    "create_room": "create:room",
    "delete_room": "delete:room",
    "direct_message": "send:message",
    "join_room": "join:room",
    "leave_room": "leave:room",
    "list_rooms": "read:message",
    "remove_member": "admin:room",
    "room_history": "read:message",
    "room_members": "read:message",
    "room_message": "send:message",
    "update_room": "admin:room",
}
"""The permission for each built-in request; a request that is not here, such as ``ping``, needs none."""

_DOING: Final[Mapping[str, str]] = {
    "admin:room": "administer rooms",
    "admin:system": "administer the system",
    "create:room": "create rooms",
    "delete:room": "delete rooms",
    "join:room": "join rooms",
    "leave:room": "leave rooms",
    "read:message": "read messages",
    "send:message": "send messages",
}


def require_permission(identity: Identity, permission: str) -> None:
    """Let an identity pass that holds a permission, or ``admin:system``.

    Args:
        identity: Who asks.
        permission: One of `PERMISSIONS`.

    Raises:
        RequestFailed: It holds neither (2001, in GoHub's words).
        ValueError: There is no such permission.
    """
    if permission not in PERMISSIONS:
        raise ValueError(
            f"no permission is called {permission!r}; there are: {', '.join(sorted(PERMISSIONS))}"
        )
    if not identity.may(permission):
        raise RequestFailed(ErrorCode.FORBIDDEN, f"You don't have permission to {_DOING[permission]}")


def require_request(identity: Identity, request_type: str) -> None:
    """Let an identity make a built-in request, or refuse it before it runs.

    Args:
        identity: Who asks.
        request_type: The request's type, for instance ``"join_room"``.

    Raises:
        RequestFailed: The permission for it is missing (2001).
    """
    permission = REQUIRED_PERMISSIONS.get(request_type)
    if permission is not None:
        require_permission(identity, permission)


def has_any_permission(identity: Identity, *permissions: str) -> bool:
    """Tell whether an identity holds one of some permissions, as GoHub's ``HasPermission``.

    Args:
        identity: Who asks.
        permissions: Some of `PERMISSIONS`; none of them is held by nobody.
    """
    return any(identity.may(permission) for permission in permissions)


def known_permissions(permissions: Iterable[str]) -> frozenset[str]:
    """Return those of some permissions that the cable knows; an issuer may have others of its own.

    Args:
        permissions: What a token or an app lists.
    """
    return PERMISSIONS.intersection(permissions)


class AnonymousRights:
    """Lets guests in, and says what they may do; without it nobody is let in without authentication.

    Args:
        permissions: Some of `PERMISSIONS`; for a public chat ``["read:message", "send:message",
            "join:room", "leave:room"]``.

    Raises:
        CableConfigurationError: A permission is unknown, or an administrator's.
    """

    __slots__ = ("_guest",)

    def __init__(self, permissions: Iterable[str]) -> None:
        wanted = frozenset([permissions] if isinstance(permissions, str) else permissions)
        if unknown := wanted - PERMISSIONS:
            raise CableConfigurationError(
                f"unknown permissions {sorted(unknown)}; there are: {', '.join(sorted(PERMISSIONS))}"
            )
        if "admin:system" in wanted:
            raise CableConfigurationError(
                "guests may not hold 'admin:system', which is every permission: list theirs"
            )
        self._guest = Identity(permissions=wanted, anonymous=True)

    def guest(self) -> Identity:
        """Return the identity of somebody who is not authenticated."""
        return self._guest

    def __repr__(self) -> str:
        return f"AnonymousRights({sorted(self._guest.permissions)})"
