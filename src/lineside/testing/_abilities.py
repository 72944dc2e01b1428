"""Assertions about abilities that explain themselves, and the check that no action was forgotten."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from lineside.abilities import Ability, AuthorizationLedger, Decision

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["assert_all_authorized", "assert_can", "assert_cannot"]


def assert_can(
    ability: Ability, action: str, subject: object = None, /, *, attribute: str | None = None
) -> None:
    """Fail unless the ability allows an action, naming the rule that refused.

    Args:
        ability: The ability of the user in question.
        action: As for ``Ability.can``.
        subject: As for ``Ability.can``.
        attribute: As for ``Ability.can``.

    Raises:
        AssertionError: The action is refused.
    """
    decision = ability.why(action, subject, attribute=attribute)
    if not decision:
        raise AssertionError(_explained("cannot", action, subject, attribute, decision))


def assert_cannot(
    ability: Ability, action: str, subject: object = None, /, *, attribute: str | None = None
) -> None:
    """Fail if the ability allows an action, naming the rule that allowed it.

    Args:
        ability: The ability of the user in question.
        action: As for ``Ability.can``.
        subject: As for ``Ability.can``.
        attribute: As for ``Ability.can``.

    Raises:
        AssertionError: The action is allowed.
    """
    decision = ability.why(action, subject, attribute=attribute)
    if decision:
        raise AssertionError(_explained("can", action, subject, attribute, decision))


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


def _explained(verb: str, action: str, subject: object, attribute: str | None, decision: Decision) -> str:
    target = "" if subject is None else f" {_name(subject)}"
    if attribute is not None:
        target += f".{attribute}"
    lines = [f"the user {verb} {action}{target}"]
    lines.append(f"decided by: {decision.rule}" if decision.rule else "no rule matches")
    lines += [f"did not match: {rule}" for rule in decision.considered]
    return "\n  ".join(lines)


def _name(subject: object) -> str:
    if isinstance(subject, str):
        return subject
    return (subject if isinstance(subject, type) else type(subject)).__name__


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
