"""Before, after and around: the engine of callbacks, with no web in it.

A concept marks methods with `declare`, collects the marks of a class with `Callbacks.of`, and runs
them around a piece of work. Names and order are those of Rails' ``ActiveSupport::Callbacks``:

    import asyncio

    from lineside.callbacks import Callbacks, declare, run_callbacks

    class Order:
        @declare("before")
        async def check_stock(self) -> str | None:
            return "sold out"

        async def ship(self) -> str:
            return "shipped"

    order, callbacks = Order(), Callbacks.of(Order).applying_to("ship", Order)
    assert asyncio.run(run_callbacks(callbacks, order, order.ship)) == "sold out"

- ``before`` callbacks and the first halves of ``around`` run in the order of declaration, those of
  base classes first. ``after`` callbacks and second halves run in the reverse order.
- A ``before`` whose result halts ends the chain: the work and every ``after`` are skipped, second
  halves of ``around`` that have already begun still run.
- An ``around`` is a generator with one ``yield``, which gives it the result. Yielding a value that
  halts, before or after that, answers with this value instead.
- A method that overrides a callback takes its place; declared again it moves to the end.
- A plain ``def`` is adapted once, when it is planned: it runs in a worker thread, as in FastAPI.
"""

from lineside.callbacks._adapt import adapted
from lineside.callbacks._declaration import Callback, Callbacks, Kind, Planned, Skip, declare
from lineside.callbacks._run import CallbackRun, run_callbacks

__all__ = [
    "Callback",
    "CallbackRun",
    "Callbacks",
    "Kind",
    "Planned",
    "Skip",
    "adapted",
    "declare",
    "run_callbacks",
]
