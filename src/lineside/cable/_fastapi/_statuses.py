"""GoHub's error codes as HTTP statuses."""

from collections.abc import Mapping
from typing import Final

from lineside.bus import UnsupportedByBackendError
from lineside.cable._protocol._errors import ErrorCode, RequestFailed
from lineside.exceptions import LinesideError

__all__ = ["status_of"]

_STATUSES: Final[Mapping[int, int]] = {
    ErrorCode.INVALID_FORMAT: 422,
    ErrorCode.INVALID_MESSAGE_ID: 422,
    ErrorCode.TIMEOUT: 503,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.TOKEN_EXPIRED: 401,
    ErrorCode.INVALID_TOKEN: 401,
    ErrorCode.ROOM_NOT_FOUND: 404,
    ErrorCode.ROOM_ALREADY_EXISTS: 409,
    ErrorCode.ROOM_FULL: 409,
    ErrorCode.NOT_IN_ROOM: 409,
    ErrorCode.ALREADY_IN_ROOM: 409,
    ErrorCode.CLIENT_NOT_FOUND: 404,
    ErrorCode.CLIENT_OFFLINE: 409,
    ErrorCode.MESSAGE_TOO_LARGE: 413,
}
_SERVER_ERROR: Final = 500
_NOT_IMPLEMENTED: Final = 501  # RFC 9110 section 15.6.2: the server lacks what the request needs


def status_of(error: LinesideError) -> int:
    """Return the HTTP status that says the same as an error.

    Args:
        error: What the cable or the bus raised.
    """
    if isinstance(error, RequestFailed):
        return _STATUSES.get(error.code, _SERVER_ERROR)
    if isinstance(error, UnsupportedByBackendError):
        return _NOT_IMPLEMENTED
    return error.status_hint
