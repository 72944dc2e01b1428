"""Signed, expiring values that are good for one purpose only.

A token carries its value in the open. Anybody can read it, nobody can change it:

    from datetime import timedelta

    from lineside.signing import Signer

    signer = Signer(["an example secret of 32 bytes or more"])
    token = signer.sign({"user": 7}, purpose="unsubscribe", expires_in=timedelta(hours=1))
    assert signer.verify(token, purpose="unsubscribe") == {"user": 7}

For any other purpose, when it has expired, and when a character of it was changed, ``verify``
raises ``SignatureError``.

As Rails' ``MessageVerifier`` with a purpose. The algorithm is HMAC-SHA256 (RFC 2104) and stands
in this file, never in a token: a token cannot choose how it is checked.
"""

import hmac
import logging
import math
import secrets as random
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final, NoReturn

from lineside.exceptions import InvalidJSONError, SecretError, SignatureError
from lineside.strict_json import dumps, loads
from lineside.types import SupportsSecretValue

__all__ = ["MAX_TOKEN_CHARS", "MIN_SECRET_BYTES", "Signer", "check_secret"]

MIN_SECRET_BYTES: Final = 32
"""The shortest secret: as long as the digest of SHA-256 (RFC 2104 section 3)."""

MAX_TOKEN_CHARS: Final = 4_096
"""The longest token that is written or looked at; more would not fit a cookie either."""

_GENERATE: Final = 'python -c "import secrets; print(secrets.token_urlsafe(48))"'

_logger = logging.getLogger("lineside.signing")


class Signer:
    """Signs values and verifies them again, for one purpose each.

    Args:
        secrets: The secrets, newest first: the first one signs, each of them verifies. To
            rotate, put the new secret in front and drop the old one when its tokens are gone.
            Each has at least 32 bytes.
        salt: Keeps the tokens of two signers with the same secrets apart.
        clock: Returns the seconds since 1970; for tests.

    Raises:
        SecretError: No secret is given, or one is shorter than 32 bytes.
    """

    __slots__ = ("_clock", "_keys")

    def __init__(
        self,
        secrets: Sequence[str | bytes | SupportsSecretValue],
        *,
        salt: str = "lineside",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if isinstance(secrets, str | bytes):
            raise SecretError("Signer takes a list of secrets, newest first: Signer([secret])")
        if not secrets:
            raise SecretError(f"Signer needs at least one secret. Make one with: {_GENERATE}")
        self._keys = tuple(_derive(_long_enough(secret), salt) for secret in secrets)
        self._clock = clock

    def sign(self, value: Any, *, purpose: str, expires_in: timedelta | None) -> str:
        """Put a value into a token.

        Args:
            value: Anything that JSON has a form for. It can be read by whoever holds the token.
            purpose: What the token is for; it verifies for the same purpose only.
            expires_in: How long the token is good, rounded up to whole seconds. None means for
                ever, and has to be said.

        Returns:
            A token of letters, digits, ``-``, ``_`` and one ``.``: safe in a URL and a cookie.

        Raises:
            TypeError: JSON has no form for the value.
            ValueError: The value is no strict JSON or too long, the purpose is empty, or
                ``expires_in`` is not positive.
        """
        expires_at = None
        if expires_in is not None:
            if expires_in <= timedelta(0):
                raise ValueError("expires_in must be positive; None means for ever")
            expires_at = math.ceil(self._clock() + expires_in.total_seconds())
        body = _encode(dumps([value, expires_at]))
        token = f"{body}.{_signature(self._keys[0], body, purpose)}"
        if len(token) > MAX_TOKEN_CHARS:
            raise ValueError(
                f"the token would have {len(token)} characters, more than {MAX_TOKEN_CHARS}: "
                "store the value and sign its key"
            )
        return token

    def verify(self, token: str, *, purpose: str) -> Any:
        """Take the value out of a token that is genuine, fresh and for this purpose.

        Args:
            token: What ``sign`` returned.
            purpose: The purpose it was signed for.

        Returns:
            The value, as JSON gives it back: tuples have become lists.

        Raises:
            SignatureError: The token is not good. Its ``reason`` is ``"too long"``,
                ``"malformed"``, ``"forged"`` (which a wrong purpose or a dropped secret is,
                too) or ``"expired"``.
            ValueError: The purpose is empty.
        """
        if len(token) > MAX_TOKEN_CHARS:
            raise SignatureError("too long")
        body, dot, signature = token.partition(".")
        if not dot or not token.isascii():
            raise SignatureError("malformed")
        # The signatures are compared as text: base64 has several spellings of the same bytes.
        # Every key is tried, so that the time does not tell which one fits.
        matches = [hmac.compare_digest(_signature(key, body, purpose), signature) for key in self._keys]
        if not any(matches):
            raise SignatureError("forged")
        value, expires_at = _decode(body)
        if expires_at is not None and self._clock() >= expires_at:
            raise SignatureError("expired")
        return value

    def __repr__(self) -> str:
        return f"<Signer with {len(self._keys)} secrets>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Signer holds secrets and is never pickled or copied; make one where it is used")


