"""Let every fault happen again and again, and print what came of it; exit 1 when something did not hold.

    python scripts/faults.py --rows F1,F13 --rounds 5 --stores redis
    python scripts/faults.py --rows F9 --stores nats --rounds 1 --seed 1234

A line is printed for each row and store, and one for each round that failed, with the seed that repeats it.
Ledgers of rounds that failed are kept in ``.cache/faults/``.
"""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.faults.rows import ROWS  # noqa: E402 - it is found only now
from tests.faults.running import standing  # noqa: E402
from tests.faults.world import Figures, Scale  # noqa: E402

_KEPT = ROOT / ".cache" / "faults"
_STORES = ("memory", "redis", "nats")


@dataclass(slots=True)
class Tally:
    """What all rounds of one row on one store came to.

    Attributes:
        figures: Of the rounds that held.
        failed: Why the others did not, with their seeds.
    """

    figures: list[Figures] = field(default_factory=list[Figures])
    failed: list[str] = field(default_factory=list[str])

    def line(self, row: str, store: str, seconds: float) -> str:
        """Return the line of the table."""
        verdicts = [each.verdict for each in self.figures]
        measured: dict[str, float] = {}
        for each in self.figures:
            for name, value in each.measured.items():
                measured[name] = max(value, measured.get(name, value))
        worst = ", ".join(f"{name} {value:.2f}" for name, value in sorted(measured.items()))
        rounds = len(self.figures) + len(self.failed)
        return (
            f"{row:4} {store:6} {len(self.figures):3}/{rounds:<3} held  "
            f"acked {sum(each.acked for each in verdicts):7}  "
            f"shown {sum(each.shown for each in verdicts):9}  "
            f"lost {sum(len(each.lost) for each in verdicts)}  "
            f"dup {sum(len(each.duplicates) for each in verdicts)}  "
            f"inv {sum(len(each.inversions) for each in verdicts)}  "
            f"told {sum(each.gaps for each in verdicts):5}  {seconds:5.0f} s  worst: {worst}"
        )


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for.

    Returns:
        0 when everything held.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", default=",".join(ROWS), help="which faults, with commas between them")
    parser.add_argument("--stores", default=",".join(_STORES), help="on which stores")
    parser.add_argument("--rounds", type=int, default=20, help="how often each (default 20)")
    parser.add_argument("--seed", type=int, help="the seed of the first round; the next ones count up")
    parser.add_argument("--clients", type=int, default=0, help="how many; default: as the row says")
    parser.add_argument("--short", action="store_true", help="the form that the tests have")
    given = parser.parse_args(arguments)
    seed = SystemRandom().randrange(1 << 32) if given.seed is None else given.seed
    # So that a run that is ended takes its servers and nodes with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"seeds from {seed}", flush=True)
    _KEPT.mkdir(parents=True, exist_ok=True)
    failed = False
    for store in given.stores.split(","):
        rows = [row for row in given.rows.split(",") if store in ROWS[row].on]
        failed = asyncio.run(_run(store, rows, seed, given)) or failed
    return int(failed)


async def _run(store: str, rows: Sequence[str], seed: int, given: argparse.Namespace) -> bool:
    failed = False
    for row in rows:
        tally, began = Tally(), time.monotonic()
        async with standing(store, short=given.short) as stand:
            for number in range(given.rounds):
                clients = given.clients or (12 if given.short else 0)
                scale = Scale(clients=clients, long=not given.short, round=number)
                kept = _KEPT / f"{row}-{store}-{seed + number}.jsonl"
                try:
                    tally.figures.append(await stand.run(row, seed=seed + number, scale=scale, kept=kept))
                except AssertionError as missed:
                    again = f"--rows {row} --stores {store} --rounds 1 --seed {seed + number}"
                    tally.failed.append(f"     round {number}: {missed} ({again}; {kept})")
                    print(tally.failed[-1], flush=True)
        print(tally.line(row, store, time.monotonic() - began), flush=True)
        failed = failed or bool(tally.failed)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
