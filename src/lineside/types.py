"""Protocols that two concepts share, so that neither knows the other.

    from lineside.types import OffersFormats

    def statuses(formats: OffersFormats) -> list[int | str]:
        return sorted(formats.responses(200), key=str)

They are structural: what satisfies one need not import it.
"""

from typing import Any, Protocol, runtime_checkable

__all__ = ["OffersFormats", "SupportsSecretValue"]


@runtime_checkable
class OffersFormats(Protocol):
    """What a route reads from an action that answers in several formats; `lineside.views` makes one."""

    def responses(self, status_code: int = ...) -> dict[int | str, dict[str, Any]]:
        """Return FastAPI's ``responses=`` for every format, and for 406.

        Args:
            status_code: The status of the action's success.
        """
        ...


class SupportsSecretValue(Protocol):
    """A secret in a wrapper, for instance pydantic's ``SecretStr``."""

    def get_secret_value(self) -> str | bytes:
        """Return the secret itself."""
        ...
