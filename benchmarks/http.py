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
    Figure("three before, one around, one after (us)", "surrounded", "function"),
    Figure("POST: strict JSON, body limit (us)", "post", "post function"),
    Figure("POST: strict JSON, same body limit (us)", "post", "limited function"),
    Figure("def action, def function (us)", "threaded", "plain function"),
)
_OTHERS = (
    Figure("fastapi-utils cbv (us)", "cbv", "function"),
    Figure("Litestar controller (us)", "litestar", "function"),
    Figure("FastAPI: def function (us)", "plain function", "function"),
    Figure("FastAPI: include_router, 1 level (us)", "included", "function"),
    Figure("FastAPI: include_router, 2 levels (us)", "included twice", "function"),
    Figure("Starlette: one BaseHTTPMiddleware (us)", "middleware", "function"),
)
_ROUTES = Figure("500 resource routes, first middle last (us)", "resources", "flat", Bound(1.0))
_SERVED = Figure("under uvicorn (requests/s)", "controller", "function", Bound(0.97, is_floor=True))


def _in_process(rounds: int) -> list[Result]:
    with asyncio.Runner() as runner:
        contenders = {
            name: contender(runner, app, [sent], repeat=50, expected=_ANSWER)
            for name, app, sent in (
                ("function", apps.with_one_function(), _SHOW),
                ("controller", apps.with_controller(apps.Shown), _SHOW),
                ("callbacks", apps.with_controller(apps.Guarded), _SHOW),
                ("depending", apps.with_depending_function(), _SHOW),
                ("injected", apps.with_controller(apps.Injected), _SHOW),
                ("post function", apps.with_posting_function(), _CREATE),
                ("post", apps.with_controller(apps.Created), _CREATE),
                ("limited function", apps.with_limited_function(), _CREATE),
                ("surrounded", apps.with_controller(apps.Surrounded), _SHOW),
                ("plain function", apps.with_plain_function(), _SHOW),
                ("threaded", apps.with_controller(apps.Threaded), _SHOW),
                ("included", apps.with_included_function(1), _SHOW),
                ("included twice", apps.with_included_function(2), _SHOW),
                ("middleware", apps.with_middleware(), _SHOW),
                ("cbv", apps.with_cbv(), _SHOW),
                ("litestar", apps.with_litestar(), _SHOW),
            )
        }
        return compare(contenders, [*_ACTIONS, *_OTHERS], rounds=rounds)


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
    first, others = actions[: len(_ACTIONS)], actions[len(_ACTIONS) :]
    # A round of a server is short: more of them make up for what the clock on the wall adds in noise.
    return [*first, *_many_routes(rounds), *_under_uvicorn(rounds * 3), *others]


if __name__ == "__main__":
    main(__doc__, measure, rounds=200)
