"""What happens before the upgrade, whatever server does it: who comes, with which protocol, and why not."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from lineside.cable._auth._headers import Scope, query_values, single_header
from lineside.cable._auth._refusals import AccessRefused, TooManyAttempts
from lineside.cable._protocol._codec import Codec
from lineside.cable._protocol._errors import CableError
from lineside.cable._protocol._identity import Identity
from lineside.strict_json import dumps

__all__ = ["Admission", "Admit", "HandshakeRequest", "Refused", "offered_protocols", "restored_session"]

Admit = Callable[[Scope], Awaitable[Identity]]
"""Checks the origin, authenticates, and returns who comes; raises `Refused` or an `AccessRefused`."""

_TOKEN_PROTOCOL: Final = "anycable-token."  # noqa: S105 - the prefix, as AnyCable's clients write it
_SECRET_HEADERS: Final = frozenset(
    {b"authorization", b"cookie", b"proxy-authorization", b"x-api-key", b"x-jid"}
)
# Of the upgrade alone; they would be kept for as long as the connection lives.
_HOP_HEADERS: Final = frozenset({b"connection", b"upgrade"})
_SECRET_PARAMETERS: Final = frozenset({"access_token", "jid", "sid", "ticket", "token"})
_MAX_SESSION_CHARS: Final = 128
_DEFAULT_CLOSE_CODE: Final = 4403


class Refused(CableError):  # noqa: N818 - an answer to a client, as `RequestFailed` is
    """A connection is not taken; it is answered over HTTP, before the upgrade.

    Args:
        status: The HTTP status.
        message: Why, and what to do; the client may read it.
        close_code: What the connection is closed with where the server cannot answer over HTTP.
        headers: More headers of the answer: ``Retry-After``.
    """

    public = True

    def __init__(
        self,
        status: int,
        message: str,
        *,
        close_code: int = _DEFAULT_CLOSE_CODE,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status: HTTPStatus = HTTPStatus(status)
        self.close_code = close_code
        self.headers: dict[str, str] = dict(headers or {})

    @classmethod
    def because(cls, refused: AccessRefused) -> "Refused":
        """Return the answer to one whom the authentication does not let in.

        Args:
            refused: Why.
        """
        headers: dict[str, str] = {}
        if refused.status_hint == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"  # RFC 9110 section 11.6.1: a 401 names the scheme
        if isinstance(refused, TooManyAttempts):
            headers["Retry-After"] = str(max(1, round(refused.retry_after_seconds)))
        return cls(refused.status_hint, refused.message, close_code=int(refused.close_code), headers=headers)

    @property
    def body(self) -> bytes:
        """The answer's JSON: FastAPI's ``detail``, and the close code that says the same."""
        return dumps({"detail": self.message, "code": self.close_code})

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The answer's headers, as ASGI has them."""
        return [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(self.body)).encode()),
            (b"cache-control", b"no-store"),
            *(
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in self.headers.items()
            ),
        ]


class HandshakeRequest:
    """The request that a connection began with (`lineside.cable._protocol._ports.Handshake`).

    Authorization, cookies and the parameters that tokens travel in are left out: nothing that lives as
    long as a connection holds a secret of its client.

    Args:
        scope: The request's ASGI scope.
    """

    __slots__ = ("scope",)

    def __init__(self, scope: Scope) -> None:
        kept = {**scope, "headers": [pair for pair in scope.get("headers", ()) if _may_stay(pair)]}
        kept["query_string"] = _without_secrets(scope.get("query_string", b""))
        kept["subprotocols"] = offered_protocols(scope)
        # The server's own objects: a connection that held them would hold itself.
        kept.pop("extensions", None)
        self.scope: Mapping[str, Any] = kept


@dataclass(frozen=True, slots=True)
class Admission:
    """One who is let in.

    Attributes:
        codec: What its frames mean.
        identity: Who it is.
        handshake: The request, without its secrets.
        restore: The session it wants to go on with.
        subprotocol: What the answer agrees to; None when none was asked for.
    """

    codec: Codec
    identity: Identity
    handshake: HandshakeRequest
    restore: str | None
    subprotocol: str | None


def offered_protocols(scope: Scope) -> Sequence[str]:
    """Return the subprotocols a client offers; a token that travels among them is none.

    Args:
        scope: The request's ASGI scope.
    """
    return [name for name in scope.get("subprotocols", ()) if not name.startswith(_TOKEN_PROTOCOL)]


def restored_session(scope: Scope) -> str | None:
    """Return the id of the session that a client wants to go on with: ``?sid=``, or AnyCable's header.

    Args:
        scope: The request's ASGI scope.
    """
    asked = query_values(scope, "sid")
    session = asked[0] if len(asked) == 1 else single_header(scope, b"x-anycable-restore-sid")
    return session if session and len(session) <= _MAX_SESSION_CHARS else None


def _may_stay(pair: tuple[bytes, bytes]) -> bool:
    name = pair[0].lower()
    return name not in _SECRET_HEADERS and name not in _HOP_HEADERS and not name.startswith(b"sec-websocket-")


def _without_secrets(query: bytes) -> bytes:
    if not query:
        return b""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    kept = [(name, value) for name, value in pairs if name.lower() not in _SECRET_PARAMETERS]
    return query if len(kept) == len(pairs) else urlencode(kept, encoding="latin-1").encode()
