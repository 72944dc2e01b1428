"""The subjects of one namespace: names of streams are data, so only digests of them stand in subjects."""

import hashlib
from functools import lru_cache

__all__ = ["Subjects", "token_of"]


@lru_cache(maxsize=10_000)
def token_of(name: str) -> str:
    """Return what stands for a name where only letters and digits may.

    Args:
        name: Any text: ``*``, ``>``, ``.`` and spaces included.
    """
    return hashlib.sha256(name.encode()).hexdigest()[:40]


class Subjects:
    """``ls.<namespace>.<stream's token>.live`` for what is not kept, ``....<epoch>`` for what is.

    The epoch stands in the subject so that a message can never be appended to another life of the log
    than its publisher thinks: nobody listens to a subject of an earlier one.

    Args:
        namespace: Letters, digits, ``_`` and ``-``.
    """

    __slots__ = ("_prefix", "namespace")

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._prefix = f"ls.{namespace}."

    def live(self, stream: str) -> str:
        """Return where messages of a stream go that are not kept."""
        return f"{self._prefix}{token_of(stream)}.live"

    def kept(self, stream: str, epoch: str) -> str:
        """Return where messages of a stream go that are kept."""
        return f"{self._prefix}{token_of(stream)}.{epoch}"

    def log(self, epoch: str) -> str:
        """Return what matches every message of one life of the log."""
        return f"{self._prefix}*.{epoch}"

    @staticmethod
    def parts(subject: str) -> tuple[str, str]:
        """Return a subject's token and epoch."""
        *_, token, epoch = subject.split(".")
        return token, epoch
