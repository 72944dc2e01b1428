"""The ids of messages."""

import hashlib
import itertools
import secrets

__all__ = ["Ids", "id_of_key"]


class Ids:
    """Makes ids that no other process makes: a random beginning, and a number."""

    __slots__ = ("_numbers", "_prefix")

    def __init__(self) -> None:
        self._prefix = secrets.token_urlsafe(12)
        self._numbers = itertools.count(1)

    def __call__(self) -> str:
        return f"{self._prefix}.{next(self._numbers):x}"


def id_of_key(stream: str, key: str) -> str:
    """Return the id that a message has for its idempotency key.

    Args:
        stream: The stream's name.
        key: The key, of any length.
    """
    digest = hashlib.sha256(f"{stream}\n{key}".encode()).hexdigest()
    return f"k.{digest}"
