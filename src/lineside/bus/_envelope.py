"""How a message looks on the wire.

    "LB" version flags | signature, if signed | sizes, time | namespace node id stream headers data

The stream stands inside, so that a signed message is no good on another stream. The position does not:
the store gives it when the message is already written. As everywhere, the signature is HMAC-SHA256
(RFC 2104) and no message chooses another.
"""

import hmac
import logging
import math
import struct
from collections.abc import Sequence
from typing import Any, Final

from lineside.bus._message import Message, Position
from lineside.bus._options import BackendOptions, Secret
from lineside.exceptions import InvalidJSONError, PayloadTooLargeError, SecretError
from lineside.signing import MIN_SECRET_BYTES
from lineside.strict_json import dumps, loads

__all__ = ["Envelope", "EnvelopeError"]

_VERSION: Final = 1
_SIGNED: Final = 1
_HEAD: Final = struct.Struct("!2sBB")
# Milliseconds would round away what orders two messages: the time is a double.
_SIZES: Final = struct.Struct("!dBBHBH")
_MAGIC: Final = b"LB"
_PLAIN: Final = _HEAD.pack(_MAGIC, _VERSION, 0)
_SEALED: Final = _HEAD.pack(_MAGIC, _VERSION, _SIGNED)
_MAC_BYTES: Final = 32
_MAX_HEADERS: Final = 65_535
_OVERHEAD: Final = 70_000

_logger = logging.getLogger("lineside.bus")


class EnvelopeError(ValueError):
    """Bytes from outside are no message for this bus.

    Attributes:
        reason: ``"garbage"``, ``"version"``, ``"namespace"``, ``"unsigned"``, ``"forged"`` or ``"oversize"``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Envelope:
    """Writes and reads messages of one namespace.

    Args:
        options: The namespace, the secrets, the bounds and the statistics.

    Raises:
        SecretError: A secret has less than 32 bytes.
    """

    __slots__ = ("_keys", "_max_bytes", "_namespace", "_stats", "_told")

    def __init__(self, options: BackendOptions) -> None:
        self._namespace = options.namespace.encode()
        self._keys = _keys_of(options.secrets, self._namespace)
        self._max_bytes = options.max_message_bytes
        self._stats = options.stats
        self._told: set[str] = set()

    def encode(self, message: Message) -> bytes:
        """Return a message as bytes, without its position.

        Args:
            message: The message.
        """
        namespace, headers = self._namespace, message.headers
        node, id_, stream = message.node.encode(), message.id.encode(), message.stream.encode()
        encoded = dumps(dict(headers)) if headers else b""
        if len(encoded) > _MAX_HEADERS:
            raise ValueError(f"headers have {len(encoded)} bytes, {_MAX_HEADERS} are the most")
        sizes = _SIZES.pack(
            message.published_at, len(namespace), len(node), len(id_), len(stream), len(encoded)
        )
        body = b"".join((sizes, namespace, node, id_, stream, encoded, message.data))
        if not self._keys:
            return _PLAIN + body
        return b"".join((_SEALED, hmac.digest(self._keys[0], body, "sha256"), body))

    def decode(self, raw: bytes, position: Position | None = None) -> Message:
        """Read a message.

        Args:
            raw: What came from the server.
            position: Where the message stands in its log.

        Raises:
            EnvelopeError: It is no message for this bus.
        """
        if len(raw) > self._max_bytes + _OVERHEAD:
            raise EnvelopeError("oversize")
        start = self._body_of(raw)
        try:
            published_at, *lengths = _SIZES.unpack_from(raw, start)
            ends = _ends(start + _SIZES.size, lengths)
            if ends[-1] > len(raw) or not math.isfinite(published_at):
                raise EnvelopeError("garbage")
            if raw[start + _SIZES.size : ends[0]] != self._namespace:
                raise EnvelopeError("namespace")
            node, id_, stream = (raw[ends[i] : ends[i + 1]].decode() for i in range(3))
            data = raw[ends[4] :]
            if len(data) > self._max_bytes:
                raise EnvelopeError("oversize")
            headers = _headers_of(raw[ends[3] : ends[4]])
        except (struct.error, UnicodeDecodeError, InvalidJSONError, PayloadTooLargeError):
            raise EnvelopeError("garbage") from None
        return Message(stream, data, id_, node, position, published_at, headers)

    def read(
        self, raw: bytes, position: Position | None = None, *, stream: str | None = None
    ) -> Message | None:
        """Read a message, or count what is none and go on; the log has one line for each reason.

        Args:
            raw: What came from the server.
            position: Where the message stands in its log.
            stream: Where it came from: a message of another stream is garbage.
        """
        try:
            message = self.decode(raw, position)
            if stream is not None and message.stream != stream:
                raise EnvelopeError("garbage")
        except EnvelopeError as error:
            self.skip(error.reason)
            return None
        return message

    def skip(self, reason: str) -> None:
        """Count something from outside that is not taken.

        Args:
            reason: As `EnvelopeError` has it.
        """
        self._stats.count(f"skipped_{reason}")
        if reason not in self._told:
            self._told.add(reason)
            _logger.warning(
                "skipped a message that is not for this bus (%s); further ones are only counted", reason
            )

    def _body_of(self, raw: bytes) -> int:
        if raw[:2] != _MAGIC or len(raw) < _HEAD.size:
            raise EnvelopeError("garbage")
        if raw[2] != _VERSION:
            raise EnvelopeError("version")
        if not raw[3] & _SIGNED:
            if self._keys:
                raise EnvelopeError("unsigned")
            return _HEAD.size
        start = _HEAD.size + _MAC_BYTES
        if self._keys:
            given, body = raw[_HEAD.size : start], raw[start:]
            if not any(hmac.compare_digest(given, hmac.digest(key, body, "sha256")) for key in self._keys):
                raise EnvelopeError("forged")
        return start


def _ends(start: int, lengths: Sequence[int]) -> list[int]:
    ends: list[int] = []
    for length in lengths:
        start += length
        ends.append(start)
    return ends


def _headers_of(raw: bytes) -> dict[str, str]:
    if not raw:
        return {}
    headers: Any = loads(raw)
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise EnvelopeError("garbage")
    return headers


def _keys_of(secrets: Sequence[Secret], namespace: bytes) -> tuple[bytes, ...]:
    keys: list[bytes] = []
    for secret in secrets:
        plain = secret if isinstance(secret, str | bytes) else secret.get_secret_value()
        plain = plain.encode() if isinstance(plain, str) else plain
        if len(plain) < MIN_SECRET_BYTES:
            raise SecretError(f"the bus secret has {len(plain)} bytes, {MIN_SECRET_BYTES} are the least")
        # A key of its own: a secret that also signs cookies signs no messages with the same key.
        keys.append(hmac.digest(plain, b"lineside.bus/" + namespace, "sha256"))
    return tuple(keys)
