"""What a backend is told by the bus that a URL has made it for."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lineside.bus._stats import BusStats
from lineside.types import SupportsSecretValue

__all__ = ["BackendOptions", "Secret"]

Secret = str | bytes | SupportsSecretValue
"""A secret, plain or in a wrapper such as pydantic's ``SecretStr``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendOptions:
    """The settings that every backend with a server has.

    Attributes:
        namespace: Keeps the buses of several apps on one server apart.
        secrets: Sign what is published, newest first; none for unsigned messages.
        deadline_seconds: How long a call may take altogether, retries included.
        max_message_bytes: The largest message that is taken, without its envelope.
        stats: Counts what the backend skips.
    """

    namespace: str = "lineside"
    secrets: Sequence[Secret] = field(default=(), repr=False)
    deadline_seconds: float = 5.0
    max_message_bytes: int = 4 * 1024 * 1024
    stats: BusStats = field(default_factory=BusStats)
