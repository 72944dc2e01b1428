"""A member action must ask for its key by the name that the path gives it."""

from collections.abc import Iterator, Mapping
from inspect import Parameter
from typing import Annotated, get_args, get_origin

from fastapi import params

from lineside.controllers.endpoints import Plan
from lineside.exceptions import RoutingError
from lineside.routing._paths import parameters_of

_KEY = "id"


def check_member_key(plan: Plan, *, path: str, param: str) -> None:
    """Refuse an action, or a callback before it, that takes ``id`` where the path has no ``{id}``.

    FastAPI would read it from the query, and every request to the member would be a 422. One that says
    where it comes from, as ``Annotated[int, Query()]`` does, is meant like that.

    Args:
        plan: The action.
        path: The whole path of the action.
        param: What the path calls the key.

    Raises:
        RoutingError: Names the action and the path's parameters.
    """
    known = list(parameters_of(path))
    if _KEY in known:
        return
    for who, whose, parameters in _asking(plan):
        if _KEY in parameters and not _says_its_place(parameters[_KEY]):
            raise RoutingError(
                f"{who} takes `{_KEY}`, and {path} has the parameters {known}; "
                f"rename the {whose} parameter to {param}, or drop param="
            )


def _asking(plan: Plan) -> Iterator[tuple[str, str, Mapping[str, Parameter]]]:
    action = f"{plan.controller.__name__}.{plan.action}" if plan.controller else plan.action
    yield action, "action's", plan.signature.parameters
    for step in (*plan.early, *plan.late):
        yield f"{action}: its callback {step.planned.callback.name}", "callback's", step.parameters


def _says_its_place(parameter: Parameter) -> bool:
    said = get_args(parameter.annotation)[1:] if get_origin(parameter.annotation) is Annotated else ()
    return any(
        isinstance(by, params.Param | params.Body | params.Depends) for by in (*said, parameter.default)
    )
