"""What the claims of a genuine token say: whether it is good now and here, and whose it is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from lineside.cable._auth._client_ids import is_identity_id
from lineside.cable._auth._permissions import known_permissions
from lineside.cable._auth._refusals import InvalidToken, TokenExpired
from lineside.cable._protocol._identity import Identity
from lineside.exceptions import InvalidJSONError, PayloadTooLargeError
from lineside.strict_json import loads

__all__ = ["ClaimRules", "identity_of"]

_USES: Final = ("purpose", "token_type", "token_use", "typ", "type")
_MAX_EXT_BYTES: Final = 2_048


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What a token's claims must be (RFC 7519 section 4.1).

    Attributes:
        issuer: What ``iss`` must be; None for anything.
        audience: What ``aud`` must be or contain; None: a token with an ``aud`` is for somebody else.
        leeway_seconds: How far the issuer's clock may differ.
        uses: What a token may say that it is for; a refresh or reset token opens no connection.
    """

    issuer: str | None
    audience: str | None
    leeway_seconds: float
    uses: frozenset[str]

    def check(self, claims: Mapping[str, Any], now: float) -> float:
        """Return when the token ends, with the leeway.

        Args:
            claims: The payload of a genuine token.
            now: Seconds since 1970.

        Raises:
            TokenExpired: It has ended.
            InvalidToken: It never ends, has not begun, or is for another issuer, audience or use.
        """
        self._check_place(claims)
        expires_at = _moment(claims, "exp")
        if expires_at is None:
            raise InvalidToken("exp is missing")
        for name in ("nbf", "iat"):
            begins = _moment(claims, name)
            if begins is not None and begins > now + self.leeway_seconds:
                raise InvalidToken(f"{name} is in the future")
        if now >= expires_at + self.leeway_seconds:
            raise TokenExpired("exp is over")
        return expires_at + self.leeway_seconds

    def _check_place(self, claims: Mapping[str, Any]) -> None:
        if self.issuer is not None and claims.get("iss") != self.issuer:
            raise InvalidToken("iss is another issuer")
        audience = claims.get("aud")
        listed = audience if isinstance(audience, list) else [audience]
        if (self.audience or None) not in listed:
            raise InvalidToken("aud is another audience")
        for name in _USES:
            use = claims.get(name)
            if use is not None and (not isinstance(use, str) or use.lower() not in self.uses):
                raise InvalidToken(f"{name} says that the token is for something else")


def identity_of(claims: Mapping[str, Any], expires_at: float) -> Identity:
    """Return whose a token is.

    Args:
        claims: The payload of a token that is good. ``user_id`` or ``sub`` names who it is, ``ext``
            (AnyCable's, a JSON text) what its connections are found by, ``permissions`` what it may do.
        expires_at: Seconds since 1970 when it ends.

    Returns:
        An identity whose ``user`` is the claims, read-only.

    Raises:
        InvalidToken: It names nobody, or a claim has the wrong type.
    """
    user_id = _user_id(claims)
    identifiers = _identifiers(claims)
    if user_id is None and not identifiers:
        raise InvalidToken("neither user_id, sub nor ext says whose the token is")
    return Identity(
        id=user_id,
        user=MappingProxyType(dict(claims)),
        identifiers=identifiers or {"user_id": user_id},
        permissions=_permissions(claims),
        expires_at=expires_at,
    )


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidToken(f"{name} is no number of seconds")
    return float(value)


def _user_id(claims: Mapping[str, Any]) -> str | None:
    value = claims.get("user_id")
    if value is None:
        value = claims.get("sub")
    if value is None:
        return None
    # Apps number their users; JSON keeps the number, the client id is its text.
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not is_identity_id(text):
        raise InvalidToken("user_id or sub is no id, or begins like a guest's")
    return text


def _identifiers(claims: Mapping[str, Any]) -> dict[str, Any]:
    text = claims.get("ext")
    if text is None:
        return {}
    try:
        identifiers = loads(text, max_bytes=_MAX_EXT_BYTES) if isinstance(text, str) else None
    except (InvalidJSONError, PayloadTooLargeError):
        identifiers = None
    if not isinstance(identifiers, dict):
        raise InvalidToken("ext is no JSON text of an object")
    return identifiers


def _permissions(claims: Mapping[str, Any]) -> frozenset[str]:
    listed = claims.get("permissions")
    if listed is None:
        return frozenset()
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise InvalidToken("permissions is no list of texts")
    return known_permissions(listed)
