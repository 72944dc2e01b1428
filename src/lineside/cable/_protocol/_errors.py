"""What a request over the cable can fail with: GoHub's codes, and the error that carries one."""

from enum import IntEnum
from typing import Any

from lineside.exceptions import ConfigurationError, LinesideError

__all__ = ["CableConfigurationError", "CableError", "ErrorCode", "RequestFailed", "UnknownChannelError"]


class ErrorCode(IntEnum):
    """GoHub's error codes: 1xxx the message, 2xxx who asks, 3xxx rooms, 4xxx clients."""

    UNKNOWN = 1000
    INVALID_FORMAT = 1001
    INVALID_MESSAGE_ID = 1002
    SERVER_ERROR = 1003
    TIMEOUT = 1004
    RATE_LIMITED = 1005
    UNAUTHORIZED = 2000
    FORBIDDEN = 2001
    TOKEN_EXPIRED = 2002
    INVALID_TOKEN = 2003
    ROOM_NOT_FOUND = 3000
    ROOM_ALREADY_EXISTS = 3001
    ROOM_FULL = 3002
    NOT_IN_ROOM = 3003
    ALREADY_IN_ROOM = 3004
    CLIENT_NOT_FOUND = 4000
    CLIENT_OFFLINE = 4001
    MESSAGE_TOO_LARGE = 4002


class CableError(LinesideError):
    """Anything that the cable raises while an app runs."""


class CableConfigurationError(ConfigurationError):
    """A channel or the cable's router is set up wrongly."""


class RequestFailed(CableError):  # noqa: N818 - it is an answer to a client, as `RecordNotFound` is
    """A request of a client could not be done; raise it in an action or handler to answer so.

    Args:
        code: What went wrong.
        message: What is wrong and what to do, for the client to read.
        details: More, as a JSON value.
    """

    status_hint = 422
    public = True

    def __init__(self, code: ErrorCode | int, message: str, *, details: Any = None) -> None:
        super().__init__(message)
        self.code: int = int(code)
        self.details = details


class UnknownChannelError(CableError, LookupError):
    """A client asked for a channel that is not registered."""

    status_hint = 404
