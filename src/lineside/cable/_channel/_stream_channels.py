"""Channels for clients that name a stream themselves: signed names, and those that are public."""

import re
from collections.abc import Sequence
from fnmatch import translate
from typing import Any

from lineside.cable._auth._signed_streams import SignedStreams
from lineside.cable._channel._channel import Channel
from lineside.exceptions import SignatureError

__all__ = ["PUBSUB", "TURBO", "PublicStreams", "stream_channels"]

PUBSUB = "$pubsub"
"""What AnyCable's clients call the channel; parameters ``signed_stream_name`` and ``stream_name``."""

TURBO = "Turbo::StreamsChannel"
"""What Turbo's ``<turbo-cable-stream-source>`` calls it; parameter ``signed_stream_name``."""


class PublicStreams:
    """Which streams everybody who is connected may listen to.

    Args:
        patterns: Names, with ``*`` for any text: ``"news"``, ``"scores:*"``.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        listed = [patterns] if isinstance(patterns, str) else patterns
        self._patterns = [re.compile(translate(pattern)) for pattern in listed]

    def allows(self, stream: str) -> bool:
        """Tell whether a stream is public.

        Args:
            stream: Its name.
        """
        return any(pattern.match(stream) for pattern in self._patterns)


def stream_channels(signed: SignedStreams | None, public: PublicStreams) -> list[type[Channel]]:
    """Return the channels `PUBSUB` and, where names are signed, `TURBO`.

    Args:
        signed: Verifies the names; None takes none.
        public: What needs no signature.
    """

    class PubSubChannel(Channel):
        """Listens to one stream, by its signed name, or by its name where that is public."""

        channel_name = PUBSUB

        async def subscribed(self, signed_stream_name: str = "", stream_name: str = "") -> None:
            if not signed_stream_name and public.allows(stream_name):
                self.allow("the stream is public")
                await self.stream_from(stream_name)
                return
            await _stream_signed(self, signed, signed_stream_name)

    class TurboStreamsChannel(Channel):
        """Listens to one stream that a page of Turbo names."""

        channel_name = TURBO

        async def subscribed(self, signed_stream_name: str) -> None:
            await _stream_signed(self, None if signed is None else signed.turbo, signed_stream_name)

    return [PubSubChannel] if signed is None else [PubSubChannel, TurboStreamsChannel]


async def _stream_signed(channel: Channel, signed: SignedStreams | None, token: Any) -> None:
    if signed is None or not token:
        channel.reject("the stream is not public, and its name is not signed")
        return
    try:
        stream = signed.verify(token)
    except SignatureError as error:
        channel.reject(error.message)
        return
    channel.allow("the stream's name is signed")
    await channel.stream_from(stream)
