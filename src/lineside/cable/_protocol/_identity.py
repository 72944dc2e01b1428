"""Who is behind a connection, and what that identity may do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["GUEST", "PERMISSIONS", "Identity"]

PERMISSIONS: Final = frozenset(
    {
        "read:message",
        "send:message",
        "create:room",
        "delete:room",
        "join:room",
        "leave:room",
        "admin:room",
        "admin:system",
    }
)
"""GoHub's eight permissions; ``admin:system`` holds all of them."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a connection is identified by; decided once, before the upgrade.

    Attributes:
        id: The client's id, which belongs to this identity alone; None for a guest, who is given one.
        user: What the authentication returned: the app's own user object.
        identifiers: What ``disconnect`` finds the connection by, as Rails' ``identified_by``; JSON values.
        permissions: Which of `PERMISSIONS` it holds.
        expires_at: Seconds since 1970 when the token ends; None for never.
        anonymous: Nobody was authenticated.
    """

    id: str | None = None
    user: Any = field(default=None, repr=False)
    identifiers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    permissions: frozenset[str] = frozenset()
    expires_at: float | None = None
    anonymous: bool = False

    def may(self, permission: str) -> bool:
        """Tell whether the identity holds a permission.

        Args:
            permission: One of `PERMISSIONS`.
        """
        return permission in self.permissions or "admin:system" in self.permissions


GUEST: Final = Identity(anonymous=True)
"""Nobody in particular, who may do nothing in particular."""
