"""Where routes are added: a router with a prefix, a name, guards and constraints around it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, Unpack

from fastapi import APIRouter, FastAPI
from fastapi.datastructures import DefaultPlaceholder

from lineside.callbacks import Callback
from lineside.controllers import ActionOptions
from lineside.controllers.endpoints import Plan, endpoint_for, plan_function
from lineside.exceptions import RoutingError
from lineside.routing._checks import check_name, guards_of
from lineside.routing._constraints import Constraints, Requirements, requirements
from lineside.routing._paths import parameters_of
from lineside.routing._route import REQUIREMENTS, ConstrainedRoute, ResourceRoute
from lineside.types import OffersFormats

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class RouteScope:
    """A place to add routes to; `namespace` and `scope` make one, `resources` accepts one.

    Attributes:
        router: The router that gets the routes, flat.
        prefix: What every path begins with.
        name: What every route name begins with, for instance ``"admin_"``.
        operation: What every operation id begins with: the name, and the paths of scopes without one.
        guards: Callbacks that run before every action.
        requirements: Constraints that every request must meet.
        tags: OpenAPI tags of every route.
        in_schema: Whether its routes appear in OpenAPI.
        has_dependencies: Whether FastAPI may resolve dependencies of the app or a router before an action,
            for instance a login for the whole app. Callbacks then wait for them.
    """

    router: APIRouter
    prefix: str = ""
    name: str = ""
    operation: str = ""
    guards: tuple[Callback, ...] = ()
    requirements: Requirements = field(default_factory=Requirements)
    tags: tuple[str, ...] = ()
    in_schema: bool = True
    has_dependencies: bool = False

    def within(self, **changes: Any) -> "RouteScope":
        """Return a scope that differs in some attributes."""
        return replace(self, **changes)

    def inside(self, path: str, *, name: str) -> "RouteScope":
        """Return a scope below a path, with what its routes' names begin with."""
        operation = name or "".join(f"{word}_" for word in _words(path))
        return self.within(
            prefix=self.prefix + path, name=self.name + name, operation=self.operation + operation
        )

    def add(
        self,
        path: str,
        plan: Plan,
        *,
        methods: Sequence[str],
        name: str,
        operation: str,
        options: ActionOptions,
    ) -> None:
        """Add one route, registered flat on the router.

        Args:
            path: The path below the prefix.
            plan: The action, from `plan` or `plan_function`.
            methods: HTTP methods; one route is one method, so that operation ids stay stable.
            name: The route's name below the scope's name.
            operation: The operation id below the scope's name.
            options: FastAPI's path operation options.
        """
        full = self.prefix + path
        endpoint = endpoint_for(plan.waiting() if self.has_dependencies else plan)
        needed = self.requirements.for_path(parameters_of(full))
        setattr(endpoint, REQUIREMENTS, needed)
        settings: dict[str, Any] = {"include_in_schema": self.in_schema, **options}
        settings["tags"] = settings.get("tags") or list(self.tags) or None
        if plan.signature.return_annotation is None:
            settings.setdefault("status_code", 204)
        settings["responses"] = _responses(plan, settings) or None
        if plan.controller is not None and not {"GET", "HEAD"} >= set(methods):
            settings.setdefault("max_body_size", plan.controller.max_body_size)
        chosen: Any = self.router.generate_unique_id_function
        if isinstance(chosen, DefaultPlaceholder):
            settings["generate_unique_id_function"] = _unique_id(full, self.operation + operation)
        self.router.add_api_route(
            full,
            endpoint,
            methods=list(methods),
            name=self.name + name,
            route_class_override=ConstrainedRoute if needed else ResourceRoute,
            **settings,
        )

    def route(
        self, path: str, *, methods: Sequence[str], name: str | None = None, **options: Unpack[ActionOptions]
    ) -> Callable[[_Function], _Function]:
        """Add a plain FastAPI function behind the scope's guards and constraints.

        Args:
            path: The path below the prefix.
            methods: HTTP methods.
            name: The route's name; default: the function's.
            options: FastAPI's path operation options.

        Returns:
            A decorator that returns the same function.
        """

        def register(function: _Function) -> _Function:
            known = name or function.__name__
            for method in methods:
                suffix = "" if method == methods[0] else f"_{method.lower()}"
                own = options.copy()
                if "operation_id" in own:
                    own["operation_id"] += suffix
                plan = plan_function(function, guards=self.guards)
                self.add(path, plan, methods=[method], name=known, operation=known + suffix, options=own)
            return function

        return register

    def get(
        self, path: str, *, name: str | None = None, **options: Unpack[ActionOptions]
    ) -> Callable[[_Function], _Function]:
        """Add a GET route, as FastAPI's ``router.get``."""
        return self.route(path, methods=["GET"], name=name, **options)

    def post(
        self, path: str, *, name: str | None = None, **options: Unpack[ActionOptions]
    ) -> Callable[[_Function], _Function]:
        """Add a POST route, as FastAPI's ``router.post``."""
        return self.route(path, methods=["POST"], name=name, **options)

    def put(
        self, path: str, *, name: str | None = None, **options: Unpack[ActionOptions]
    ) -> Callable[[_Function], _Function]:
        """Add a PUT route, as FastAPI's ``router.put``."""
        return self.route(path, methods=["PUT"], name=name, **options)

    def patch(
        self, path: str, *, name: str | None = None, **options: Unpack[ActionOptions]
    ) -> Callable[[_Function], _Function]:
        """Add a PATCH route, as FastAPI's ``router.patch``."""
        return self.route(path, methods=["PATCH"], name=name, **options)

    def delete(
        self, path: str, *, name: str | None = None, **options: Unpack[ActionOptions]
    ) -> Callable[[_Function], _Function]:
        """Add a DELETE route, as FastAPI's ``router.delete``."""
        return self.route(path, methods=["DELETE"], name=name, **options)


