"""The function that FastAPI sees for one action: an evaluated signature, and nothing shared.

Every (class, action) has its own, so two subclasses of one base never meet. Callbacks that have FastAPI
parameters become dependencies ("gates"), each depending on the one before: when one fails validation or
halts, nothing behind it is resolved. FastAPI itself would go on with the dependencies beside it; a
checkpoint stands between where there are any.
"""

import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from typing import Annotated, Any

from fastapi import Depends, Request

from lineside.controllers._controller import Controller
from lineside.controllers._plan import SCOPE_KEY, GateClosed, Halt, Invocation, Plan, Step
from lineside.controllers._signature import is_dependency, request_parameter

#: Where the route class finds the plan of its endpoint.
PLAN = "__lineside_plan__"
_SIGNATURE = "__signature__"
_REQUEST = "lineside_request"
_GATE = "lineside_gate"
_CHECKPOINT = "lineside_checkpoint"
_GATES = "__lineside_gates__"

_Values = dict[str, Any]
_Receive = Callable[[_Values], tuple[Any, ...]]


def endpoint_for(plan: Plan) -> Callable[..., Any]:
    """Build the path operation function of an action.

    Returns:
        A coroutine, plain or generator function, as the action is, with the signature that FastAPI reads.
    """
    gates = _gates(plan)
    own = plan.signature.parameters
    hidden = _behind(gates, own) if gates else plan.injected_parameters()
    request_name = request_parameter(own)
    receive = _receiver(plan, request_name, gated=bool(gates))
    endpoint = _same_kind(plan.function, receive)
    endpoint.__name__ = plan.action
    # Named for the class that is routed: an inherited action belongs to the one that people look for.
    owner = plan.controller or plan.function
    endpoint.__qualname__ = owner.__qualname__ + (f".{plan.action}" if plan.controller else "")
    endpoint.__module__ = owner.__module__
    endpoint.__doc__ = plan.function.__doc__
    signature = _keyword_only(own.values(), hidden, request_name)
    setattr(endpoint, _SIGNATURE, signature.replace(return_annotation=plan.signature.return_annotation))
    setattr(endpoint, PLAN, plan)
    setattr(endpoint, _GATES, gates)
    return endpoint


def probe_for(endpoint: Callable[..., Any], closed: int) -> Callable[..., Any]:
    """Build a function with which FastAPI finds the errors of a closed gate and of the action's values.

    Args:
        endpoint: What `endpoint_for` built.
        closed: How many gates were passed; the next one is the closed one.
    """
    plan: Plan = getattr(endpoint, PLAN)
    gates: list[Callable[..., Any]] = getattr(endpoint, _GATES)
    values = [p for p in plan.signature.parameters.values() if not is_dependency(p.annotation, p.default)]

    async def probe(**_values: Any) -> None:
        """Is called only when nothing is wrong after all."""

    request_name = request_parameter(plan.signature.parameters)
    setattr(probe, _SIGNATURE, _keyword_only(values, [_dependency(_GATE, gates[closed])], request_name))
    return probe


def _same_kind(function: Callable[..., Any], receive: _Receive) -> Callable[..., Any]:
    """Wrap the action without changing what FastAPI does with it: await, thread, or stream."""

    async def coroutine(**values: Any) -> Any:
        return await function(*receive(values), **values)

    def plain(**values: Any) -> Any:
        return function(*receive(values), **values)

    async def async_stream(**values: Any) -> AsyncGenerator[Any, None]:
        async for item in function(*receive(values), **values):
            yield item

    def stream(**values: Any) -> Generator[Any, None, None]:
        yield from function(*receive(values), **values)

    if inspect.isasyncgenfunction(function):
        return async_stream
    if inspect.isgeneratorfunction(function):
        return stream
    return coroutine if inspect.iscoroutinefunction(function) else plain


def _receiver(plan: Plan, request_name: str | None, *, gated: bool) -> _Receive:
    """Return what takes the hidden values out and gives the action's receiver, if it has one."""

    def made_before(values: _Values) -> tuple[Any, ...]:
        request = values.pop(_REQUEST) if request_name is None else values[request_name]
        values.pop(_GATE, None)
        values.pop(_CHECKPOINT, None)
        return (request.scope[SCOPE_KEY].controller,)

    def without(values: _Values) -> tuple[Any, ...]:
        values.pop(_REQUEST, None)
        values.pop(_GATE, None)
        values.pop(_CHECKPOINT, None)
        return ()

    if plan.controller is None:
        return without
    # Callbacks have used the controller before the action does.
    return made_before if gated or plan.has_callbacks else _maker(plan, plan.controller, request_name)


