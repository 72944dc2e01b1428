"""Errors of an app's channel as answers to its client."""

from typing import Any, Final

from pydantic import ValidationError

from lineside.cable._protocol._errors import ErrorCode, RequestFailed
from lineside.exceptions import LinesideError, RecordInvalid

__all__ = ["answer_of", "invalid"]

_CODES: Final = {
    401: ErrorCode.UNAUTHORIZED,
    403: ErrorCode.FORBIDDEN,
    413: ErrorCode.MESSAGE_TOO_LARGE,
    429: ErrorCode.RATE_LIMITED,
}
# What a client sent comes back in these: each is bounded, so that no answer outgrows its question.
_MOST_ERRORS: Final = 20
_MOST_CHARACTERS: Final = 200


def answer_of(error: Exception) -> RequestFailed | None:
    """Return what a client is told about an error; None for a fault of the app, which is not shown.

    Args:
        error: What the channel raised.
    """
    if isinstance(error, RequestFailed):
        return error
    if not isinstance(error, LinesideError) or not error.public:
        return None
    details = error.details() if isinstance(error, RecordInvalid) else None
    code = _CODES.get(error.status_hint, ErrorCode.INVALID_FORMAT)
    return RequestFailed(code, error.message, details=details)


def invalid(error: ValidationError, *, place: str) -> RequestFailed:
    """Return the answer to values that break their annotations.

    Args:
        error: pydantic's error.
        place: Where the values came from: ``"params"`` or ``"data"``.

    Returns:
        With ``details`` as in FastAPI's 422: a list of ``{"type", "loc", "msg"}``, at most 20.
    """
    found = error.errors(include_url=False, include_context=False, include_input=False)[:_MOST_ERRORS]
    details: list[dict[str, Any]] = [
        {
            "type": each["type"],
            "loc": [place, *(_short(part) for part in each["loc"])],
            "msg": _short(each["msg"]),
        }
        for each in found
    ]
    said = "; ".join(f"{'.'.join(map(str, each['loc'][1:])) or place}: {each['msg']}" for each in details)
    return RequestFailed(ErrorCode.INVALID_FORMAT, _short(said), details=details)


def _short(part: Any) -> Any:
    if isinstance(part, str) and len(part) > _MOST_CHARACTERS:
        return part[: _MOST_CHARACTERS - 1] + "\u2026"
    return part
