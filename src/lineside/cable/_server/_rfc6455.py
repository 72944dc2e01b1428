"""The frames of a WebSocket client, read strictly (RFC 6455 section 5)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from lineside.cable._server._transport_wire import short_reason

__all__ = [
    "CloseFrame",
    "FrameFault",
    "FrameReader",
    "Incoming",
    "Opcode",
    "Ping",
    "Pong",
    "close_frame",
    "control_frame",
]


class Opcode(IntEnum):
    """What a frame is (section 5.2)."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


_FIN: Final = 0x80
_RESERVED: Final = 0x70
_MASKED: Final = 0x80
_MAX_CONTROL: Final = 125
_SIZE_16: Final = 126
_SIZE_64: Final = 127
# Plain numbers, for every frame is compared with them: looking an enum's member up costs more than that.
_CONTINUATION: Final = int(Opcode.CONTINUATION)
_TEXT: Final = int(Opcode.TEXT)
_CLOSE: Final = int(Opcode.CLOSE)
_KNOWN: Final = frozenset(int(opcode) for opcode in Opcode)

_PROTOCOL_ERROR: Final = 1002
_INVALID_DATA: Final = 1007
_TOO_BIG: Final = 1009
_NO_CODE: Final = 1005
# Section 7.4.1 and IANA's registry: what an endpoint may put into a frame.
_CLOSE_CODES: Final = frozenset({*range(1000, 1004), *range(1007, 1015)})
_FREE_CODES: Final = range(3000, 5000)


class FrameFault(Exception):  # noqa: N818 - it is the peer's fault, and ends in a close frame
    """A client broke the protocol; the connection fails (section 7.1.7).

    Args:
        code: The close code.
        reason: Why, for the close frame.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Ping:
    """The client asks for a pong with the same payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """The client answers a ping, or says that it lives."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class CloseFrame:
    """The client closes; 1005 when it gave no code."""

    code: int
    reason: str


Incoming = str | bytes | Ping | Pong | CloseFrame
"""A whole text message, a whole binary message, or a control frame."""


def control_frame(opcode: Opcode, payload: bytes = b"") -> bytes:
    """Return a control frame as a server sends it: whole and unmasked (section 5.5).

    Args:
        opcode: Which.
        payload: At most 125 bytes.
    """
    return bytes((_FIN | opcode, len(payload))) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """Return a close frame.

    Args:
        code: The close code; 1005 for none.
        reason: Cut to what fits.
    """
    if code == _NO_CODE:
        return control_frame(Opcode.CLOSE)
    return control_frame(Opcode.CLOSE, code.to_bytes(2, "big") + short_reason(reason).encode())


class FrameReader:
    """Makes messages of bytes; it holds what is not complete yet, and never more than one message.

    No extension is ever agreed on, so every reserved bit is a fault.

    Args:
        max_bytes: The largest message; a larger one is refused by its announced size, before it is read.
    """

    __slots__ = ("_buffer", "_max_bytes", "_message", "_opcode")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        # Grown in place: a client that sends a large frame in small pieces makes no copies of it.
        self._buffer = bytearray()
        self._message: bytearray | None = None
        self._opcode = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is held: a new reader would read on just as well."""
        return not self._buffer and self._message is None

    def feed(self, data: bytes) -> list[Incoming]:
        """Read what has come.

        Args:
            data: Any part of the stream.

        Returns:
            What is complete now, in order; nothing comes behind a close frame.

        Raises:
            FrameFault: The client broke the protocol. What was complete before is lost with it.
        """
        held = self._buffer
        if held:
            held += data
        stream = held or data
        found: list[Incoming] = []
        start, size = 0, len(stream)
        while start < size and (end := self._read_frame(stream, start, found)) != start:
            start = end
            if found and isinstance(found[-1], CloseFrame):
                # Nothing behind it counts (section 1.4).
                self._buffer, self._message = bytearray(), None
                return found
        if held or start < size:
            self._buffer = bytearray(stream[start:])
        return found

    def _read_frame(self, data: bytes | bytearray, start: int, found: list[Incoming]) -> int:
        """Read one frame from an offset on; returns where it ends, or the same offset if it is not whole."""
        available = len(data) - start
        if available < 2:
            return start
        first, second = data[start], data[start + 1]
        self._check_head(first, second)
        size, head = second & ~_MASKED, 2
        if size == _SIZE_16:
            head = 4
        elif size == _SIZE_64:
            head = 10
        if available < head:
            return start
        if head > 2:
            size = int.from_bytes(data[start + 2 : start + head], "big")
        self._check_size(first, size)
        end = start + head + 4 + size
        if len(data) < end:
            return start
        body = start + head + 4
        payload = _unmasked(data[body:end], data[body - 4 : body])
        self._take(first, payload, found)
        return end

    def _check_head(self, first: int, second: int) -> None:
        opcode = first & 0x0F
        if first & _RESERVED:
            raise FrameFault(_PROTOCOL_ERROR, "reserved bits are set")
        if opcode not in _KNOWN:
            raise FrameFault(_PROTOCOL_ERROR, "unknown opcode")
        if not second & _MASKED:
            raise FrameFault(_PROTOCOL_ERROR, "a client masks its frames")
        if opcode >= _CLOSE:
            if not first & _FIN or second & ~_MASKED > _MAX_CONTROL:
                raise FrameFault(_PROTOCOL_ERROR, "control frames are short and whole")
        elif (opcode == _CONTINUATION) is (self._message is None):
            raise FrameFault(_PROTOCOL_ERROR, "fragments out of order")

    def _check_size(self, first: int, size: int) -> None:
        if first & 0x0F >= _CLOSE:
            return
        held = 0 if self._message is None else len(self._message)
        if held + size > self._max_bytes:
            raise FrameFault(_TOO_BIG, f"a message has at most {self._max_bytes} bytes")

    def _take(self, first: int, payload: bytes, found: list[Incoming]) -> None:
        opcode = first & 0x0F
        if opcode >= _CLOSE:
            found.append(_control(opcode, payload))
        elif first & _FIN and self._message is None:
            found.append(_text(payload) if opcode == _TEXT else payload)
        elif self._message is None:
            self._message, self._opcode = bytearray(payload), opcode
        else:
            self._message += payload
            if first & _FIN:
                whole, self._message = bytes(self._message), None
                found.append(_text(whole) if self._opcode == _TEXT else whole)


def _unmasked(payload: bytes | bytearray, mask: bytes | bytearray) -> bytes:
    size = len(payload)
    if not size:
        return b""
    # One operation on one long number: many times faster than byte by byte.
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")


def _text(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise FrameFault(_INVALID_DATA, "text is not UTF-8") from None


def _control(opcode: int, payload: bytes) -> Incoming:
    if opcode == Opcode.PING:
        return Ping(payload)
    if opcode == Opcode.PONG:
        return Pong(payload)
    if not payload:
        return CloseFrame(_NO_CODE, "")
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or (code not in _CLOSE_CODES and code not in _FREE_CODES):
        raise FrameFault(_PROTOCOL_ERROR, "that is no close code")
    return CloseFrame(code, _text(payload[2:]))
