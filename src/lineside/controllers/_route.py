"""The route class of actions: callbacks around the handler, rescues outside the dependencies."""

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, cast

from fastapi import HTTPException, Request, Response, params
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import Receive, Scope, Send

from lineside.callbacks import adapted
from lineside.controllers._body import DeferringRequest, StrictRequest
from lineside.controllers._controller import Controller, Rescue
from lineside.controllers._endpoint import PLAN
from lineside.controllers._plan import SCOPE_KEY, GateClosed, Halt, Invocation, Plan, answers
from lineside.controllers._probe import Probe
from lineside.problems import merged_handlers

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_HANDLERS = "starlette.exception_handlers"
_NO_HANDLERS: tuple[dict[Any, Any], dict[Any, Any]] = ({}, {})
_HTTP_ERRORS = frozenset((StarletteHTTPException, HTTPException))


class ControllerRoute(APIRoute):
    """A FastAPI route for one action; everything of `APIRoute` works on it."""

    #: The app's handlers by error, and what stands in for them and the handlers by status.
    _merged: tuple[dict[Any, Any], tuple[dict[Any, Any], dict[Any, Any]]] | None = None

    @property
    def plan(self) -> Plan:
        """What its endpoint was built from."""
        found: Plan = getattr(self.endpoint, PLAN)
        return found

    def get_route_handler(self) -> _Handler:
        """Wrap FastAPI's handler in what the action needs, and in nothing it does not need."""
        handler = super().get_route_handler()
        plan, request_class = self.plan, self._request_class()
        if not plan.has_callbacks:
            return handler if request_class is None else _with_request(handler, request_class)
        if plan.late or any(step.planned.callback.kind != "before" for step in plan.early):
            return _with_callbacks(plan, handler, request_class, Probe(self.endpoint))
        return _behind_guards(plan, handler, request_class)

    def _request_class(self) -> type[Request] | None:
        """Choose the request that callbacks and action share; None: FastAPI's own will do."""
        if self.body_field is None:
            # The action may still decode the body itself, or an including router ask for it.
            return None if {"GET", "HEAD"} >= set(self.methods or ()) else StrictRequest
        if self.plan.late:
            return DeferringRequest
        # Early callbacks have spoken before the body is read: its error need not wait.
        return None if isinstance(self.body_field.field_info, params.Form) else StrictRequest

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request with the controller's rescues among the app's exception handlers."""
        # Starlette runs these handlers outside the exit stacks of dependencies: a session has seen the
        # error and rolled back before a rescue answers. A try/except around the handler would commit.
        given = scope.get(_HANDLERS, _NO_HANDLERS)
        merged = self._merged
        if merged is None or merged[0] is not given[0]:
            # Both dictionaries belong to one middleware, which is made once for each app.
            # Starlette asks for a handler by status first: the app's would hide rescue_from(HTTPException).
            by_status = {} if self._rescues_http_errors() else given[1]
            self._merged = merged = (given[0], (self._with_rescues(given[0]), by_status))
        scope[_HANDLERS] = merged[1]
        try:
            await super().handle(scope, receive, send)
        finally:
            # Scope, controller and request refer to each other: without this, each request would wait
            # for the garbage collector with all its memory, which costs more than the rest of a controller.
            scope.pop(SCOPE_KEY, None)

    def _rescues_http_errors(self) -> bool:
        controller = self.plan.controller
        return controller is not None and not _HTTP_ERRORS.isdisjoint(controller.__lineside_rescues__)

    def _with_rescues(self, handlers: dict[Any, Any]) -> dict[Any, Any]:
        merged = merged_handlers(handlers)
        controller = self.plan.controller
        if controller is not None:
            for error, rescue in controller.__lineside_rescues__.items():
                merged[error] = _rescuer(controller, rescue, action=self.plan.action)
        return merged


def _with_request(handler: _Handler, request_class: type[Request]) -> _Handler:
    async def handle(request: Request) -> Response:
        return await handler(request_class(request.scope, request.receive))

    return handle


def _behind_guards(plan: Plan, handler: _Handler, request_class: type[Request] | None) -> _Handler:
    """Run before-callbacks that need nothing from FastAPI; nothing stays open around the action."""
    guards = [(step.planned, step.planned.call, tuple(step.parameters)) for step in plan.early]

    async def handle(request: Request) -> Response:
        if request_class is not None:
            # One object for all: a body that a callback has read is still there for the action.
            request = request_class(request.scope, request.receive)
        controller = plan.new_controller(request, {})
        request.scope[SCOPE_KEY] = Invocation(controller)
        for planned, call, names in guards:
            given = await (call(controller, **dict.fromkeys(names, request)) if names else call(controller))
            if given is not None and answers(given, planned):
                return cast("Response", given)
        return await handler(request)

    return handle


def _with_callbacks(
    plan: Plan, handler: _Handler, request_class: type[Request] | None, probe: Probe
) -> _Handler:
    early = plan.early
    made_early = not plan.constructor

    async def handle(request: Request) -> Response:
        if request_class is not None:
            request = request_class(request.scope, request.receive)
        invocation = Invocation(plan.new_controller(request, {}) if made_early else None)
        request.scope[SCOPE_KEY] = invocation
        finish: Callable[..., Coroutine[Any, Any, Response]] = invocation.run.finish
        try:
            for step in early:
                halting = await step.enter(invocation, request, {})
                if halting is not None:
                    return await finish(halting, halted=True)
            response = await handler(request)
        except Halt as halt:
            return await finish(halt.response, halted=True)
        except GateClosed as closed:
            await _leave_dependencies(request, closed)
            return await finish(error=await probe.errors(request))
        except RequestValidationError as error:
            # A callback that misses its part of a broken body is not the fault to tell.
            return await finish(error=invocation.body_error or error)
        except BaseException as error:  # noqa: BLE001 - open arounds must see it, cancellation too
            return await finish(error=error)
        return await finish(response)

    return handle


async def _leave_dependencies(request: Request, error: BaseException) -> None:
    """Close what was resolved, as the error would: the probe resolves it again.

    Two sessions of one request would wait for each other where one of them may write.
    """
    for stack in ("fastapi_function_astack", "fastapi_inner_astack"):
        await request.scope[stack].__aexit__(type(error), error, error.__traceback__)


def _rescuer(
    controller: type[Controller], rescue: Rescue, *, action: str
) -> Callable[[Request, Exception], Any]:
    method = adapted(getattr(controller, rescue.method))
    takes_error = len(inspect.signature(getattr(controller, rescue.method)).parameters) > 1

    async def answer(request: Request, error: Exception) -> Response:
        invocation: Invocation | None = request.scope.get(SCOPE_KEY)
        receiver = invocation.controller if invocation else None
        if receiver is None:
            # The error came before the controller was made, for instance from a dependency.
            receiver = controller.__new__(controller)
            receiver.request, receiver.action_name = request, action
        given = await (method(receiver, error) if takes_error else method(receiver))
        if isinstance(given, Response):
            return given
        return JSONResponse(jsonable_encoder(given), status_code=rescue.status_for(error))

    return answer
