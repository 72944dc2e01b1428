"""What a node's cable has counted since it began; the metrics are made of it when they are asked for."""

from dataclasses import dataclass, field
from typing import Final

__all__ = ["CableStats"]

_MOST_KINDS: Final = 64
_OTHER: Final = "other"
_OTHER_CODE: Final = 0


@dataclass(slots=True)
class CableStats:
    """Plain integers: counting must cost nothing.

    Attributes:
        connections_opened: Connections that were welcomed.
        connections_closed: Connections that have ended.
        messages_received: Frames that clients sent.
        deliveries: Messages of streams handed to connections.
        commands_failed: Requests that were answered with an error.
        errors: The same, by error code; 0 for further codes of the app's own when there are too many.
        connections_refused: Connections that were not taken, by reason: the node was ``full`` or
            ``draining``, the authentication ``slow``, the ``protocol`` unknown.
        auth_successes: Handshakes of somebody who was authenticated.
        auth_failures: Handshakes that were refused.
        room_joins: Places that connections of this node took in rooms.
        room_leaves: Places that they gave up, or lost with their connection.
        room_messages: Messages that were sent to rooms from this node.
        malformed: Frames that no protocol knows.
        unreadable: Messages on the bus that a protocol could not send, because they are no JSON.
        rate_limited: Frames refused because they came too fast.
        slow_clients: Connections closed, or cut short, because their client did not read.
        history_confirmed: Replays that were complete.
        history_rejected: Replays that were refused, by reason.
        sessions_restored: Connections that went on where an earlier one ended.
        disconnections: Connections that the server ended, by reason; ``other`` when there are too many.
        faults: Errors of the app's code.
    """

    connections_opened: int = 0
    connections_closed: int = 0
    messages_received: int = 0
    deliveries: int = 0
    commands_failed: int = 0
    errors: dict[int, int] = field(default_factory=dict[int, int])
    connections_refused: dict[str, int] = field(default_factory=dict[str, int])
    auth_successes: int = 0
    auth_failures: int = 0
    room_joins: int = 0
    room_leaves: int = 0
    room_messages: int = 0
    malformed: int = 0
    unreadable: int = 0
    rate_limited: int = 0
    slow_clients: int = 0
    history_confirmed: int = 0
    history_rejected: dict[str, int] = field(default_factory=dict[str, int])
    sessions_restored: int = 0
    disconnections: dict[str, int] = field(default_factory=dict[str, int])
    faults: int = 0

    def failed(self, code: int) -> None:
        """Count a request that was answered with an error."""
        self.commands_failed += 1
        known = code in self.errors or len(self.errors) < _MOST_KINDS
        kind = code if known else _OTHER_CODE
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def refused(self, reason: str) -> None:
        """Count a connection that was not taken."""
        self.connections_refused[reason] = self.connections_refused.get(reason, 0) + 1

    def rejected_history(self, reason: str) -> None:
        """Count a replay that was refused."""
        self.history_rejected[reason] = self.history_rejected.get(reason, 0) + 1

    def disconnected(self, reason: str) -> None:
        """Count a connection that the server ended."""
        # Apps make reasons up: each one is a label of a metric, and kept for ever.
        known = reason in self.disconnections or len(self.disconnections) < _MOST_KINDS
        kind = reason if known else _OTHER
        self.disconnections[kind] = self.disconnections.get(kind, 0) + 1