def check_secret(
    secret: str | bytes | SupportsSecretValue | None, *, environment: str, name: str
) -> str | bytes | SupportsSecretValue:
    """Return a secret that is good to sign with, or refuse to start.

    In production a missing or short secret is an error. Elsewhere it is a warning, and a random
    secret takes its place: an app runs before anything is configured, and its tokens end with
    the process. So a weak secret never signs anything.

    Args:
        secret: The configured secret, None or empty when there is none.
        environment: The name of the environment; ``"production"`` is the strict one.
        name: Where to set the secret, for instance ``"LINESIDE_APP__SECRET_KEY"``.

    Returns:
        The secret as it came, or 32 random bytes.

    Raises:
        SecretError: The secret is missing or short, in production. It names the variable and
            never the value.
    """
    size = 0 if secret is None else len(_plain(secret))
    if secret is not None and size >= MIN_SECRET_BYTES:
        return secret
    problem = f"has {size} bytes, {MIN_SECRET_BYTES} are the least" if size else "is not set"
    if environment == "production":
        raise SecretError(f"{name} {problem}. Set it to the output of: {_GENERATE}")
    _logger.warning(
        "%s %s: this process signs with a random secret, and production will refuse to start", name, problem
    )
    return random.token_bytes(MIN_SECRET_BYTES)


def _plain(secret: str | bytes | SupportsSecretValue) -> bytes:
    if not isinstance(secret, str | bytes):
        secret = secret.get_secret_value()
    return secret.encode() if isinstance(secret, str) else secret


def _long_enough(secret: str | bytes | SupportsSecretValue) -> bytes:
    plain = _plain(secret)
    if len(plain) < MIN_SECRET_BYTES:
        raise SecretError(
            f"a secret has {len(plain)} bytes, {MIN_SECRET_BYTES} are the least. Make one with: {_GENERATE}"
        )
    return plain


def _derive(key: bytes, label: str) -> bytes:
    return hmac.digest(key, label.encode(), "sha256")


def _signature(key: bytes, body: str, purpose: str) -> str:
    if not purpose:
        raise ValueError("a purpose has a name, for instance purpose='password-reset'")
    # A key of its own for each purpose: no way of joining purpose and body can be mistaken for another.
    return _encode(hmac.digest(_derive(key, purpose), body.encode(), "sha256"))


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(body: str) -> tuple[Any, int | None]:
    # Only a genuine body comes here; another release may have signed another form of it.
    try:
        value, expires_at = loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (InvalidJSONError, ValueError, TypeError):
        raise SignatureError("malformed") from None
    if expires_at is not None and not isinstance(expires_at, int):
        raise SignatureError("malformed")
    return value, expires_at
