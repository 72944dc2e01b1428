"""Authentication by JSON Web Tokens: signed by a key of ours, for us, now."""

import math
import re
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Final

from lineside.cable._auth._headers import Scope
from lineside.cable._auth._jwt_claims import ClaimRules, identity_of
from lineside.cable._auth._jwt_keys import JWTKey, jwt_package
from lineside.cable._auth._refusals import InvalidToken, MissingToken
from lineside.cable._auth._secret_bytes import Secret, SecretHolder
from lineside.cable._auth._token_sources import find_token
from lineside.cable._protocol._errors import CableConfigurationError
from lineside.cable._protocol._identity import PERMISSIONS, Identity
from lineside.exceptions import InvalidJSONError, LinesideError, SecretError
from lineside.strict_json import dumps, loads

__all__ = ["JWTAuthentication"]

_MAX_TOKEN_CHARS: Final = 4_096
_MAX_LEEWAY_SECONDS: Final = 30.0
# PyJWT forgives padding behind a part: one token has one spelling here.
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})


class JWTAuthentication(SecretHolder):
    """Tells by a JSON Web Token who is behind a connection (RFC 7519, and the advice of RFC 8725).

    Read are the claims of GoHub (``user_id``, ``username``, ``permissions``) and of AnyCable (``ext``).
    ``exp`` is required. What a token says about its key never reaches a file or a network: ``kid``
    chooses among the given keys, ``jku``, ``jwk`` and ``x5u`` are not read.

    Args:
        keys: A secret of at least 32 bytes for HS256, a `JWTKey`, or several keys: each verifies, the
            first that can makes new tokens.
        issuer: What ``iss`` must be; None for anything.
        audience: What ``aud`` must be or contain; None refuses tokens that have one.
        leeway_seconds: How far the issuer's clock may differ, at most 30.
        uses: What a token may say in ``typ``, ``type``, ``token_type``, ``token_use`` or ``purpose``
            that it is for, in lower case.
        query: Take tokens from ``?jid=`` and ``?token=`` too. They end in access logs: switch it off
            where clients can send a subprotocol or a header.
        clock: Returns the seconds since 1970; for tests.

    Raises:
        SecretError: There is no key, or one is too short.
        CableConfigurationError: The leeway is not within 0 and 30 seconds.
        MissingDependencyError: PyJWT is not installed.
    """

    __slots__ = ("_clock", "_keys", "_query", "_rules")

    def __init__(
        self,
        keys: Secret | JWTKey | Sequence[Secret | JWTKey],
        *,
        issuer: str | None = None,
        audience: str | None = None,
        leeway_seconds: float = 5.0,
        uses: Iterable[str] = ("access", "bearer"),
        query: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        listed = [*keys] if isinstance(keys, Sequence) and not isinstance(keys, str | bytes) else [keys]
        if not listed:
            raise SecretError("JSON Web Tokens need a key: without one anybody could make them")
        if not 0.0 <= leeway_seconds <= _MAX_LEEWAY_SECONDS:
            raise CableConfigurationError(f"leeway_seconds is within 0 and 30, not {leeway_seconds}")
        self._keys = tuple(key if isinstance(key, JWTKey) else JWTKey(key) for key in listed)
        self._rules = ClaimRules(issuer, audience, leeway_seconds, frozenset(uses))
        self._query = query
        self._clock = clock

    async def authenticate(self, scope: Scope) -> Identity:
        """Return who is behind a request.

        Args:
            scope: The request's ASGI scope.

        Raises:
            MissingToken: It has no token.
            TokenExpired: The token has ended.
            InvalidToken: The token is not good.
        """
        token = find_token(scope, query=self._query)
        if token is None:
            raise MissingToken("no token in the request")
        return self.verify(token)

    def verify(self, token: str) -> Identity:
        """Return whose a token is; for a token that came otherwise, such as one to refresh a connection.

        Args:
            token: The token.

        Raises:
            TokenExpired: It has ended.
            InvalidToken: It is not good.
        """
        claims = self._claims(token)
        return identity_of(claims, self._rules.check(claims, self._clock()))

    def generate_token(
        self,
        user_id: str,
        username: str = "",
        permissions: Iterable[str] = (),
        ttl: timedelta = timedelta(hours=1),
    ) -> str:
        """Make a token that this authentication accepts, as GoHub's ``GenerateToken``.

        Args:
            user_id: Whose it is: ``user_id`` and ``sub``.
            username: A name to show.
            permissions: Some of `PERMISSIONS`.
            ttl: How long it is good, rounded up to whole seconds.

        Raises:
            ValueError: A permission is unknown, or ``ttl`` is not positive.
            SecretError: All keys are public ones.
        """
        granted = sorted(set(permissions))
        if unknown := set(granted) - PERMISSIONS:
            raise ValueError(
                f"unknown permissions {sorted(unknown)}; there are: {', '.join(sorted(PERMISSIONS))}"
            )
        if ttl <= timedelta(0):
            raise ValueError("ttl must be positive")
        now = self._clock()
        claims: dict[str, Any] = {
            "user_id": user_id,
            "sub": user_id,
            "username": username,
            "permissions": granted,
            "iat": math.floor(now),
            "nbf": math.floor(now),
            "exp": math.ceil(now + ttl.total_seconds()),
        }
        named = {"iss": self._rules.issuer, "aud": self._rules.audience}
        claims.update({name: value for name, value in named.items() if value is not None})
        key = next((key for key in self._keys if key.signs), self._keys[0])
        return key.sign(dumps(claims))

    def _claims(self, token: str) -> dict[str, Any]:
        header = _header(token)
        error = jwt_package().PyJWTError
        for key in self._keys:
            if key.id is not None and key.id != header.get("kid"):
                continue
            try:
                return _object(key.verify(token))
            except error:
                continue
        raise InvalidToken("no key of ours has signed it")


def _header(token: str) -> dict[str, Any]:
    """Return a token's header, which nobody has vouched for yet: it may only narrow down the keys."""
    if len(token) > _MAX_TOKEN_CHARS or not _COMPACT.fullmatch(token):
        raise InvalidToken("not in compact serialisation, or too long")
    package = jwt_package()
    try:
        header: dict[str, Any] = package.get_unverified_header(token)
    except package.PyJWTError:
        raise InvalidToken("the header cannot be read") from None
    if "crit" in header or "b64" in header:
        raise InvalidToken("the header demands an extension (RFC 7515 section 4.1.11)")
    if str(header.get("typ", "jwt")).lower() not in _TYPES:
        raise InvalidToken("typ is another kind of token")
    return header


def _object(payload: bytes) -> dict[str, Any]:
    try:
        claims = loads(payload)
    except (InvalidJSONError, LinesideError):
        claims = None
    if not isinstance(claims, dict):
        raise InvalidToken("the payload is no JSON object")
    return claims
