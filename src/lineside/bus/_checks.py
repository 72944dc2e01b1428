"""What is refused before it reaches a backend."""

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from lineside.bus._errors import InvalidStreamError, MessageTooLargeError
from lineside.exceptions import ConfigurationError

if TYPE_CHECKING:
    from lineside.bus._bus import Bus

__all__ = ["check_headers", "check_id", "check_namespace", "check_stream", "refuse_several_processes"]

_MAX_NAME_BYTES: Final = 255
_MAX_HEADER_BYTES: Final = 8_192
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_stream(stream: str) -> None:
    """Refuse a name that is no stream's.

    Args:
        stream: The name; any text but control characters. It is data, never a pattern.

    Raises:
        InvalidStreamError: It is empty, too long, not UTF-8, or holds a control character.
    """
    if not stream:
        raise InvalidStreamError("a stream has a name; this one is empty")
    if not stream.isascii() or len(stream) > _MAX_NAME_BYTES:
        try:
            size = len(stream.encode())
        except UnicodeEncodeError:
            raise InvalidStreamError("a stream's name is UTF-8; this one has half a surrogate pair") from None
        if size > _MAX_NAME_BYTES:
            raise InvalidStreamError(
                f"a stream's name has at most {_MAX_NAME_BYTES} bytes, this one has {size}; "
                "use a digest of what it is made of"
            )
    if not stream.isprintable() and _CONTROL.search(stream):
        raise InvalidStreamError("a stream's name has no control characters; remove them")


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse headers that are not small.

    Args:
        headers: Short texts by name.

    Raises:
        MessageTooLargeError: They have more than 8 KiB; larger things belong into the data.
        ValueError: One is no text that JSON has a form for.
    """
    if not headers:
        return
    size = sum(len(name.encode()) + len(value.encode()) for name, value in headers.items())
    if size > _MAX_HEADER_BYTES:
        raise MessageTooLargeError(
            f"headers have at most {_MAX_HEADER_BYTES} bytes, these have {size}; put more into the data"
        )
    if any("\0" in name or "\0" in value for name, value in headers.items()):
        raise ValueError("a header has no NUL; put bytes into the data")


def check_id(value: str, *, what: str) -> str:
    """Return an id that can travel with a message.

    Args:
        value: The id.
        what: Whose it is, for the error.

    Raises:
        ValueError: It is empty or has more than 255 bytes.
    """
    if not 0 < len(value.encode()) <= _MAX_NAME_BYTES:
        raise ValueError(f"{what} has 1 to {_MAX_NAME_BYTES} bytes; use a digest of a longer one")
    return value


def check_namespace(namespace: str) -> None:
    """Refuse a namespace that could not stand in the names of keys, subjects and tables' rows.

    Args:
        namespace: The name.

    Raises:
        ConfigurationError: It is empty, long, or has other characters than letters, digits, ``_`` and ``-``.
    """
    if not _NAMESPACE.fullmatch(namespace):
        raise ConfigurationError(
            f"the bus namespace {namespace!r} is not possible: use 1 to 64 letters, digits, '_' or '-'"
        )


def refuse_several_processes(bus: "Bus", environment: Mapping[str, str] = os.environ) -> None:
    """Refuse to start where a bus in memory would split the app silently.

    Args:
        bus: The bus of this process.
        environment: Where ``LINESIDE_WORKERS`` and ``WEB_CONCURRENCY`` say how many processes there are.

    Raises:
        ConfigurationError: There are several, and the bus reaches only this one.
    """
    if not bus.local:
        return
    for name in ("LINESIDE_WORKERS", "WEB_CONCURRENCY"):
        value = environment.get(name, "").strip()
        if value.isdecimal() and int(value) > 1:
            raise ConfigurationError(
                f"{name} is {value}, and a {bus.scheme}:// bus reaches one process only: what is published "
                "in one would never arrive in the others. Use redis://, nats:// or postgres://, or one worker"
            )
