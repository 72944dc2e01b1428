"""What one action of one controller needs at run time, worked out once when its route is made."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from lineside.callbacks import Callback, CallbackRun, Callbacks, Planned
from lineside.controllers._controller import Controller
from lineside.controllers._signature import (
    collector,
    injections,
    signature_of,
    takes_connection,
    type_arguments,
)
from lineside.exceptions import CallbackError

#: Where the state of one run lies in the ASGI scope.
SCOPE_KEY = "lineside.invocation"
_ARGUMENTS = "lineside_arguments"


def answers(given: object, planned: Planned) -> bool:
    """Tell whether a callback halts: it does by giving a ``Response``, and gives nothing else.

    Raises:
        CallbackError: It gave something else. A guard that returns a dict would guard nothing.
    """
    if isinstance(given, Response):
        return True
    raise CallbackError(
        f"{planned.label} gave a {type(given).__name__}; return a Response to halt, or None to go on"
    )


class Halt(Exception):  # noqa: N818 - it carries an answer, it is no error
    """Takes an answer from a callback, past everything not yet resolved, to the route's handler."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered by a callback")
        self.response = response


class GateClosed(Exception):  # noqa: N818 - FastAPI's own validation error takes its place
    """Stops FastAPI from resolving what stands behind a callback whose parameters are invalid."""


class Invocation:
    """One run of one action: its controller, its open callbacks, and a body error that must wait."""

    __slots__ = ("body_error", "controller", "is_probe", "passed", "run")

    def __init__(self, controller: Controller | None) -> None:
        self.controller = controller
        self.run = CallbackRun(answers)
        #: Raised when the callbacks have spoken: a 401 beats a 422.
        self.body_error: Exception | None = None
        #: How many gates have been passed.
        self.passed = 0
        #: Set while a closed gate is asked for its errors: nothing runs again.
        self.is_probe = False