def _maker(plan: Plan, controller_class: type[Controller], request_name: str | None) -> _Receive:
    """Return what makes the controller of an action without callbacks."""
    hidden = [parameter.name for parameter in plan.injected_parameters()]
    # Only a rescue asks for the controller later; no other action pays for keeping it.
    is_kept = bool(controller_class.__lineside_rescues__)

    def bare(values: _Values) -> tuple[Any, ...]:
        controller = controller_class()
        controller.request = values.pop(_REQUEST) if request_name is None else values[request_name]
        controller.action_name = plan.action
        return (controller,)

    def made_here(values: _Values) -> tuple[Any, ...]:
        request = values.pop(_REQUEST) if request_name is None else values[request_name]
        controller = plan.new_controller(request, values)
        if is_kept:
            request.scope[SCOPE_KEY] = Invocation(controller)
        plan.inject(controller, values)
        for name in hidden:
            del values[name]
        return (controller,)

    return made_here if hidden or is_kept else bare


def _resolved(plan: Plan, request: Request, values: _Values) -> Controller | None:
    """Give the controller of this request: the one that callbacks already used, or a new one."""
    invocation: Invocation | None = request.scope.get(SCOPE_KEY)
    if invocation is None:
        request.scope[SCOPE_KEY] = invocation = Invocation(None)
    if invocation.controller is None:
        invocation.controller = plan.new_controller(request, values)
    if plan.attributes:
        plan.inject(invocation.controller, values)
    return invocation.controller


def _gates(plan: Plan) -> list[Callable[..., Any]]:
    """Chain the late callbacks into dependencies; each depends on all before it."""
    gates: list[Callable[..., Any]] = []
    groups = _grouped(plan.late)
    for group in groups:
        gates.append(_gate(plan, group, gates, is_last=len(gates) == len(groups) - 1))
    return gates


def _behind(
    gates: Sequence[Callable[..., Any]], own: Mapping[str, inspect.Parameter]
) -> list[inspect.Parameter]:
    """Depend on the last gate; a checkpoint follows where other dependencies would be resolved beside it."""
    hidden = [_dependency(_GATE, gates[-1])]
    if any(is_dependency(parameter.annotation, parameter.default) for parameter in own.values()):
        hidden.append(_dependency(_CHECKPOINT, _checkpoint(len(gates))))
    return hidden


def _checkpoint(gates: int) -> Callable[..., Any]:
    async def checkpoint(request: Request) -> None:
        invocation: Invocation = request.scope[SCOPE_KEY]
        if invocation.passed < gates and not invocation.is_probe:
            raise GateClosed

    return checkpoint


def _grouped(steps: Sequence[Step]) -> list[list[Step]]:
    """Put each callback with parameters at the head of a group; simple ones join the group before."""
    groups: list[list[Step]] = []
    for step in steps:
        if groups and step.is_simple:
            groups[-1].append(step)
        else:
            groups.append([step])
    return groups


def _gate(
    plan: Plan, steps: Sequence[Step], before: Sequence[Callable[..., Any]], *, is_last: bool
) -> Callable[..., Any]:
    own = steps[0].parameters
    request_name = request_parameter(own)
    position = len(before)

    async def gate(**values: Any) -> None:
        request = values[_REQUEST if request_name is None else request_name]
        if request.scope[SCOPE_KEY].is_probe:
            return
        if position == 0:
            _resolved(plan, request, values)
        invocation: Invocation = request.scope[SCOPE_KEY]
        for step in steps:
            response = await step.enter(invocation, request, values)
            if response is not None:
                raise Halt(response)  # type: ignore[arg-type]  # CallbackRun lets only answers() pass
        if is_last and invocation.body_error is not None:
            raise invocation.body_error
        invocation.passed = position + 1

    hidden = _behind(before, own) if before else plan.injected_parameters()
    setattr(gate, _SIGNATURE, _keyword_only(own.values(), hidden, request_name))
    return gate


def _dependency(name: str, function: Callable[..., Any]) -> inspect.Parameter:
    annotation = Annotated[None, Depends(function)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)


def _keyword_only(
    own: Any, hidden: Sequence[inspect.Parameter], request_name: str | None
) -> inspect.Signature:
    """Put hidden parameters first, so that FastAPI resolves gates before the action's dependencies."""
    if request_name is None:
        asked = inspect.Parameter(_REQUEST, inspect.Parameter.KEYWORD_ONLY, annotation=Request)
        hidden = [*hidden, asked]
    return inspect.Signature(
        [*hidden, *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own)]
    )
