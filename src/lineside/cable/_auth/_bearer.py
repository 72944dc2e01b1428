"""The key of the HTTP API: compared in constant time, never shown."""

import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from lineside.cable._auth._headers import Scope, header_values
from lineside.cable._auth._refusals import InvalidToken, MissingToken
from lineside.cable._auth._secret_bytes import Secret, SecretHolder, secret_bytes
from lineside.exceptions import SecretError

__all__ = ["MIN_KEY_BYTES", "BearerKey", "bearer_token", "derived_key"]

MIN_KEY_BYTES: Final = 16
"""The shortest API key: 128 bits (RFC 6750 leaves it open; OWASP ASVS 5.0 13.2.1)."""

_MIN_DERIVING_BYTES: Final = 32


class BearerKey(SecretHolder):
    """Checks ``Authorization: Bearer <key>`` (RFC 6750 section 2.1).

    Args:
        keys: The key, or several of which each is good while one replaces the other.

    Raises:
        SecretError: There is none, or one has less than 16 bytes.
    """

    __slots__ = ("_digests",)

    def __init__(self, keys: Secret | Sequence[Secret]) -> None:
        listed = [*keys] if isinstance(keys, Sequence) and not isinstance(keys, str | bytes) else [keys]
        if not listed:
            raise SecretError("an API needs a key; without one leave the API off")
        self._digests = tuple(
            sha256(secret_bytes(key, least=MIN_KEY_BYTES, name="the API key")).digest() for key in listed
        )

    def check(self, scope: Scope) -> None:
        """Let a request with the key pass.

        Args:
            scope: The request's ASGI scope.

        Raises:
            MissingToken: No key came with it (401).
            InvalidToken: It is another one (401).
        """
        token = bearer_token(scope)
        if token is None:
            raise MissingToken("no Authorization header with a bearer key")
        # Digests have one length: the time of the comparison tells neither the key's length nor its letters.
        digest = sha256(token.encode("latin-1")).digest()
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        if not any(matches):
            raise InvalidToken("the bearer key is another one")


def bearer_token(scope: Scope) -> str | None:
    """Return the bearer token of a request, which may be empty; None when no Authorization header has one.

    Args:
        scope: The request's ASGI scope.

    Raises:
        InvalidToken: There are several Authorization headers.
    """
    values = header_values(scope, b"authorization")
    if len(values) > 1:
        raise InvalidToken("several Authorization headers")
    if not values:
        return None
    kind, _, token = values[0].strip().partition(" ")
    if kind.lower() != "bearer":
        return None
    return token.strip()


def derived_key(secret: Secret, label: str) -> str:
    """Return the key that AnyCable derives from an app's secret, so that its publishers need no other.

    Args:
        secret: The app's secret, at least 32 bytes.
        label: ``"broadcast-cable"`` for publishing, ``"api-cable"`` for the API.

    Returns:
        HMAC-SHA256 of the label, in hexadecimal.

    Raises:
        SecretError: The secret is shorter.
    """
    key = secret_bytes(secret, least=_MIN_DERIVING_BYTES, name="the cable's secret")
    return hmac.digest(key, label.encode(), "sha256").hex()
