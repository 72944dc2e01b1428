"""What this node knows of each stream's sequences, because it reads everything that is appended."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Known"]

_CHAIN: Final = 16


@dataclass(slots=True)
class _Chain:
    start: int
    sequences: deque[int] = field(default_factory=deque[int])


class Known:
    """The last sequences of each stream, without holes back to a point.

    The server forgets a stream's last sequence with its last message. Somebody who has read everything
    still knows that nothing came after it, which is what tells a quiet stream from one that lost messages.

    Args:
        size: How many streams are remembered; beyond that the least recent are forgotten.
    """

    __slots__ = ("_chains", "_floor", "_size", "began", "since")

    def __init__(self, *, size: int = 20_000) -> None:
        self._size = size
        self._chains: OrderedDict[str, _Chain] = OrderedDict()
        self._floor: int | None = None
        self.began = 0
        self.since = 0.0

    def begin(self, sequence: int, at: float) -> None:
        """Know everything behind a sequence from now on, and nothing of what was before.

        Args:
            sequence: Where the reading begins.
            at: Seconds since 1970: what is published later is known.
        """
        self._chains.clear()
        self._floor = self.began = sequence
        self.since = at

    def saw(self, token: str, sequence: int) -> None:
        """Remember a message.

        Args:
            token: Its stream's token.
            sequence: Its sequence.
        """
        chain = self._chains.get(token)
        if chain is None:
            chain = self._chains[token] = _Chain(self._floor or 0)
            if len(self._chains) > self._size:
                _, forgotten = self._chains.popitem(last=False)
                self._floor = max(self._floor or 0, forgotten.sequences[-1])
        else:
            self._chains.move_to_end(token)
        chain.sequences.append(sequence)
        if len(chain.sequences) > _CHAIN:
            chain.start = chain.sequences.popleft()

    def last(self, token: str) -> int:
        """Return the last sequence of a stream, or one behind which it has none.

        Args:
            token: The stream's token.
        """
        chain = self._chains.get(token)
        return chain.sequences[-1] if chain else self._floor or 0

    def behind(self, token: str, sequence: int) -> list[int] | None:
        """Return all sequences of a stream behind another one; None when that is not known.

        Args:
            token: The stream's token.
            sequence: Where to begin.
        """
        chain = self._chains.get(token)
        start = chain.start if chain else self._floor
        if start is None or sequence < start:
            return None
        return [known for known in chain.sequences if known > sequence] if chain else []
