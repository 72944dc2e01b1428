"""How long an identity is good, and a fresh token in its place."""

from typing import Final

from lineside.cable._auth._refusals import IdentityMismatch
from lineside.cable._protocol._identity import Identity

__all__ = ["EXPIRED", "is_expired", "refreshed", "seconds_left"]

EXPIRED: Final = Identity(anonymous=True, expires_at=0.0)
"""Somebody whose token had ended before the connection began; nothing of it but that is known."""


def seconds_left(identity: Identity, now: float) -> float | None:
    """Return how long an identity is good; 0 when it has ended, None for ever.

    Args:
        identity: Who is behind a connection.
        now: Seconds since 1970.
    """
    return None if identity.expires_at is None else max(0.0, identity.expires_at - now)


def is_expired(identity: Identity, now: float) -> bool:
    """Tell whether an identity has ended.

    Args:
        identity: Who is behind a connection.
        now: Seconds since 1970.
    """
    return identity.expires_at is not None and now >= identity.expires_at


def refreshed(current: Identity, fresh: Identity) -> Identity:
    """Return the identity that a connection goes on with: the fresh one, with its rights and expiry.

    Args:
        current: Whose connection it is.
        fresh: What the new token says; verified already.

    Raises:
        IdentityMismatch: It is somebody else, or one of the two is nobody in particular.
    """
    if current.anonymous or fresh.anonymous or current.id != fresh.id:
        raise IdentityMismatch("a token of another identity was sent to refresh a connection")
    if current.id is None and (not current.identifiers or current.identifiers != fresh.identifiers):
        raise IdentityMismatch("a token with other identifiers was sent to refresh a connection")
    return fresh