Target = FastAPI | APIRouter | RouteScope
"""What routes can be added to."""


def scope_of(target: Target) -> RouteScope:
    """Return the scope that a target stands for."""
    if isinstance(target, RouteScope):
        return target
    if isinstance(target, FastAPI):
        return RouteScope(target.router, has_dependencies=bool(target.router.dependencies))
    # What includes the router may bring dependencies, and does so later.
    return RouteScope(target, has_dependencies=True)


def namespace(
    target: Target,
    name: str,
    *,
    path: str | None = None,
    before: Iterable[Callable[..., Any] | Callback] = (),
    constraints: Constraints | None = None,
    tags: Iterable[str] = (),
) -> RouteScope:
    """Put routes under a path and a name, behind guards (as Rails' `namespace`).

    Args:
        target: A FastAPI app, an ``APIRouter`` or another scope.
        name: Prefix of the route names and, without ``path``, of the paths.
        path: The path prefix. Default: ``/name``.
        before: Functions that run before every action inside, outer scopes first. They take FastAPI
            parameters; one that returns a ``Response`` halts.
        constraints: What a request must be like, or the next route is tried.
        tags: OpenAPI tags for every route inside.

    Returns:
        A scope for `resources`, `resource`, `namespace`, `scope`, and with ``get``, ``post`` ... of its own.
    """
    check_name(name, where=f"namespace({name!r})")
    prefix = f"/{name}" if path is None else path
    return _inside(target, prefix, name=f"{name}_", before=before, constraints=constraints, tags=tags)


def scope(
    target: Target,
    *,
    path: str = "",
    before: Iterable[Callable[..., Any] | Callback] = (),
    constraints: Constraints | None = None,
    tags: Iterable[str] = (),
) -> RouteScope:
    """Share a path prefix, guards or constraints among routes, without naming them (as Rails' `scope`).

    Args:
        target: A FastAPI app, an ``APIRouter`` or another scope.
        path: The path prefix, empty or beginning with ``/``.
        before: Functions that run before every action inside, outer scopes first.
        constraints: What a request must be like, or the next route is tried.
        tags: OpenAPI tags for every route inside.
    """
    return _inside(target, path, name="", before=before, constraints=constraints, tags=tags)


def _inside(
    target: Target,
    path: str,
    *,
    name: str,
    before: Iterable[Callable[..., Any] | Callback],
    constraints: Constraints | None,
    tags: Iterable[str],
) -> RouteScope:
    outer = scope_of(target)
    if path and (not path.startswith("/") or path.endswith("/")):
        raise RoutingError(f"path {path!r}: begin it with `/` and end it without")
    return outer.inside(path, name=name).within(
        guards=outer.guards + guards_of(before),
        requirements=outer.requirements + requirements(constraints),
        tags=(*outer.tags, *tags),
    )


def _responses(plan: Plan, settings: Mapping[str, Any]) -> dict[int | str, dict[str, Any]]:
    """Gather what the action may answer: its callbacks and rescues, its formats, its own options."""
    found = plan.responses()
    formats = getattr(plan.function, "__lineside_formats__", None)
    if isinstance(formats, OffersFormats):
        found |= formats.responses(settings.get("status_code", 200))
    return {**found, **settings.get("responses", {})}


def _words(path: str) -> list[str]:
    return [word for word in path.replace("{", "").replace("}", "").split("/") if word]


def _unique_id(declared: str, operation: str) -> Callable[[Any], str]:
    """Make operation ids that stay unique when the router is included under a prefix, or twice."""

    def unique_id(route: Any) -> str:
        included_under = str(route.path_format).removesuffix(declared)
        return "_".join([*_words(included_under), operation]).replace("-", "_")

    return unique_id
