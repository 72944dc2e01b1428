"""The opening handshake of a WebSocket, from bytes to bytes (RFC 6455 section 4.2)."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

from lineside.cable._server._handshake import Refused

__all__ = ["UpgradeRequest", "accepted", "refused", "websocket_scope"]

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16
_VERSION: Final = b"13"


class UpgradeRequest:
    """A request whose HTTP a server has parsed and checked already.

    Args:
        head: Its first line and headers, with nothing after the empty line that ends them.

    Attributes:
        target: What stands in the first line, undecoded.
        headers: Names in lower case, and values.
    """

    __slots__ = ("headers", "target")

    def __init__(self, head: bytes) -> None:
        first, *lines = head.split(b"\r\n\r\n", 1)[0].split(b"\r\n")
        self.target = first.split(b" ", 2)[1]
        self.headers: list[tuple[bytes, bytes]] = []
        for line in lines:
            name, _, value = line.partition(b":")
            self.headers.append((name.strip().lower(), value.strip()))

    @property
    def path(self) -> str:
        """The decoded path."""
        return unquote(self.target.partition(b"?")[0].decode("latin-1"))

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of a header.

        Args:
            name: In lower case.
        """
        return [value for known, value in self.headers if known == name]

    def answer_key(self) -> bytes:
        """Return what ``Sec-WebSocket-Accept`` must say.

        Raises:
            Refused: The request is no proper handshake: 400, or 426 for another version of the protocol.
        """
        if self.values(b"sec-websocket-version") != [_VERSION]:
            headers = {"Sec-WebSocket-Version": _VERSION.decode()}
            raise Refused(HTTPStatus.UPGRADE_REQUIRED, "only WebSocket version 13 is spoken", headers=headers)
        keys = self.values(b"sec-websocket-key")
        if len(keys) != 1 or not _is_key(keys[0]):
            raise Refused(HTTPStatus.BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64")
        digest = hashlib.sha1(keys[0] + _GUID, usedforsecurity=False).digest()
        return base64.b64encode(digest)


def websocket_scope(request: UpgradeRequest, **more: Any) -> dict[str, Any]:
    """Return the ASGI scope of a request, as uvicorn makes it.

    Args:
        request: The request.
        more: What the server knows: ``scheme``, ``client``, ``server``, ``state``, ``app``, ``root_path``.
    """
    raw_path, _, query = request.target.partition(b"?")
    root_path: str = more.get("root_path", "")
    offered = b",".join(request.values(b"sec-websocket-protocol")).decode("latin-1")
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "path": root_path + request.path,
        "raw_path": root_path.encode() + raw_path,
        "query_string": query,
        "headers": request.headers,
        "subprotocols": [name for part in offered.split(",") if (name := part.strip())],
        "extensions": {},
        **more,
    }


def accepted(key: bytes, subprotocol: str | None, headers: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """Return the answer that opens the connection.

    Args:
        key: What `UpgradeRequest.answer_key` returned.
        subprotocol: What is agreed on.
        headers: The server's own.
    """
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + key,
    ]
    if subprotocol is not None:
        lines.append(b"Sec-WebSocket-Protocol: " + subprotocol.encode("latin-1"))
    return _head(lines, headers)


def refused(refusal: Refused, headers: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """Return the answer to one who is not let in; the connection is closed behind it.

    Args:
        refusal: Why.
        headers: The server's own.
    """
    status = f"HTTP/1.1 {refusal.status.value} {refusal.status.phrase}".encode()
    return _head([status, b"connection: close"], [*headers, *refusal.raw_headers]) + refusal.body


def _head(lines: list[bytes], headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    return b"\r\n".join([*lines, *(name + b": " + value for name, value in headers), b"", b""])


def _is_key(key: bytes) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False
