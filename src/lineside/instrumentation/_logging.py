"""The request id in every log line, and log lines that cannot be forged or leak."""

import json
import logging
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final, Self

from lineside.instrumentation._redaction import Redactor, printable
from lineside.instrumentation._request_id import request_id
from lineside.types import SupportsSecretValue

_NO_REQUEST: Final = "-"
# What every record has; anything else came with extra={...}.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "asctime",
    "color_message",  # uvicorn's second copy of its message
    "message",
    "request_id",
    "taskName",
}


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

    __slots__ = ("_stopped",)

    def __init__(self) -> None:
        self._stopped = False

    def stop(self) -> None:
        """Give this handle up; doing it twice does no harm."""
        if not self._stopped:
            self._stopped = True
            _records.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def log_request_ids() -> LoggedRequestIds:
    """Put ``request_id`` into the records of every logger, for ``%(request_id)s`` in a format.

    It reaches the loggers of all libraries and the handlers of all, those added later too. It
    holds for the whole process, until everybody who asked for it has stopped.

    Returns:
        A handle with ``stop()``, which is also a context manager.
    """
    _records.hold()
    return LoggedRequestIds()


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


class _Records:
    """The one change to the standard library, shared by all who asked for it.

    Neither public hook would do. A filter reaches only the handlers that it was added to. With
    an attribute set by ``logging.setLogRecordFactory`` the standard library refuses any call with
    ``extra={"request_id": ...}``, which the app we are added to may well have. So we go one step
    later, when the record is complete.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._restore: Callable[[], bool] | None = None

    def hold(self) -> None:
        with self._lock:
            self._holders += 1
            if self._restore is None:
                self._restore = _add_ids(lambda: self._holders)

    def release(self) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0 and self._restore is not None and self._restore():
                self._restore = None


def _add_ids(wanted: Callable[[], object]) -> Callable[[], bool]:
    """Let all loggers add ids while they are wanted; return what undoes it, if it still can be."""
    original: Callable[..., logging.LogRecord] = logging.Logger.makeRecord

    def make_record(self: logging.Logger, *arguments: Any, **named: Any) -> logging.LogRecord:
        record = original(self, *arguments, **named)
        if wanted():
            _put_id(record)
        return record

    def restore() -> bool:
        # Somebody who came after us keeps what they built upon; ours then does nothing.
        if logging.Logger.makeRecord is not make_record:
            return False
        logging.Logger.makeRecord = original  # type: ignore[method-assign]
        return True

    logging.Logger.makeRecord = make_record  # type: ignore[method-assign]
    return restore


_records: Final = _Records()


def _put_id(record: logging.LogRecord) -> None:
    record.__dict__.setdefault("request_id", request_id() or _NO_REQUEST)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a wrong %-format must not cost the whole line
        return f"{printable(record.msg)} (its arguments do not fit)"
