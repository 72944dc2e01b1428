"""`resources` and `resource`: the seven actions of Rails on one line."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict, Unpack, cast

from lineside.controllers import ActionOptions, Controller
from lineside.controllers.endpoints import OPTIONS, RESTFUL_ACTIONS, actions_of, plan
from lineside.exceptions import RoutingError
from lineside.routing._checks import check_controller, check_name, check_options, methods_of, segment_of
from lineside.routing._constraints import Constraints, requirements
from lineside.routing._inflect import singular as singular_of
from lineside.routing._member_key import check_member_key
from lineside.routing._paths import parameters_of
from lineside.routing._scope import RouteScope, Target, scope_of

Actions = Mapping[str, str | Sequence[str]]
"""Further actions with their HTTP methods: ``{"publish": "POST"}``."""


class ResourceOptions(TypedDict, total=False):
    """The options of `resources` and `resource`, see there."""

    only: Iterable[str]
    except_: Iterable[str]
    path: str
    param: str
    singular: str
    member: Actions
    collection: Actions
    constraints: Constraints
    tags: Iterable[str]


_OPTIONS = frozenset(ResourceOptions.__annotations__)
#: Options of `resources` that have no meaning for the one member of `resource`.
_PLURAL_OPTIONS = frozenset(("param", "singular", "member"))


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the table of routes."""

    action: str
    method: str
    path: str
    name: str
    on_member: bool = False
    is_repeated: bool = False

    @property
    def operation(self) -> str:
        """What the operation id ends in: two methods may reach the same action, as PATCH and PUT do."""
        return f"{self.action}_{self.method.lower()}" if self.is_repeated else self.action


class Resources:
    """A resource that has been routed; others nest below its members."""

    def __init__(self, below: RouteScope, outer: RouteScope) -> None:
        self._below = below
        self._outer = outer

    def resources(
        self,
        name: str,
        controller: type[Controller],
        *,
        shallow: bool = False,
        **options: Unpack[ResourceOptions],
    ) -> "Resources":
        """Route a resource below each member of this one: ``/posts/{post_id}/comments``.

        Args:
            name: The plural name, for instance ``"comments"``.
            controller: The class with the actions.
            shallow: Give members short paths, ``/comments/{id}`` (as Rails' ``shallow: true``).
            options: As of `resources`.
        """
        # A short path leaves the parent's path out, not what a request to the parent must be like.
        members = self._outer.within(requirements=self._below.requirements) if shallow else self._below
        return _route_plural(self._below, members, self._outer, name, controller, options)

    def resource(
        self, name: str, controller: type[Controller], **options: Unpack[ResourceOptions]
    ) -> "Resources":
        """Route a singular resource below each member of this one: ``/posts/{post_id}/cover``."""
        return resource(self._below, name, controller, **options)


def resources(
    target: Target, name: str, controller: type[Controller], **options: Unpack[ResourceOptions]
) -> Resources:
    """Route the RESTful actions that a controller defines (as Rails' `resources`).

    | method and path             | action    | name          |
    |-----------------------------|-----------|---------------|
    | GET /posts                  | index     | posts         |
    | GET /posts/new              | new       | new_post      |
    | POST /posts                 | create    | posts         |
    | GET /posts/{id}             | show      | post          |
    | GET /posts/{id}/edit        | edit      | edit_post     |
    | PATCH and PUT /posts/{id}   | update    | post          |
    | DELETE /posts/{id}          | destroy   | post          |

    Args:
        target: A FastAPI app, an ``APIRouter`` or a scope.
        name: The plural name.
        controller: The class with the actions; one that it does not define gets no route.
        options: All optional.

            - ``only``: route just these actions; one that the controller does not define is an error.
            - ``except_``: do not route these actions.
            - ``path``: the path segment; default: the name.
            - ``param``: the path parameter of a member; default: ``"id"``.
            - ``singular``: the singular name, where English does not help.
            - ``member``: further actions on one member, ``{"publish": "POST"}``.
            - ``collection``: further actions on all, ``{"search": "GET"}``.
            - ``constraints``: patterns for path parameters, or functions of the connection.
            - ``tags``: OpenAPI tags; default: those of the scope, else the name.

    Returns:
        The resource, to nest others below it.

    Raises:
        RoutingError: An unknown option, action or HTTP method, a bad pattern, or a wrong name or path.
    """
    scope = scope_of(target)
    return _route_plural(scope, scope, scope, name, controller, options)


def resource(
    target: Target, name: str, controller: type[Controller], **options: Unpack[ResourceOptions]
) -> Resources:
    """Route a resource of which there is one: ``/profile`` (as Rails' `resource`).

    It has the actions of `resources` except ``index``, and no path parameter.

    Args:
        target: A FastAPI app, an ``APIRouter`` or a scope.
        name: The singular name.
        controller: The class with the actions.
        options: As of `resources`; ``param``, ``singular`` and ``member`` have no meaning here.
    """
    where = f"resource({name!r})"
    meaningless = _PLURAL_OPTIONS & set(options)
    if meaningless:
        raise RoutingError(f"{where} has one member without a parameter: drop {sorted(meaningless)}")
    _check(name, controller, options, known=_OPTIONS - _PLURAL_OPTIONS, where=where)
    scope = scope_of(target)
    lines = [
        *_extra(options, "collection", name, where=where),
        *(replace(line, on_member=False) for line in _restful(name, name)[1:]),
    ]
    home = _home(scope, options, name)
    base = segment_of(options.get("path", name), where=where)
    requirements(options.get("constraints")).check(parameters_of(home.prefix + base), where=where)
    _register(home, home, controller, _chosen(lines, controller, options), base, base, name)
    below = home.inside(base, name=f"{name}_").within(tags=())
    return Resources(below, scope)


