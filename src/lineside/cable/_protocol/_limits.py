"""How much a connection, a node and a stream may take: each bound in one place, with its unit."""

from dataclasses import dataclass, field, fields
from typing import Literal

from lineside.bus import HistoryLimits
from lineside.cable._protocol._errors import CableConfigurationError

__all__ = ["CableLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CableLimits:
    """The bounds of a cable. Reaching one is answered, and counted in a metric; nothing is silent.

    Attributes:
        outbox_bytes: What may wait for one client to read (1 MiB, as Centrifugo).
        outbox_frames: How many frames may wait.
        slow_client: What happens then: ``"disconnect"`` with ``too_slow`` (the client comes back and
            resumes), or ``"drop_oldest"``: the client is told by a history rejection.
        frame_bytes: The largest frame that a client may send; a larger one closes with 1009.
        json_depth: How deep its JSON may nest.
        messages_per_second: What one client may send, on average.
        messages_burst: And how many at once. A client that sends more is answered 1005, or disconnected where
            its protocol has no answer.
        subscriptions: How many subscriptions one connection may have (128, as Centrifugo).
        subscriptions_per_second: How many it may begin, on average.
        subscriptions_burst: And how many at once.
        streams: How many streams one subscription may have.
        pending_commands: How many of its commands may wait to run; the socket is not read meanwhile.
        connections: How many connections this node takes; further ones are answered 503.
        connections_per_identity: How many one identity may have, over all nodes; None for any number.
        name_bytes: The longest name of a stream, room or identifier's channel.
        identifier_bytes: The longest identifier.
        ping_seconds: How often clients are pinged (3, as Action Cable).
        pong_seconds: How long a client that answers pings may be silent; None to not ask.
        idle_seconds: How long a connection without subscriptions and messages lives; None for ever.
        session_seconds: How long a session can be restored (300, as AnyCable).
        presence_seconds: How long a dropped client stays present (15, as AnyCable).
        held_messages: How many live messages wait for one subscription's replay.
        close_seconds: How long a closing connection may take to read what waits for it.
        history: What is kept of each stream.

    Raises:
        CableConfigurationError: A bound is no number or negative, or ``ping_seconds`` is 0.
    """

    outbox_bytes: int = 1_048_576
    outbox_frames: int = 4_096
    slow_client: Literal["disconnect", "drop_oldest"] = "disconnect"
    frame_bytes: int = 65_536
    json_depth: int = 32
    messages_per_second: float = 100.0
    messages_burst: int = 4_000
    subscriptions: int = 128
    subscriptions_per_second: float = 100.0
    subscriptions_burst: int = 2_000
    streams: int = 64
    pending_commands: int = 256
    connections: int = 50_000
    connections_per_identity: int | None = None
    name_bytes: int = 255
    identifier_bytes: int = 2_048
    ping_seconds: float = 3.0
    pong_seconds: float | None = None
    idle_seconds: float | None = None
    session_seconds: float = 300.0
    presence_seconds: float = 15.0
    held_messages: int = 1_000
    close_seconds: float = 5.0
    history: HistoryLimits = field(default_factory=HistoryLimits)

    def __post_init__(self) -> None:
        """Refuse what would be no bound, where it is written."""
        for each in fields(self):
            given = getattr(self, each.name)
            if each.name in ("slow_client", "history") or (given is None and each.default is None):
                continue
            if not isinstance(given, int | float) or not given >= 0:
                raise CableConfigurationError(
                    f"{each.name} is {given!r:.80}; a limit is a number, 0 or more"
                    + (", or None for no limit" if each.default is None else "")
                )
        if self.ping_seconds == 0:
            raise CableConfigurationError("ping_seconds is 0; write how many seconds lie between two pings")
        if self.slow_client not in ("disconnect", "drop_oldest"):
            raise CableConfigurationError(
                f"slow_client is {self.slow_client!r:.80}; it is 'disconnect' or 'drop_oldest'"
            )
