"""A WebSocket client (RFC 6455) of the fewest parts: a thousand of them share one core."""

import asyncio
import base64
import os
import struct
from collections.abc import Callable
from contextlib import suppress

SUBPROTOCOL = "actioncable-v1-ext-json"
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


class ClientSocket(asyncio.Protocol):
    """One connection, from the handshake on.

    Args:
        port: Where the server is.
        target: The path with its query.
        on_text: Takes each text message.
        on_end: Is called once when the connection is over, with the close code or None.
    """

    def __init__(
        self, port: int, target: str, on_text: Callable[[bytes], None], on_end: Callable[[int | None], None]
    ) -> None:
        self.transport: asyncio.Transport | None = None
        self.code: int | None = None
        self._head = (
            f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
        )
        self._on_text = on_text
        self._on_end = on_end
        self._buffer = bytearray()
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._head.encode())

    def data_received(self, data: bytes) -> None:
        """Take what the server sends."""
        self._buffer += data
        if not self._upgraded:
            head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.abort()
                return
            self._upgraded = True
            self._buffer = bytearray(rest)
        while self._frame():
            pass

    def connection_lost(self, exc: Exception | None) -> None:
        """Take notice that it is over."""
        self._on_end(self.code)

    def send(self, text: str) -> None:
        """Send a text message."""
        self._write(_TEXT, text.encode())

    def send_bytes(self, payload: bytes) -> None:
        """Send a text message that may be none."""
        self._write(_TEXT, payload)

    def abort(self) -> None:
        """Be gone without a word."""
        if self.transport is not None:
            self.transport.abort()

    def _write(self, opcode: int, payload: bytes) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        size = len(payload)
        head = (
            bytes((0x80 | opcode, 0x80 | size))
            if size < 126
            else struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
        )
        # A mask of zeros is a mask (RFC 6455 section 5.3 protects proxies, and here are none).
        self.transport.write(head + b"\0\0\0\0" + payload)

    def _frame(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        opcode, size, start = buffer[0] & 0x0F, buffer[1] & 0x7F, 2
        if size == 126:
            start = 4
        elif size == 127:
            start = 10
        if len(buffer) < start:
            return False
        if start > 2:
            size = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + size:
            return False
        payload = bytes(buffer[start : start + size])
        del buffer[: start + size]
        self._take(opcode, payload)
        return True

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == _TEXT:
            self._on_text(payload)
        elif opcode == _PING:
            self._write(_PONG, payload)
        elif opcode == _CLOSE:
            self.code = int.from_bytes(payload[:2], "big") if payload else 1005
            self._write(_CLOSE, payload[:2])
            if self.transport is not None:
                self.transport.close()


async def connect(
    port: int, target: str, on_text: Callable[[bytes], None], on_end: Callable[[int | None], None]
) -> ClientSocket:
    """Open a connection; what the server says comes to ``on_text``.

    Raises:
        OSError: Nobody listens there.
    """
    loop = asyncio.get_running_loop()
    made = ClientSocket(port, target, on_text, on_end)
    with suppress(TimeoutError):
        async with asyncio.timeout(2.0):
            await loop.create_connection(lambda: made, "127.0.0.1", port)
            return made
    raise ConnectionError("the server did not accept the connection")
