"""What a reading of the log has found of one stream."""

import math
import sys
import time
from dataclasses import dataclass, field
from typing import Final

from lineside.bus._nats._jetstream import Stored

__all__ = ["KEEP", "View", "within_limits"]

KEEP: Final = "Lineside-Keep"
"""The header with what a message's stream keeps: how many messages, and for how many seconds."""


@dataclass(slots=True)
class View:
    """What was found of a stream, and what this node had read of it before it looked.

    Attributes:
        stream: The stream's name.
        epoch: The log's epoch.
        known_up_to: How far this node had read.
        known_last: The stream's last sequence that it knew.
        found: The messages.
    """

    stream: str
    epoch: str
    known_up_to: int
    known_last: int
    found: list[Stored] = field(default_factory=list[Stored])

    @property
    def last(self) -> int:
        """The stream's last sequence."""
        # Never what came after the looking: it would be skipped by whoever begins here.
        return self.found[-1].sequence if self.found else self.known_last

    def has_all(self, known: list[int] | None) -> bool:
        """Tell whether nothing of what is known is missing; what came after the looking does not count.

        Args:
            known: The sequences that should be there; None when nobody knows.
        """
        if known is None:
            return False
        up_to = max(self.known_up_to, self.found[-1].sequence if self.found else 0)
        return {sequence for sequence in known if sequence <= up_to} <= {
            stored.sequence for stored in self.found
        }


def within_limits(found: list[Stored]) -> list[Stored]:
    """Leave out what the stream itself no longer keeps: JetStream keeps what the widest one wants.

    Args:
        found: The messages, each with what its stream keeps.
    """
    if not found:
        return found
    messages, _ = _limits_of(found[-1])
    now = time.time()
    return [stored for stored in found[-messages:] if now - stored.stored_at <= _limits_of(stored)[1]]


def _limits_of(stored: Stored) -> tuple[int, float]:
    messages, _, age_seconds = stored.headers.get(KEEP, "").partition(" ")
    try:
        return max(int(messages), 1), float(age_seconds)
    except ValueError:
        return sys.maxsize, math.inf
