"""What a message costs for each client of a room: a cable, its peers, and the limit.

Run it with ``python -m benchmarks.cable``; ``--check`` exits 1 when a bound is missed. Each server is one
process on one processor, the load client is on another. ``raw`` is the limit: a prebuilt frame written to
every transport of uvloop. ``stock`` is a cable under uvicorn's own WebSocket class, ``lean`` under
`lineside.cable.uvicorn`; both with history, metrics, pings and every protocol on. By default the rooms have
100 and 1,000 clients; ``--full`` adds 10,000, ``--idle 600`` holds 19,000 idle ones for ten minutes instead.

``us`` is the server's CPU time for each delivery, with ``one`` message under way (the next leaves when every
client has the last) or with as many as keep the server busy (``full``). ``ms`` is from publishing to the
last receiver, with one under way. A number is the mean of the better quarter of the rounds.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks._cable_load import compiled
from benchmarks._cable_room import CONTENDERS, Room, room
from benchmarks._harness import Bound, Figure, Result, main

_WINDOWS = {100: 32, 1_000: 8, 10_000: 8}
_QUICK = (100, 1_000)
_SECONDS = 0.3
_OURS = ("stock", "lean")
_BOUNDED = (*_OURS, "raw", "starlette")
_SELDOM = 4  # the others have no bound, and some take long: every fourth round is enough
_KIB = {"stock": 34.0, "lean": 12.0}
_IDLE_CLIENTS = 19_000
_SPARE_FILES = 500
_LOOKS = 20


def _measure(options: argparse.Namespace, rounds: int) -> list[Result]:
    # A connection is an open file, of the server and of the client.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(Path(folder))
        if options.idle:
            clients = min(_IDLE_CLIENTS, most - _SPARE_FILES)
            return [_hold(program, name, clients, options.idle) for name in options.only or ("lean",)]
        results: list[Result] = []
        for clients in _WINDOWS if options.full else _QUICK:
            results += _compare(program, clients, rounds, options.only or list(CONTENDERS))
        return results


def _compare(program: Path, clients: int, rounds: int, names: Sequence[str]) -> list[Result]:
    with ExitStack() as stack:
        rooms: dict[str, Room] = {}
        for name in names:
            if clients <= CONTENDERS[name].most:
                rooms[name] = stack.enter_context(room(CONTENDERS[name], program, clients=clients))
        order = list(rooms)
        for each in rooms.values():
            each.measure(window=4, seconds=_SECONDS)
        for number in range(rounds):
            for name in order:
                if name not in _BOUNDED and number % _SELDOM:
                    continue
                each = rooms[name]
                each.one.append(each.measure(window=1, seconds=_SECONDS))
                each.full.append(each.measure(window=_WINDOWS[clients], seconds=_SECONDS))
            # A drift of the machine within a round falls on each contender from both sides.
            order.reverse()
        return list(_results(rooms, clients))


def _results(rooms: Mapping[str, Room], clients: int) -> Iterator[Result]:
    for name in rooms:
        ours = name in _OURS
        if name != "raw" and "raw" in rooms:
            figure = partial(_result, rooms, clients, name, "raw")
            yield figure("one", "cpu", "us, one", Bound(1.25) if ours else None)
            yield figure("full", "cpu", "us, full")
            yield figure("full", "rate", "delivered/s", Bound(2.0, is_floor=True) if ours else None)
            yield figure("one", "p50", "ms p50")
            yield figure("one", "p99", "ms p99")
            if clients >= _QUICK[-1]:  # fewer do not fill the memory that a server has taken anyway
                yield _weight(rooms, clients, name)
        if ours and "starlette" in rooms:
            figure = partial(_result, rooms, clients, name, "starlette")
            yield figure("one", "cpu", "us, one")
            yield figure("full", "rate", "delivered/s", Bound(2.0, is_floor=True))


def _result(
    rooms: Mapping[str, Room],
    clients: int,
    name: str,
    peer: str,
    phase: str,
    of: str,
    what: str,
    bound: Bound | None = None,
) -> Result:
    figure = Figure(f"{clients:>5} {what:<12}{name} / {peer}", name, peer, bound)
    return Result(figure, rooms[name].typical(phase, of), rooms[peer].typical(phase, of))


def _weight(rooms: Mapping[str, Room], clients: int, name: str) -> Result:
    limit = _KIB.get(name)
    what = f"{clients:>5} {'KiB idle':<12}{name} /"
    if limit is None:
        return Result(Figure(f"{what} raw", name, "raw"), rooms[name].kib, rooms["raw"].kib)
    return Result(Figure(f"{what} the limit", name, "limit", Bound(1.0)), rooms[name].kib, limit)


def _hold(program: Path, name: str, clients: int, seconds: float) -> Result:
    """Hold idle connections, look at the memory now and then, and broadcast to all of them at the end."""
    with room(CONTENDERS[name], program, clients=clients) as held:
        first = held.resident_kib()
        cpu = held.cpu_seconds()
        for look in range(_LOOKS):
            time.sleep(seconds / _LOOKS)
            mib = held.resident_kib() / 1024
            print(f"{name}: {seconds * (look + 1) / _LOOKS:.0f} s: {mib:.1f} MiB", file=sys.stderr)
        last, share = held.resident_kib(), (held.cpu_seconds() - cpu) / seconds
        reached = held.measure(window=1, seconds=0.0)
        print(
            f"{name}: {clients} idle clients, {held.kib:.1f} KiB each, {share:.3f} of a processor for pings; "
            f"then one message reached all in {reached.p50:.0f} ms",
            file=sys.stderr,
        )
        return Result(
            Figure(f"{clients:>5} {'KiB':<12}{name}: at the end / at first", name, name, Bound(1.02)),
            last,
            first,
        )


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--full", action="store_true", help="also a room with 10,000 clients")
    parser.add_argument("--idle", type=float, metavar="SECONDS", help="hold 19,000 idle clients instead")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, help="some of the contenders")
    return parser


if __name__ == "__main__":
    own = _options()
    main(__doc__ or "", partial(_measure, own.parse_known_args()[0]), rounds=16, more=own)
