"""The check that no action was forgotten, over a whole test run."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from lineside.abilities import AuthorizationLedger

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["assert_all_authorized"]


def assert_all_authorized(
    ledger: AuthorizationLedger, *, app: "FastAPI | None" = None, except_: Collection[str] = ()
) -> None:
    """Fail if an action never asked an ability anything.

    Args:
        ledger: The ledger that was given to ``ability_for(ledger=...)``.
        app: Count every controller action that this app routes, also one that did not run and one
            that has no ability. None: only actions that ran.
        except_: Names of actions that are open to everybody, as the report writes them.

    Raises:
        AssertionError: With the ledger's report.
    """
    if app is not None:
        # A copy: a later call without the app must not report what only this one expects.
        ledger = ledger.expecting(_routed_actions(app))
    forgotten = [name for name in ledger.unauthorized() if name not in except_]
    if forgotten:
        raise AssertionError(f"never authorized: {', '.join(forgotten)}\n{ledger.report()}")


def _routed_actions(app: "FastAPI") -> list[str]:
    # Here and not above: the testing door loads no web framework.
    from fastapi.routing import iter_route_contexts

    from lineside.controllers.endpoints import ControllerRoute

    endpoints = [
        context.endpoint
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, ControllerRoute)
    ]
    return [f"{endpoint.__module__}.{endpoint.__qualname__}" for endpoint in endpoints if endpoint]
