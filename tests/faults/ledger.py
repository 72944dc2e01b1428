"""The oracle of every fault: what was acknowledged, what was shown, and what is missing between the two."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.client import Client, Gap, Shown

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was acknowledged.

    Attributes:
        stream: Its stream.
        producer: Who published it.
        number: Its place among its producer's.
        epoch: The log's epoch.
        offset: Where it stands in the log.
        began: When its publishing began, in this process' monotonic seconds.
        acked: When it was acknowledged.
    """

    stream: str
    producer: str
    number: int
    epoch: str
    offset: int
    began: float
    acked: float

    @property
    def key(self) -> Key:
        """What tells it from all others."""
        return (self.producer, self.number)


@dataclass(slots=True)
class Verdict:
    """What the ledger says of all clients together.

    Attributes:
        acked: How many messages were acknowledged.
        shown: How many times one was shown.
        lost: What a client was neither shown nor told to miss.
        told: What a client missed, and was told so.
        gaps: How often a client was told.
        duplicates: What a client was shown more than once.
        inversions: What a client was shown behind a later one.
        phantoms: What was shown and never sent.
        misplaced: What was shown at another position than it was acknowledged at.
    """

    acked: int = 0
    shown: int = 0
    lost: list[str] = field(default_factory=list[str])
    told: int = 0
    gaps: int = 0
    duplicates: list[str] = field(default_factory=list[str])
    inversions: list[str] = field(default_factory=list[str])
    phantoms: list[str] = field(default_factory=list[str])
    misplaced: list[str] = field(default_factory=list[str])

    def faults(self) -> list[str]:
        """Return what must not be, in words; nothing when all is well."""
        return [
            f"{name} {len(found)}: {', '.join(found[:3])}"
            for name, found in (
                ("lost", self.lost),
                ("duplicates", self.duplicates),
                ("inversions", self.inversions),
                ("phantoms", self.phantoms),
                ("misplaced", self.misplaced),
            )
            if found
        ]


class Ledger:
    """What publishers did.

    Attributes:
        acked: Each acknowledged message.
        unknown: Messages that were given up: they may have come, once.
    """

    def __init__(self) -> None:
        self.acked: dict[Key, Sent] = {}
        self.unknown: set[Key] = set()

    def missing(self, client: Client) -> int:
        """Return how many messages a client has not been shown yet."""
        return len(self.acked.keys() - client.seen)

    def judge(self, clients: Iterable[Client], streams: Iterable[str]) -> Verdict:
        """Compare the logs of clients with what was acknowledged.

        Args:
            clients: They were subscribed before the first message.
            streams: What they are subscribed to.
        """
        verdict = Verdict(acked=len(self.acked))
        for client in clients:
            for stream in streams:
                log = [entry for entry in client.log if entry.stream == stream]
                self._judge(client.name, stream, log, verdict)
        return verdict

    def _judge(self, who: str, stream: str, log: list[Shown | Gap], verdict: Verdict) -> None:
        shown = [entry for entry in log if isinstance(entry, Shown)]
        verdict.shown += len(shown)
        verdict.gaps += len(log) - len(shown)
        times = Counter(entry.key for entry in shown)
        verdict.duplicates += [f"{who}: {key} x{count}" for key, count in times.items() if count > 1]
        for entry in shown:
            sent = self.acked.get(entry.key)
            if sent is None and entry.key not in self.unknown:
                verdict.phantoms.append(f"{who}: {entry.key}")
            elif sent is not None and (sent.epoch, sent.offset) != (entry.epoch, entry.offset):
                verdict.misplaced.append(f"{who}: {entry.key} at {entry.offset}, not {sent.offset}")
        verdict.inversions += [f"{who}: {later.key}" for later in _inverted(shown)]
        for sent in self.acked.values():
            if sent.stream == stream and sent.key not in times:
                if _was_told(sent, log):
                    verdict.told += 1
                else:
                    verdict.lost.append(f"{who}: {sent.key} at {sent.epoch[:6]}:{sent.offset}")

    def write(self, path: Path, clients: Iterable[Client]) -> None:
        """Keep everything for whoever looks for what went wrong."""
        with path.open("w") as file:
            for sent in self.acked.values():
                position = f"{sent.epoch}:{sent.offset}"
                said = ["sent", sent.stream, *sent.key, position, sent.began, sent.acked]
                file.write(json.dumps(said) + "\n")
            for client in clients:
                for entry in client.log:
                    shown = (
                        ["gap", client.name, entry.stream, entry.at]
                        if isinstance(entry, Gap)
                        else ["shown", client.name, *entry.key, f"{entry.epoch}:{entry.offset}", entry.at]
                    )
                    file.write(json.dumps(shown) + "\n")


def _inverted(shown: list[Shown]) -> Iterator[Shown]:
    last: dict[str, int] = {}
    numbers: dict[str, int] = {}
    for entry in shown:
        producer, number = entry.key
        if entry.offset < last.get(entry.epoch, 0) or number < numbers.get(producer, -1):
            yield entry
        last[entry.epoch] = max(entry.offset, last.get(entry.epoch, 0))
        numbers[producer] = max(number, numbers.get(producer, -1))


def _was_told(sent: Sent, log: list[Shown | Gap]) -> bool:
    """Tell whether a client was told, between what it saw before a message and what it saw behind it."""
    before, behind = -1, len(log)
    for index, entry in enumerate(log):
        if isinstance(entry, Gap) or entry.epoch != sent.epoch:
            continue
        if entry.offset < sent.offset:
            before = index
        else:
            behind = index
            break
    return any(isinstance(entry, Gap) for entry in log[before + 1 : behind])