def _route_plural(
    scope: RouteScope,
    members: RouteScope,
    outer: RouteScope,
    name: str,
    controller: type[Controller],
    options: ResourceOptions,
) -> Resources:
    """Route a plural resource: its collection in one scope, its members in another when shallow."""
    where = f"resources({name!r})"
    _check(name, controller, options, known=_OPTIONS, where=where)
    one = options.get("singular") or singular_of(name)
    param = options.get("param", "id")
    # Further actions on the collection come first: "/posts/search" is not the post called "search".
    lines = [
        *_extra(options, "collection", name, where=where),
        *_restful(name, one),
        *_extra(options, "member", one, where=where),
    ]
    home, short = _home(scope, options, name), _home(members, options, name)
    base = segment_of(options.get("path", name), where=where)
    member_base = f"{base}/{{{param}}}"
    known = [*parameters_of(home.prefix + member_base), *parameters_of(short.prefix)]
    requirements(options.get("constraints")).check(known, where=where)
    _register(home, short, controller, _chosen(lines, controller, options), base, member_base, name)
    nested = param if param.startswith(f"{one}_") else f"{one}_{param}"
    below = short.inside(f"{base}/{{{nested}}}", name=f"{one}_").within(
        requirements=short.requirements.renamed({param: nested}),
        tags=outer.tags,
    )
    return Resources(below, outer)


def _check(
    name: str,
    controller: type[Controller],
    options: ResourceOptions,
    *,
    known: frozenset[str],
    where: str,
) -> None:
    check_name(name, where=where)
    check_options(options, known=known, where=where)
    check_controller(controller, where=where)


def _restful(plural: str, one: str) -> list[_Line]:
    # `new` stands before `show`, or "/posts/new" would be the post called "new".
    return [
        _Line("index", "GET", "", plural),
        _Line("new", "GET", "/new", f"new_{one}"),
        _Line("create", "POST", "", plural),
        _Line("show", "GET", "", one, on_member=True),
        _Line("edit", "GET", "/edit", f"edit_{one}", on_member=True),
        _Line("update", "PATCH", "", one, on_member=True),
        _Line("update", "PUT", "", one, on_member=True, is_repeated=True),
        _Line("destroy", "DELETE", "", one, on_member=True),
    ]


def _extra(
    options: ResourceOptions, option: Literal["member", "collection"], noun: str, *, where: str
) -> list[_Line]:
    on_member = option == "member"
    return [
        _Line(action, method, f"/{action}", f"{action}_{noun}", on_member, is_repeated=position > 0)
        for action, methods in methods_of(options.get(option), option=option, where=where)
        for position, method in enumerate(methods)
    ]


def _filter(given: Iterable[str] | None) -> set[str] | None:
    if given is None:
        return None
    return {given} if isinstance(given, str) else set(given)


def _chosen(lines: list[_Line], controller: type[Controller], options: ResourceOptions) -> list[_Line]:
    """Keep the lines that are asked for and that the controller can answer."""
    defined = actions_of(controller)
    only, except_ = _filter(options.get("only")), _filter(options.get("except_")) or set[str]()
    asked = {line.action for line in lines if line.action not in RESTFUL_ACTIONS} | (only or set[str]())
    unknown = (asked - set(defined)) | (except_ - {*RESTFUL_ACTIONS, *defined})
    if unknown:
        raise RoutingError(
            f"{controller.__name__} has no action {sorted(unknown)}; its actions are {sorted(defined)}"
        )
    if not defined and only is None:
        raise RoutingError(
            f"{controller.__name__} has no actions; define methods such as `async def index(self)`"
        )
    unrouted = asked - {line.action for line in lines}
    if unrouted:
        raise RoutingError(
            f"{controller.__name__}: {sorted(unrouted)} has no route of its own here; name it in "
            "`member=` or `collection=` with its method"
        )
    wanted = asked if only is not None else set(defined)
    return [line for line in lines if line.action in wanted - except_]


def _home(scope: RouteScope, options: ResourceOptions, name: str) -> RouteScope:
    return scope.within(
        requirements=scope.requirements + requirements(options.get("constraints")),
        tags=tuple(options.get("tags", ())) or scope.tags or (name,),
    )


def _register(
    home: RouteScope,
    short: RouteScope,
    controller: type[Controller],
    lines: list[_Line],
    base: str,
    member_base: str,
    name: str,
) -> None:
    for line in lines:
        scope = short if line.on_member else home
        options: dict[str, Any] = {"summary": f"{line.action.replace('_', ' ').capitalize()} {line.name}"}
        options |= getattr(getattr(controller, line.action), OPTIONS, {})
        if "operation_id" in options:
            # An id of the user's own is one action's; the second method of it needs another.
            options["operation_id"] += line.operation.removeprefix(line.action)
        planned = plan(controller, line.action, guards=scope.guards)
        if line.on_member:
            path = scope.router.prefix + scope.prefix + member_base + line.path
            check_member_key(planned, path=path, param=[*parameters_of(member_base)][-1])
        if line.action == "create" and planned.signature.return_annotation is not None:
            options.setdefault("status_code", 201)
        scope.add(
            (member_base if line.on_member else base) + line.path,
            planned,
            methods=[line.method],
            name=line.name,
            operation=f"{name}_{line.operation}",
            options=cast("ActionOptions", options),
        )