@dataclass(frozen=True, slots=True)
class Step:
    """A callback together with the FastAPI parameters it asks for."""

    planned: Planned
    parameters: dict[str, inspect.Parameter]

    @property
    def is_simple(self) -> bool:
        """Whether it can run without FastAPI resolving anything for it."""
        return all(takes_connection(parameter) for parameter in self.parameters.values())

    async def enter(self, invocation: Invocation, request: Request, values: dict[str, Any]) -> object | None:
        """Run it, or its first half; returns the response that halts."""
        named = {
            name: request if takes_connection(p) else values[name] for name, p in self.parameters.items()
        }
        return await invocation.run.enter(self.planned, invocation.controller, **named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One action with its callbacks and injections.

    Attributes:
        controller: The class, or None for a plain function with guards.
        action: The action's name.
        signature: Its evaluated parameters without ``self``, and its return type.
        early: Callbacks that run before the body is read.
        late: Callbacks that run in FastAPI's dependency phase, because they or the class need it.
        attributes: Injected class attributes.
        constructor: Injected parameters of ``__init__``.
    """

    controller: type[Controller] | None
    action: str
    function: Callable[..., Any]
    signature: inspect.Signature
    early: tuple[Step, ...]
    late: tuple[Step, ...]
    attributes: dict[str, inspect.Parameter]
    constructor: dict[str, inspect.Parameter]

    @property
    def has_callbacks(self) -> bool:
        """Whether anything runs beside the action."""
        return bool(self.early or self.late)

    def waiting(self) -> "Plan":
        """Return a plan whose callbacks all wait for FastAPI's dependency phase."""
        return replace(self, early=(), late=self.early + self.late)

    def responses(self) -> dict[int | str, dict[str, Any]]:
        """Return what the controller, its callbacks and rescues may answer, for OpenAPI."""
        found = {} if self.controller is None else dict(self.controller.responses)
        for step in (*self.early, *self.late):
            found.update(step.planned.callback.options.get("responses", {}))
        if self.controller is not None:
            for error, rescue in self.controller.__lineside_rescues__.items():
                description = rescue.description or error.__name__
                found.setdefault(rescue.status_for(error), {"description": description})
        return found

    def new_controller(self, request: Request, values: dict[str, Any]) -> Controller | None:
        """Make the controller of this request with its injected constructor arguments."""
        if self.controller is None:
            return None
        controller = self.controller(**values[_ARGUMENTS]) if self.constructor else self.controller()
        controller.request = request
        controller.action_name = self.action
        return controller

    def inject(self, controller: Controller | None, values: dict[str, Any]) -> None:
        """Set the injected attributes."""
        for name in self.attributes:
            setattr(controller, name, values[injected(name)])

    def injected_parameters(self) -> list[inspect.Parameter]:
        """Return the hidden parameters through which FastAPI resolves the injections."""
        hidden = [parameter.replace(name=injected(name)) for name, parameter in self.attributes.items()]
        if self.constructor:
            # A dependency of its own: a path or query parameter of the constructor keeps its name there.
            annotation = Annotated[dict[str, Any], Depends(collector(self.constructor))]
            hidden.append(
                inspect.Parameter(_ARGUMENTS, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
            )
        return hidden


def injected(name: str) -> str:
    """Name the hidden parameter of an attribute, so that it never meets one of the action's."""
    return f"lineside_attribute_{name}"


def plan(controller: type[Controller], action: str, *, guards: Sequence[Callback] = ()) -> Plan:
    """Work out one action of a controller.

    Args:
        controller: The class.
        action: The name of one of its methods.
        guards: Callbacks of the enclosing namespaces; they run first.
    """
    derived: dict[Any, Any] = getattr(controller, "__lineside_types__", {})
    arguments = {cls: {**known, **derived} for cls, known in type_arguments(controller).items()}
    # No append or prepend here: a guard never replaces one that happens to have the same name.
    callbacks = Callbacks((*guards, *controller.__lineside_callbacks__.entries))
    steps = _steps(callbacks, action, controller, arguments)
    attributes, constructor = injections(controller), _constructor(controller, arguments)
    function = getattr(controller, action)
    early, late = _split(steps, resolved_first=bool(attributes or constructor))
    return Plan(
        controller=controller,
        action=action,
        function=function,
        signature=_without_self(
            signature_of(
                function,
                arguments.get(_definer(controller, action), {}),
                name=f"{controller.__name__}.{action}",
            )
        ),
        early=early,
        late=late,
        attributes=attributes,
        constructor=constructor,
    )


def plan_function(function: Callable[..., Any], *, guards: Sequence[Callback] = ()) -> Plan:
    """Work out a plain path operation function with guards before it."""
    name = getattr(function, "__name__", "endpoint")
    steps = _steps(Callbacks(tuple(guards)), name, type(None), {})
    early, late = _split(steps, resolved_first=False)
    return Plan(
        controller=None,
        action=name,
        function=function,
        signature=signature_of(function, {}, name=name),
        early=early,
        late=late,
        attributes={},
        constructor={},
    )


def _steps(
    callbacks: Callbacks, action: str, owner: type, arguments: dict[type, dict[Any, Any]]
) -> tuple[Step, ...]:
    steps: list[Step] = []
    for planned in callbacks.applying_to(action, owner):
        callback = planned.callback
        known = {} if callback.function else arguments.get(_definer(owner, callback.name), {})
        signature = signature_of(callback.target(owner), known, name=callback.label(owner))
        if callback.function is None:
            signature = _without_self(signature)
        # An after-callback's one parameter is the response.
        parameters = {} if callback.kind == "after" else dict(signature.parameters)
        steps.append(Step(planned, parameters))
    return tuple(steps)


def _split(steps: Sequence[Step], *, resolved_first: bool) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Part what may run before the body is read from what needs FastAPI's dependency phase."""
    count = 0
    while not resolved_first and count < len(steps) and steps[count].is_simple:
        count += 1
    return tuple(steps[:count]), tuple(steps[count:])


def _constructor(
    controller: type[Controller], arguments: dict[type, dict[Any, Any]]
) -> dict[str, inspect.Parameter]:
    if controller.__init__ is object.__init__:
        return {}
    known = arguments.get(_definer(controller, "__init__"), {})
    initialiser: Any = vars(_definer(controller, "__init__"))["__init__"]
    signature = _without_self(signature_of(initialiser, known, name=f"{controller.__name__}.__init__"))
    return dict(signature.parameters)


def _definer(owner: type, name: str) -> type:
    return next((cls for cls in owner.__mro__ if name in vars(cls)), owner)


def _without_self(signature: inspect.Signature) -> inspect.Signature:
    return signature.replace(parameters=list(signature.parameters.values())[1:])
