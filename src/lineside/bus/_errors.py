"""What the bus raises."""

from lineside.exceptions import ConfigurationError, LinesideError

__all__ = [
    "AlreadyJoinedError",
    "BusClosedError",
    "BusError",
    "BusUnavailable",
    "GroupFullError",
    "InvalidStreamError",
    "MessageTooLargeError",
    "SlowConsumerError",
    "UnsupportedByBackendError",
]


class BusError(LinesideError):
    """Anything that the bus raises while an app runs."""


class BusUnavailable(BusError):  # noqa: N818 - "unavailable" is HTTP's word for it (RFC 9110 section 15.6.4)
    """The server cannot be reached, or did not answer within the deadline."""

    status_hint = 503


class BusClosedError(BusError):
    """The bus has not been connected, or has been closed."""


class InvalidStreamError(BusError, ValueError):
    """A stream's name is empty, longer than 255 bytes, or holds a control character."""

    status_hint = 422


class MessageTooLargeError(BusError, ValueError):
    """A message is larger than the bus carries."""

    status_hint = 413


class SlowConsumerError(BusError):
    """A subscriber has let more messages wait than it may (NATS' word for it)."""


class GroupFullError(BusError):
    """A group has as many members as it may have."""

    status_hint = 409


class AlreadyJoinedError(BusError):
    """The member is in the group already."""

    status_hint = 409


class UnsupportedByBackendError(ConfigurationError):
    """The backend cannot do this; the message names one that can."""
