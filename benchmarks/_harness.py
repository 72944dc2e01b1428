"""Compare contenders fairly on a machine that is not quiet, print ratios, and hold them to bounds.

A benchmark names its contenders (each a function that does one round of work and returns a number) and
its figures (which contender is compared with which, and the bound on the ratio). The rounds of all
contenders alternate, so that whatever else the machine does meets each of them alike.
"""

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Round = Callable[[], float]
"""Does one round of work; returns microseconds per operation, or operations per second."""

_WIDTHS = (46, 10, 10, 7, 8)


@dataclass(frozen=True, slots=True)
class Bound:
    """What a ratio must keep.

    Attributes:
        limit: The ratio of ours to the peer's.
        is_floor: The ratio must not be below the limit (a rate); otherwise not above it (a cost).
    """

    limit: float
    is_floor: bool = False

    def holds(self, ratio: float) -> bool:
        """Tell whether a ratio keeps the bound."""
        return ratio >= self.limit if self.is_floor else ratio <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.is_floor else '<='} {self.limit:.2f}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the output.

    Attributes:
        name: What is measured, with its unit.
        ours: The contender it is about.
        peer: The contender it is compared with.
        bound: What the ratio must keep; None: for information.
    """

    name: str
    ours: str
    peer: str
    bound: Bound | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A figure with its numbers."""

    figure: Figure
    ours: float
    peer: float

    @property
    def ratio(self) -> float:
        """Ours, as a multiple of the peer's."""
        return self.ours / self.peer

    @property
    def is_missed(self) -> bool:
        """Whether it has a bound and misses it."""
        return self.figure.bound is not None and not self.figure.bound.holds(self.ratio)

    def as_json(self) -> dict[str, object]:
        """Return the columns by name."""
        bound = None if self.figure.bound is None else str(self.figure.bound)
        return {
            "name": self.figure.name,
            "ours": round(self.ours, 2),
            "peer": round(self.peer, 2),
            "ratio": round(self.ratio, 4),
            "bound": bound,
            "kept": not self.is_missed,
        }


def compare(
    contenders: Mapping[str, Round],
    figures: Sequence[Figure],
    *,
    rounds: int,
    best: Literal["low", "high"] = "low",
    at_most_seconds: float = 30.0,
) -> list[Result]:
    """Run the contenders in alternating rounds.

    Args:
        contenders: By name. Each has already been warmed up.
        figures: What to compare.
        rounds: How many rounds each contender gets.
        best: Whether a ``low`` number is good (a time) or a ``high`` one (a rate). A contender's number is
            the mean of the better quarter of its rounds: other processes can only slow a round down, so
            the undisturbed rounds are nearest to the truth, and a quarter of them does not hang on luck
            as the very best one does.
        at_most_seconds: No further round begins after this time: a slow machine gives fewer rounds, and
            waits no longer.

    Returns:
        One result for each figure, in order.
    """
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    gc.collect()
    # What exists now stays: collecting between rounds then looks only at what a round has left behind.
    gc.freeze()
    try:
        latest = time.monotonic() + at_most_seconds
        for done in range(rounds):
            if done and time.monotonic() > latest:
                break
            for name in order:
                taken[name].append(_undisturbed(contenders[name]))
            # A drift of the machine within a round falls on each contender from both sides.
            order.reverse()
    finally:
        gc.unfreeze()
    numbers = {name: typical(each, best) for name, each in taken.items()}
    return [Result(figure, numbers[figure.ours], numbers[figure.peer]) for figure in figures]


def _undisturbed(contender: Round) -> float:
    """Run one round without the garbage collector, which would bill one contender for all."""
    gc.collect()
    gc.disable()
    try:
        return contender()
    finally:
        gc.enable()


def typical(numbers: Iterable[float], best: Literal["low", "high"]) -> float:
    """Return the mean of the better quarter.

    Args:
        numbers: One for each round.
        best: Whether ``low`` numbers are good, or ``high`` ones.
    """
    ranked = sorted(numbers, reverse=best == "high")
    return statistics.fmean(ranked[: max(1, len(ranked) // 4)])


def main(
    description: str,
    measure: Callable[[int], Sequence[Result]],
    *,
    rounds: int,
    more: argparse.ArgumentParser | None = None,
) -> None:
    """Run a benchmark from the command line and exit: 1 when ``--check`` finds a missed bound.

    Args:
        description: For ``--help``.
        measure: Takes the number of rounds and returns the results.
        rounds: The default number.
        more: Options of the benchmark's own; it reads them itself.
    """
    parser = argparse.ArgumentParser(description=description, parents=[] if more is None else [more])
    parser.add_argument("--check", action="store_true", help="exit 1 when a bound is missed")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"rounds per contender (default {rounds})")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    results = measure(options.rounds)
    if options.json:
        print(json.dumps([result.as_json() for result in results], indent=2))
    else:
        _print_table(results)
    missed = [result for result in results if result.is_missed]
    for result in missed:
        print(
            f"missed: {result.figure.name}: {result.ratio:.3f}, bound {result.figure.bound}", file=sys.stderr
        )
    sys.exit(1 if options.check and missed else 0)


def _print_table(results: Sequence[Result]) -> None:
    _print_row("name", "ours", "peer", "ratio", "bound")
    for result in results:
        bound = "-" if result.figure.bound is None else str(result.figure.bound)
        _print_row(
            result.figure.name, f"{result.ours:.1f}", f"{result.peer:.1f}", f"{result.ratio:.3f}", bound
        )


def _print_row(*columns: str) -> None:
    first, *others = zip(columns, _WIDTHS, strict=True)
    print(f"{first[0]:<{first[1]}}" + "".join(f"{text:>{width}}" for text, width in others))
