"""How a message leaves this process."""

from collections.abc import Callable, Mapping

from lineside.bus._checks import check_headers, check_id, check_stream
from lineside.bus._contract import Backend
from lineside.bus._dedup import Seen
from lineside.bus._errors import MessageTooLargeError
from lineside.bus._ids import id_of_key
from lineside.bus._message import Message, Published
from lineside.bus._stats import BusStats
from lineside.bus._stream import LocalStream

__all__ = ["Publisher"]


class Publisher:
    """Makes messages, and publishes those that are not kept.

    Args:
        node: The id of this process.
        streams: The streams that are listened to here.
        seen: Which messages without history have been delivered here.
        unsent: Which of them no server has.
        stats: Counts.
        max_bytes: The largest data of one message.
        clock: Stamps messages.
        new_id: Names messages.
    """

    def __init__(
        self,
        *,
        node: str,
        streams: Mapping[str, LocalStream],
        seen: Seen,
        unsent: Seen,
        stats: BusStats,
        max_bytes: int,
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._node = node
        self._streams = streams
        self._seen = seen
        self._unsent = unsent
        self._stats = stats
        self._max_bytes = max_bytes
        self._clock = clock
        self._new_id = new_id

    def message(
        self,
        stream: str,
        data: bytes,
        message_id: str | None,
        key: str | None,
        headers: Mapping[str, str] | None,
    ) -> Message:
        """Return a new message.

        Args:
            stream: The stream's name.
            data: The bytes.
            message_id: Its id; None for a new one.
            key: An idempotency key that is to be its id; None for none.
            headers: Small texts beside the data.

        Raises:
            InvalidStreamError: The name is no stream's.
            MessageTooLargeError: The data or the headers are too large.
        """
        check_stream(stream)
        copied = dict(headers) if headers else {}
        check_headers(copied)
        if len(data) > self._max_bytes:
            raise MessageTooLargeError(
                f"a message has at most {self._max_bytes} bytes, this one has {len(data)}; "
                "publish where to find the data, or raise max_message_bytes on every node"
            )
        if message_id is not None:
            check_id(message_id, what="a message's id")
        elif key is not None:
            message_id = id_of_key(stream, key)
        else:
            message_id = self._new_id()
        self._stats.count("published")
        return Message(stream, bytes(data), message_id, self._node, None, self._clock(), copied)

    async def publish(self, message: Message, backend: Backend) -> Published:
        """Deliver a message here at once, and have it carried to the other nodes.

        Args:
            message: One that is not kept.
            backend: Carries it.

        Raises:
            BusUnavailable: The other nodes may not have it. The same id again goes to them only.
        """
        key = (message.stream, message.id)
        if self._seen.add(key):
            local = self._streams.get(message.stream)
            if local is not None:
                local.deliver(message)
        elif key not in self._unsent:
            self._stats.count("duplicates")
            return Published(message.id, duplicate=True)
        try:
            await backend.publish(message)
        except BaseException:
            self._unsent.add(key)
            raise
        self._unsent.discard(key)
        return Published(message.id)
