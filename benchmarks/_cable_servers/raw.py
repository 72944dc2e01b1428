"""The limit: a protocol on uvloop that builds each frame once and writes it to every transport.

No WebSocket library, no ASGI, no application. It reads a message as JSON once and writes it once, as the
others do.
"""

import asyncio
import base64
import hashlib
import json

import uvloop

from benchmarks._cable_servers._serving import listening_socket

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3

_room: set[asyncio.Transport] = set()


class Client(asyncio.Protocol):
    """One connection: the handshake, then short masked text frames."""

    __slots__ = ("_bytes", "_joined", "_transport")

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Wait for the request."""
        self._transport = transport
        self._bytes = b""
        self._joined = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the room."""
        _room.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        """Read what is whole."""
        held = self._bytes + data if self._bytes else data
        if not self._joined:
            request, end, held = held.partition(b"\r\n\r\n")
            if not end:
                self._bytes = request
                return
            self._join(request)
        while len(held) >= 6:
            size, at = held[1] & 127, 2
            if size == 126:
                size, at = int.from_bytes(held[2:4], "big"), 4
            if len(held) < at + 4 + size:
                break
            broadcast(unmasked(held[at : at + 4], held[at + 4 : at + 4 + size]))
            held = held[at + 4 + size :]
        self._bytes = held

    def _join(self, request: bytes) -> None:
        fields = dict(line.split(b": ", 1) for line in request.split(b"\r\n")[1:])
        answer = base64.b64encode(hashlib.sha1(fields[b"Sec-WebSocket-Key"] + _GUID).digest())  # noqa: S324
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + answer + b"\r\n\r\n"
        )
        self._joined = True
        _room.add(self._transport)


def unmasked(mask: bytes, payload: bytes) -> bytes:
    """Return a payload as its sender wrote it (RFC 6455 section 5.3)."""
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")


def broadcast(message: bytes) -> None:
    """Send a message to everybody."""
    payload = json.dumps(json.loads(message)).encode()
    size = len(payload)
    head = bytes((0x81, size)) if size < 126 else bytes((0x81, 126)) + size.to_bytes(2, "big")
    frame = head + payload
    for transport in _room:
        transport.write(frame)


async def main() -> None:
    """Serve until the process is told to end."""
    server = await asyncio.get_running_loop().create_server(Client, sock=listening_socket())
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
