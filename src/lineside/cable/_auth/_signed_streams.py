"""Signed stream names, in the form of Rails, Turbo and AnyCable: a client subscribes to what it was given.

The form is that of ActiveSupport's ``MessageVerifier`` with SHA256 and JSON:
``base64(json(name))--hex(hmac_sha256(key, base64))``. A name with a purpose or an expiry lies in its
``_rails`` envelope, which AnyCable does not read.
"""

import hmac
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import pbkdf2_hmac
from typing import Any, Final, Literal

from lineside.cable._auth._secret_bytes import Secret, SecretHolder, secret_bytes
from lineside.exceptions import InvalidJSONError, SecretError, SignatureError
from lineside.strict_json import dumps, loads

__all__ = ["SignedStreams", "turbo_key"]

_MIN_SECRET_BYTES: Final = 32
_MAX_TOKEN_CHARS: Final = 4_096
_MAX_NAME_BYTES: Final = 255
_TO_STANDARD: Final = str.maketrans("-_", "+/")
_RAILS: Final = "_rails"


class SignedStreams(SecretHolder):
    """Signs the names of streams and verifies them again.

    Args:
        secrets: The secret, or several, newest first: the first one signs, each of them verifies.
        turbo_secret: The key of Turbo's stream names where it is another one; see `turbo_key`.
        clock: Returns the seconds since 1970; for tests.

    Attributes:
        turbo: Signs and verifies the names for Turbo's channel.

    Raises:
        SecretError: No secret is given, or one has less than 32 bytes.
    """

    __slots__ = ("_clock", "_keys", "turbo")

    turbo: "SignedStreams"

    def __init__(
        self,
        secrets: Secret | Sequence[Secret],
        *,
        turbo_secret: Secret | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        listed = (
            [*secrets]
            if isinstance(secrets, Sequence) and not isinstance(secrets, str | bytes)
            else [secrets]
        )
        if not listed:
            raise SecretError("signed streams need a secret")
        self._keys = tuple(
            secret_bytes(secret, least=_MIN_SECRET_BYTES, name="the secret of signed streams")
            for secret in listed
        )
        self._clock = clock
        self.turbo = self if turbo_secret is None else SignedStreams(turbo_secret, clock=clock)

    def sign(self, stream: str, *, purpose: str | None = None, expires_in: timedelta | None = None) -> str:
        """Sign a stream's name, for a page to show.

        Args:
            stream: The stream's name, 1 to 255 bytes. Whoever sees the page can read it.
            purpose: What the name is for; it verifies for the same purpose only.
            expires_in: How long it can be subscribed to; None for as long as the secret is kept.

        Raises:
            ValueError: The name is empty or too long, or ``expires_in`` is not positive.
        """
        if not 0 < len(stream.encode()) <= _MAX_NAME_BYTES:
            raise ValueError(f"a stream's name has 1 to {_MAX_NAME_BYTES} bytes, not {len(stream.encode())}")
        if expires_in is not None and expires_in <= timedelta(0):
            raise ValueError("expires_in must be positive; None means for ever")
        message = dumps(stream)
        if purpose is not None or expires_in is not None:
            message = dumps({_RAILS: self._envelope(message, purpose, expires_in)})
        body = b64encode(message).decode()
        return f"{body}--{_digest(self._keys[0], body)}"

    def verify(self, token: str, *, purpose: str | None = None) -> str:
        """Return the name in a genuine token.

        Args:
            token: What ``sign``, Rails or Turbo made, in standard or url-safe base64.
            purpose: What it was signed for.

        Raises:
            SignatureError: It is forged, malformed, expired or for another purpose.
        """
        if len(token) > _MAX_TOKEN_CHARS:
            raise SignatureError("too long")
        body, separator, digest = token.rpartition("--")
        if not separator or not token.isascii():
            raise SignatureError("malformed")
        # Every key is tried, so that the time does not tell which one fits.
        matches = [hmac.compare_digest(_digest(key, body), digest) for key in self._keys]
        if not any(matches):
            raise SignatureError("forged")
        return self._opened(_json(body), purpose)

    def _envelope(self, message: bytes, purpose: str | None, expires_in: timedelta | None) -> dict[str, Any]:
        expires_at = None
        if expires_in is not None:
            moment = datetime.fromtimestamp(self._clock(), UTC) + expires_in
            expires_at = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"message": b64encode(message).decode(), "exp": expires_at, "pur": purpose}

    def _opened(self, content: Any, purpose: str | None) -> str:
        name, envelope = _unwrapped(content)
        if envelope.get("pur") != purpose:
            raise SignatureError("forged")
        if self._is_over(envelope):
            raise SignatureError("expired")
        if not isinstance(name, str) or not 0 < len(name.encode()) <= _MAX_NAME_BYTES:
            raise SignatureError("malformed")
        return name

    def _is_over(self, envelope: Mapping[str, Any]) -> bool:
        expires_at = envelope.get("exp")
        if expires_at is None:
            return False
        try:
            moment = datetime.fromisoformat(expires_at)
        except (TypeError, ValueError):
            raise SignatureError("malformed") from None
        if moment.tzinfo is None:
            raise SignatureError("malformed")
        return self._clock() >= moment.timestamp()


def turbo_key(secret_key_base: Secret, *, digest: Literal["sha256", "sha1"] = "sha256") -> bytes:
    """Return the key with which a Rails app signs Turbo's stream names unless it is told another one.

    Args:
        secret_key_base: The Rails app's ``secret_key_base``, at least 32 bytes.
        digest: ``"sha256"`` for apps with the defaults of Rails 7, ``"sha1"`` for older ones.

    Returns:
        64 bytes: ``ActiveSupport::KeyGenerator`` with 1000 rounds for ``turbo/signed_stream_verifier_key``.

    Raises:
        SecretError: The secret is shorter.
    """
    base = secret_bytes(secret_key_base, least=_MIN_SECRET_BYTES, name="the secret_key_base")
    return pbkdf2_hmac(digest, base, b"turbo/signed_stream_verifier_key", 1_000, 64)


def _digest(key: bytes, body: str) -> str:
    return hmac.digest(key, body.encode(), "sha256").hex()


def _unwrapped(content: Any) -> tuple[Any, Mapping[str, Any]]:
    """Return what was signed, and its purpose and expiry where it has some."""
    envelope = content.get(_RAILS) if isinstance(content, dict) else None
    if not isinstance(envelope, dict):
        return content, {}
    message = envelope.get("message")
    # Rails 5.2 and later put JSON in base64 under "message", Rails 7.1 and later also the value under "data".
    return (_json(message) if isinstance(message, str) else envelope.get("data")), envelope


def _json(body: str) -> Any:
    # Only a genuine body comes here: in which of its spellings it is written changes nothing.
    standard = body.translate(_TO_STANDARD)
    try:
        return loads(b64decode(standard + "=" * (-len(standard) % 4), validate=True))
    except (InvalidJSONError, ValueError):
        raise SignatureError("malformed") from None
