"""What a client of an event stream asks for in its URL, as subscriptions."""

from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from lineside.bus import Position
from lineside.cable._channel._registry import ChannelRegistry
from lineside.cable._channel._stream_channels import PUBSUB, TURBO
from lineside.cable._protocol._commands import HistoryRequest
from lineside.cable._sse._event_ids import read_event_id
from lineside.strict_json import dumps

__all__ = ["EventsRequest", "Wishes"]

_MOST: Final = 32


@dataclass(frozen=True, slots=True)
class Wishes:
    """The parameters of ``GET /events``.

    Attributes:
        channel: AnyCable's: a channel without parameters.
        identifier: AnyCable's: a whole identifier.
        stream: AnyCable's: a public stream.
        signed_stream: AnyCable's: a signed stream.
        turbo_signed_stream: AnyCable's: one of Turbo's.
        channels: Gor's: channels or public streams, with commas between them.
        history_since: Seconds since 1970: what was published since then comes first.
        raw: The bare message.
    """

    channel: str | None
    identifier: str | None
    stream: str | None
    signed_stream: str | None
    turbo_signed_stream: str | None
    channels: str | None
    history_since: float | None
    raw: bool


@dataclass(frozen=True, slots=True)
class EventsRequest:
    """What to subscribe a client to.

    Attributes:
        identifiers: The subscriptions.
        names: How Gor's clients call them, by identifier; empty for others.
        history: From where on the client wants what it missed; None for from now on.
        positions: What the client has, by stream.
        raw: It wants the bare message.
    """

    identifiers: tuple[str, ...]
    names: dict[str, str]
    history: HistoryRequest | None
    raw: bool
    positions: dict[str, Position] = field(default_factory=dict[str, Position])

    @classmethod
    def of(cls, wishes: Wishes, request: Request, registry: ChannelRegistry) -> "EventsRequest":
        """Read a request.

        Args:
            wishes: Its parameters.
            request: The request; ``Last-Event-ID`` says where the client goes on.
            registry: Knows which names are channels.

        Raises:
            RequestValidationError: It asks for nothing, for too much, or its event id is none of ours.
        """
        named = {_of_name(name, registry): name for name in _names(wishes.channels)}
        identifiers = tuple(dict.fromkeys([*_identifiers(wishes), *named]))
        if not 0 < len(identifiers) <= _MOST:
            raise _invalid(
                "query",
                "channel",
                f"ask for 1 to {_MOST} subscriptions: channel, identifier, stream, signed_stream or channels",
            )
        last_id = request.headers.get("last-event-id")
        try:
            positions = read_event_id(last_id) if last_id else {}
        except ValueError as error:
            raise _invalid("header", "last-event-id", str(error)) from None
        history = None
        if positions or wishes.history_since is not None:
            history = HistoryRequest(wishes.history_since, positions)
        return cls(identifiers, named, history, wishes.raw, positions)


def _identifiers(wishes: Wishes) -> list[str]:
    found: list[str] = []
    if wishes.identifier:
        found.append(wishes.identifier)
    for channel, parameter, value in (
        (wishes.channel, None, None),
        (PUBSUB, "stream_name", wishes.stream),
        (PUBSUB, "signed_stream_name", wishes.signed_stream),
        (TURBO, "signed_stream_name", wishes.turbo_signed_stream),
    ):
        if channel and (parameter is None or value):
            more: dict[str, Any] = {} if parameter is None else {parameter: value}
            found.append(_json({"channel": channel, **more}))
    return found


def _names(channels: str | None) -> list[str]:
    # As Gor: blanks around a name and empty names do not count.
    return [name.strip() for name in (channels or "").split(",") if name.strip()]


def _of_name(name: str, registry: ChannelRegistry) -> str:
    if name in registry.plans:
        return _json({"channel": name})
    return _json({"channel": PUBSUB, "stream_name": name})


def _json(value: dict[str, Any]) -> str:
    return dumps(value).decode()


def _invalid(place: str, name: str, message: str) -> RequestValidationError:
    return RequestValidationError(
        [{"type": "value_error", "loc": (place, name), "msg": message, "input": None}]
    )
