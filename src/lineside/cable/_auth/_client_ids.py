"""Whose client id is whose: an identity's id is its own, and no guest can ask for one.

Ids of guests begin with ``guest-`` (one that was given) or ``guest:`` (one that was asked for). No
identity may begin like that, so the two can never be equal.
"""

import re
import secrets
from collections.abc import Callable
from typing import Final

from lineside.cable._auth._headers import Scope, query_values
from lineside.cable._auth._refusals import ClientIdRefused
from lineside.cable._protocol._identity import Identity

__all__ = ["MAX_CLIENT_ID_BYTES", "ClientIds", "is_guest_id", "is_identity_id"]

MAX_CLIENT_ID_BYTES: Final = 255
"""The longest id of an identity, as that of a stream's name."""

_GIVEN: Final = "guest-"
_ASKED: Final = "guest:"
_ASKABLE: Final = re.compile(r"[A-Za-z0-9._~-]{1,64}", re.ASCII)


def is_guest_id(client_id: str) -> bool:
    """Tell whether a client id is one that guests have.

    Args:
        client_id: The id.
    """
    return client_id.startswith((_GIVEN, _ASKED))


def is_identity_id(client_id: str) -> bool:
    """Tell whether an id can be an identity's: printable, 1 to 255 bytes, and no guest's.

    Args:
        client_id: The id.
    """
    if not client_id.isprintable() or is_guest_id(client_id):
        return False
    return 0 < len(client_id.encode()) <= MAX_CLIENT_ID_BYTES


def _unguessable() -> str:
    return secrets.token_urlsafe(16)


class ClientIds:
    """Gives each connection its client id.

    Args:
        parameter: The query parameter with which a guest asks for an id.
        asked: Guests may ask; the id ``"bob"`` becomes ``"guest:bob"``.
        random_text: Makes the rest of an id that nobody asked for; for tests.
    """

    __slots__ = ("_asked", "_parameter", "_random_text")

    def __init__(
        self,
        *,
        parameter: str = "client_id",
        asked: bool = True,
        random_text: Callable[[], str] = _unguessable,
    ) -> None:
        self._parameter = parameter
        self._asked = asked
        self._random_text = random_text

    def client_id(self, identity: Identity, scope: Scope) -> str:
        """Return the client id of a new connection.

        Args:
            identity: Who is behind it. With an id of its own it has that one, whatever it asks for.
            scope: The request's ASGI scope.

        Raises:
            ClientIdRefused: The identity's id begins like a guest's, or what a guest asks for is none.
        """
        if not identity.anonymous and identity.id is not None:
            if not is_identity_id(identity.id):
                raise ClientIdRefused(
                    "the identity's id is empty, too long, unprintable, or begins like a guest's"
                )
            return identity.id
        wishes = query_values(scope, self._parameter) if self._asked else []
        if not wishes:
            return _GIVEN + self._random_text()
        # A guest who comes back asks for the id that it was told.
        wish = wishes[0].removeprefix(_ASKED)
        if len(wishes) > 1 or not _ASKABLE.fullmatch(wish):
            raise ClientIdRefused(f"a guest asked for {wishes[0][:100]!r}")
        return _ASKED + wish
