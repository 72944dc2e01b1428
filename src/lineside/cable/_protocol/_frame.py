"""An encoded frame that many connections are sent: encoded once, framed once."""

from typing import Final

__all__ = ["Frame", "websocket_frame"]

_TEXT: Final = 0x81  # FIN and opcode 1 (RFC 6455 section 5.2)
_BINARY: Final = 0x82
_SHORT: Final = 125
_MEDIUM: Final = 65_535


def websocket_frame(payload: str | bytes) -> bytes:
    """Return a whole unmasked WebSocket message in one frame (RFC 6455 section 5.2).

    Args:
        payload: A text message's text, or a binary message's bytes.
    """
    first, body = (_TEXT, payload.encode()) if isinstance(payload, str) else (_BINARY, payload)
    size = len(body)
    if size <= _SHORT:
        return bytes((first, size)) + body
    if size <= _MEDIUM:
        return bytes((first, 126)) + size.to_bytes(2, "big") + body
    return bytes((first, 127)) + size.to_bytes(8, "big") + body


class Frame:
    """A payload, and the bytes that go over the wire for it.

    Attributes:
        payload: What an ASGI server is given.
        size: How many bytes the payload counts in an outbox.
        wire: The payload as a WebSocket frame.
    """

    __slots__ = ("payload", "size", "wire")

    def __init__(self, payload: str | bytes) -> None:
        self.payload: str | bytes = payload
        self.size: int = len(payload)
        self.wire: bytes = websocket_frame(payload)
