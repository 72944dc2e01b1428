"""What a controller costs over a plain FastAPI function: in process, and under uvicorn.

Run it with ``python -m benchmarks.http``; ``--check`` exits 1 when a bound is missed.
"""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks import _apps as apps
from benchmarks._asgi import contender, request
from benchmarks._harness import Bound, Figure, Result, compare, main
from benchmarks._uvicorn import load, served

_SHOW = request("GET", "/items/42", query="limit=20")
_CREATE = request("POST", "/items", body=b'{"id": 42, "name": "signal", "limit": 20}')
_ANSWER = b'{"id":42,"name":"signal","limit":20}'

_ACTIONS = (
    Figure("bare action (us)", "controller", "function", Bound(1.15)),
    Figure("three before-callbacks (us)", "callbacks", "function", Bound(1.25)),
    Figure("injected attribute, same Depends (us)", "injected", "depending", Bound(1.15)),
    Figure("POST, JSON body, strict decoder (us)", "post", "post function"),
    Figure("fastapi-utils cbv (us)", "cbv", "function"),
    Figure("Litestar controller (us)", "litestar", "function"),
)
_ROUTES = Figure("500 resource routes, first middle last (us)", "resources", "flat", Bound(1.0))
_SERVED = Figure("under uvicorn (requests/s)", "controller", "function", Bound(0.97, is_floor=True))


def _in_process(rounds: int) -> list[Result]:
    with asyncio.Runner() as runner:
        contenders = {
            name: contender(runner, app, [sent], repeat=60, expected=_ANSWER)
            for name, app, sent in (
                ("function", apps.with_one_function(), _SHOW),
                ("controller", apps.with_controller(apps.Shown), _SHOW),
                ("callbacks", apps.with_controller(apps.Guarded), _SHOW),
                ("depending", apps.with_depending_function(), _SHOW),
                ("injected", apps.with_controller(apps.Injected), _SHOW),
                ("post function", apps.with_posting_function(), _CREATE),
                ("post", apps.with_controller(apps.Created), _CREATE),
                ("cbv", apps.with_cbv(), _SHOW),
                ("litestar", apps.with_litestar(), _SHOW),
            )
        }
        return compare(contenders, _ACTIONS, rounds=rounds)


def _many_routes(rounds: int) -> list[Result]:
    last = apps.RESOURCES - 1
    hits = [request("GET", f"/r{number}s/42", query="limit=20") for number in (0, last // 2, last)]
    with asyncio.Runner() as runner:
        contenders = {
            name: contender(runner, app, hits, repeat=10, expected=_ANSWER)
            for name, app in (
                ("flat", apps.with_many_functions()),
                ("resources", apps.with_many_resources()),
            )
        }
        return compare(contenders, [_ROUTES], rounds=rounds, at_most_seconds=15)


def _under_uvicorn(rounds: int) -> list[Result]:
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())
        contenders = {}
        for name in ("function", "controller"):
            port = stack.enter_context(served(f"benchmarks._apps:served_{name}"))
            loaded = load(runner, port, "/items/42?limit=20", connections=4, requests=10, expected=_ANSWER)
            contenders[name] = stack.enter_context(loaded)
        return compare(contenders, [_SERVED], rounds=rounds, best="high", at_most_seconds=30)


def measure(rounds: int) -> Sequence[Result]:
    """Measure every figure."""
    actions = _in_process(rounds)
    return [*actions[:4], *_many_routes(rounds), *_under_uvicorn(rounds * 3), *actions[4:]]


if __name__ == "__main__":
    main(__doc__, measure, rounds=300)
