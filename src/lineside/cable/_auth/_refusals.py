"""Why somebody is not let in: one error for each reason, with its answer in every protocol.

The message goes to the client and is the same for all causes, so that a forger learns nothing. The
``detail`` is for the log: it names the cause and never holds a token, a key or a ticket.
"""

from typing import ClassVar

from lineside.cable._auth._close_codes import CloseCode
from lineside.cable._protocol._errors import CableError, ErrorCode

__all__ = [
    "AccessRefused",
    "ClientIdRefused",
    "IdentityMismatch",
    "InvalidTicket",
    "InvalidToken",
    "MissingToken",
    "OriginRefused",
    "TokenExpired",
    "TooManyAttempts",
]


class AccessRefused(CableError):  # noqa: N818 - an answer to a client, as `RequestFailed` is
    """Somebody is not let in; what to answer before and after the upgrade.

    Args:
        detail: The cause, for the log.

    Attributes:
        status_hint: The HTTP status before the upgrade.
        code: GoHub's error code.
        close_code: The close code after the upgrade.
        reason: What Action Cable's and AnyCable's ``disconnect`` frame says.
    """

    status_hint: ClassVar[int] = 401
    public: ClassVar[bool] = True
    code: ClassVar[ErrorCode] = ErrorCode.UNAUTHORIZED
    close_code: ClassVar[CloseCode] = CloseCode.UNAUTHORIZED
    reason: ClassVar[str] = "unauthorized"
    text: ClassVar[str] = "Unauthorized"

    def __init__(self, detail: str = "") -> None:
        super().__init__(self.text)
        self.detail = detail


class MissingToken(AccessRefused):
    """No token came with the request, and guests are not let in."""

    text = "Unauthorized: Token required"


class InvalidToken(AccessRefused):
    """The token is forged, malformed, of another purpose or not valid yet."""

    code = ErrorCode.INVALID_TOKEN
    text = "Unauthorized: Invalid token"


class TokenExpired(AccessRefused):
    """The token was good and has ended; its owner gets a fresh one."""

    code = ErrorCode.TOKEN_EXPIRED
    close_code = CloseCode.TOKEN_EXPIRED
    reason = "token_expired"
    text = "Unauthorized: Token expired"


class IdentityMismatch(AccessRefused):
    """A fresh token belongs to somebody else than the connection does."""

    code = ErrorCode.INVALID_TOKEN
    text = "Unauthorized: The token belongs to another identity; connect anew with it"


class InvalidTicket(AccessRefused):
    """A one-time ticket was used before, has ended, or came from another Origin."""

    status_hint = 403
    code = ErrorCode.INVALID_TOKEN
    close_code = CloseCode.FORBIDDEN
    text = "Forbidden: Invalid ticket; ask for a new one"


class OriginRefused(AccessRefused):
    """The page that opened the connection is not one of the allowed Origins (RFC 6455 section 10.2)."""

    status_hint = 403
    code = ErrorCode.FORBIDDEN
    close_code = CloseCode.FORBIDDEN
    text = "Forbidden: Origin not allowed"


class ClientIdRefused(AccessRefused):
    """A client id was asked for, or came with an identity, that nobody may have."""

    status_hint = 403
    code = ErrorCode.FORBIDDEN
    close_code = CloseCode.FORBIDDEN
    text = "Forbidden: Client id not allowed; ask for 1 to 64 letters, digits, '-', '_', '.' or '~'"


class TooManyAttempts(AccessRefused):
    """One peer connects too often.

    Args:
        retry_after_seconds: When the next attempt may succeed, for ``Retry-After`` (RFC 9110).
    """

    status_hint = 429
    code = ErrorCode.RATE_LIMITED
    close_code = CloseCode.RATE_LIMITED
    reason = "rate_limited"
    text = "Too many attempts; connect again later"

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"retry in {retry_after_seconds:.1f} s")
        self.retry_after_seconds = retry_after_seconds
