"""The request id in every log line, and log lines that cannot be forged or leak."""

import json
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final, Self

from lineside.instrumentation._redaction import Redactor, SupportsSecretValue, printable
from lineside.instrumentation._request_id import request_id

_NO_REQUEST: Final = "-"
# What every record has; anything else came with extra={...}.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "asctime",
    "color_message",  # uvicorn's second copy of its message
    "message",
    "request_id",
    "taskName",
}

_MakeRecord = Callable[..., logging.LogRecord]


class RequestIdFilter(logging.Filter):
    """Puts ``request_id`` into each record that passes, ``"-"`` outside of a request.

    For one handler, and for ``logging.config.dictConfig``, where it is
    ``{"()": "lineside.instrumentation.RequestIdFilter"}``. ``log_request_ids`` is for all.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the id and let the record pass; an id given with ``extra=`` stays."""
        _put_id(record)
        return True


class LoggedRequestIds:
    """The request ids in all log lines, until ``stop`` is called or its block ends."""

    __slots__ = ("_original", "_ours")

    def __init__(self, original: _MakeRecord, ours: _MakeRecord) -> None:
        self._original = original
        self._ours = ours

    def stop(self) -> None:
        """Give the records back as they were before; doing it twice does no harm."""
        # Somebody who came after us keeps what they built upon.
        if logging.Logger.makeRecord is self._ours:
            logging.Logger.makeRecord = self._original  # type: ignore[method-assign]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def log_request_ids() -> LoggedRequestIds:
    """Put ``request_id`` into the records of every logger, for ``%(request_id)s`` in a format.

    It reaches the loggers of all libraries and the handlers of all, those added later too. It
    holds for the whole process. Doing it twice does no harm.

    Returns:
        A handle with ``stop()``, which is also a context manager. Only the first one, which
        began it, ends it.
    """
    # Neither public hook does it. A filter reaches only the handlers that it was added to. With
    # an attribute set by logging.setLogRecordFactory the standard library refuses any call with
    # extra={"request_id": ...}, which the app we are added to may well have. So we go one step
    # later, when the record is complete.
    original: _MakeRecord = logging.Logger.makeRecord
    if original.__module__ == __name__:
        return LoggedRequestIds(original, original)

    def make_record(self: logging.Logger, *arguments: Any, **named: Any) -> logging.LogRecord:
        record = original(self, *arguments, **named)
        _put_id(record)
        return record

    logging.Logger.makeRecord = make_record  # type: ignore[method-assign]
    return LoggedRequestIds(original, make_record)


class JSONFormatter(logging.Formatter):
    r"""Writes each event as one line of JSON, without control characters and without secrets.

    The line is plain ASCII: a line feed, an escape sequence of a terminal or U+2028 in a user's
    text arrives as ``\n`` or ``\u001b`` and cannot begin a line of its own. What stands under a
    name like "password" or "Authorization", in the message, in ``extra`` or in a traceback, is
    masked; so are passwords in URLs and the known secrets.

    Args:
        secrets: Values to mask wherever they occur, of at least 4 characters.
        max_chars: The longest text that is kept of a message, traceback or extra, in characters.
    """

    def __init__(
        self,
        *,
        secrets: Iterable[str | bytes | SupportsSecretValue] = (),
        max_chars: int = 32_768,
    ) -> None:
        super().__init__()
        self._redactor = Redactor(secrets)
        self._max_chars = max_chars

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        _put_id(record)
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "request_id": self._redactor.value(record.__dict__["request_id"]),
            "message": self._text(_message(record)),
        }
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if extra:
            line["extra"] = self._extra(extra)
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = self._text(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = self._text(record.stack_info)
        # json leaves DEL as it is, the one control character of ASCII above the letters.
        return json.dumps(line, allow_nan=False).replace("\x7f", "\\u007f")

    def _extra(self, extra: dict[str, Any]) -> Any:
        shown = self._redactor.value(extra)
        if len(json.dumps(shown)) <= self._max_chars:
            return shown
        return {
            key: self._cut(json.dumps(value), self._max_chars // len(shown)) for key, value in shown.items()
        }

    def _text(self, text: str) -> str:
        # Masked before it is cut, so that no half of a secret is left; a text that is far too
        # long is cut before as well, so that masking has an end.
        return self._cut(self._redactor.text(text[: 2 * self._max_chars]), self._max_chars)

    def _cut(self, text: str, limit: int) -> str:
        return text if len(text) <= limit else f"{text[:limit]}... ({len(text) - limit} more)"


def _put_id(record: logging.LogRecord) -> None:
    record.__dict__.setdefault("request_id", request_id() or _NO_REQUEST)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a wrong %-format must not cost the whole line
        return f"{printable(record.msg)} (its arguments do not fit)"
