"""JSON as frames have it: read strictly into an object, written with ready texts spliced in."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from lineside.cable.codecs._problem import TOO_LARGE, FrameError
from lineside.exceptions import InvalidJSONError, PayloadTooLargeError
from lineside.strict_json import dumps, loads

__all__ = ["MAX_BYTES", "MAX_DEPTH", "JSONReader", "JSONText", "quoted", "write_json"]

MAX_BYTES: Final = 65_536
"""The longest frame that a codec reads, in bytes; as `CableLimits.frame_bytes`."""

MAX_DEPTH: Final = 32
"""How deep a frame may nest; as `CableLimits.json_depth`."""


@dataclass(frozen=True, slots=True)
class JSONText:
    """A value that is JSON text already, and goes into a frame unread.

    Attributes:
        data: The text, as UTF-8.
    """

    data: bytes


class JSONReader:
    """Reads JSON objects within bounds.

    Args:
        max_bytes: The longest text.
        max_depth: How many arrays and objects may lie inside each other.
    """

    __slots__ = ("max_bytes", "max_depth")

    def __init__(self, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> None:
        self.max_bytes = max_bytes
        self.max_depth = max_depth

    def read(self, text: str | bytes, *, what: str = "the frame") -> dict[str, Any]:
        """Return the object that a JSON text holds.

        Args:
            text: What came from outside.
            what: What the text is, for the client to read.

        Raises:
            FrameError: It is too long, breaks strict JSON, or is no object.
        """
        try:
            value = loads(text, max_bytes=self.max_bytes, max_depth=self.max_depth)
        except PayloadTooLargeError:
            raise FrameError(
                f"{what} is larger than {self.max_bytes} bytes; send less at once", TOO_LARGE
            ) from None
        except InvalidJSONError as error:
            raise FrameError(f"{what} is {error.message}; send one JSON object") from None
        if not isinstance(value, dict):
            raise FrameError(f"{what} is JSON but no object; send one JSON object")
        return value


@lru_cache(maxsize=2_048)
def quoted(text: str) -> str:
    """Return a text as a JSON string; the same identifiers and streams are asked for again and again.

    Args:
        text: An identifier, a stream's name, an epoch, a type or a key.

    Raises:
        ValueError: It holds NUL or half of a surrogate pair.
    """
    return dumps(text).decode()


def write_json(fields: Mapping[str, Any]) -> str:
    """Write a frame.

    Args:
        fields: JSON values by their names; a `JSONText` is spliced in as it is.

    Raises:
        TypeError: A value has no form in JSON.
        ValueError: A value has no form in strict JSON, or a `JSONText` is not UTF-8.
    """
    return "{" + ",".join(f"{quoted(name)}:{_text(value)}" for name, value in fields.items()) + "}"


def _text(value: Any) -> str:
    return (value.data if isinstance(value, JSONText) else dumps(value)).decode()
