"""What is refused when routes are declared, because it would do nothing or something else."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import cast

from fastapi import params

from lineside.callbacks import Callback
from lineside.controllers import Controller
from lineside.controllers.endpoints import guard
from lineside.exceptions import RoutingError

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_EXAMPLES = {"member": 'member={"publish": "POST"}', "collection": 'collection={"search": "GET"}'}


def check_name(name: str, *, where: str) -> None:
    """Refuse a name that is written as a path.

    Raises:
        RoutingError: It has a slash.
    """
    if "/" in name:
        raise RoutingError(f"{where}: write the name without slashes; path= changes the path")


def segment_of(path: str, *, where: str) -> str:
    """Return what a resource adds to the path in front of it: nothing, or ``/`` and its own path.

    Raises:
        RoutingError: A slash stands where no segment begins.
    """
    if path and not all(path.split("/")):
        right = "/".join(filter(None, path.split("/")))
        raise RoutingError(f"{where}: path {path!r} has a slash too many; write path={right!r}")
    return f"/{path}" if path else ""


def check_options(given: Iterable[str], *, known: Collection[str], where: str) -> None:
    """Refuse options that nobody reads: a guard among them would guard nothing.

    Raises:
        RoutingError: Names the first unknown option and the known ones.
    """
    for option in given:
        if option not in known:
            raise RoutingError(
                f"{where}: unknown option {option!r}; it takes {', '.join(sorted(known))}; to guard routes "
                "use namespace(app, 'x', before=[...]), @before_action() in the controller, or an "
                "APIRouter(dependencies=[...])"
            )


def check_controller(controller: object, *, where: str) -> None:
    """Refuse what is no class of a controller.

    Raises:
        RoutingError: Says to pass the class.
    """
    if isinstance(controller, Controller):
        raise RoutingError(f"{where}: pass the class {type(controller).__name__}, not an object of it")
    if not (isinstance(controller, type) and issubclass(controller, Controller)):
        raise RoutingError(f"{where}: pass a class derived from Controller, not {controller!r}")


def methods_of(actions: object, *, option: str, where: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each further action with its HTTP methods in capitals.

    Args:
        actions: What ``member=`` or ``collection=`` was given.
        option: Which of both.
        where: What errors begin with.

    Raises:
        RoutingError: It is no mapping, or names no method or an unknown one.
    """
    if not actions:
        return
    if not isinstance(actions, Mapping):
        raise RoutingError(f"{where}: {option}= takes actions with their methods: {_EXAMPLES[option]}")
    for action, given in cast("Mapping[str, str | Iterable[str]]", actions).items():
        methods = [method.upper() for method in ([given] if isinstance(given, str) else given)]
        if not methods or not set(methods) <= set(_METHODS):
            raise RoutingError(
                f"{where}: {option}={{{action!r}: {given!r}}} names no HTTP method; the methods are "
                f"{', '.join(_METHODS)}"
            )
        yield action, methods


def check_constraints(several: object) -> None:
    """Refuse a pattern without its parameter, and what is no collection of constraints.

    Raises:
        RoutingError: Says to write a mapping.
    """
    if isinstance(several, str):
        raise RoutingError(
            f'constraint {several!r}: name its parameter: write constraints={{"id": {several!r}}}'
        )
    if not isinstance(several, Iterable):
        raise RoutingError(
            f"constraint {several!r}: pass patterns by parameter, a function, or a list of both"
        )


def versions_of(known: object) -> tuple[str, ...]:
    """Return the names of versions; a header is text, which equals no number.

    Raises:
        RoutingError: One is no text, or they are no list.
    """
    if isinstance(known, Iterable) and not isinstance(known, str):
        names = tuple(cast("Iterable[object]", known))
        texts = tuple(name for name in names if isinstance(name, str))
        if len(texts) == len(names):
            return texts
    raise RoutingError('versions are texts in a list: versions(app, ["1", "2"], default="1")')


def guards_of(before: object) -> tuple[Callback, ...]:
    """Return the callbacks that a ``before=`` stands for.

    Raises:
        RoutingError: It is no list, or has something in it that is no function.
    """
    if callable(before) or isinstance(before, str) or not isinstance(before, Iterable):
        raise RoutingError(f"before= takes a list of functions: before=[{_called(before)}]")
    return tuple(_guard(given) for given in cast("Iterable[object]", before))


def _guard(given: object) -> Callback:
    if isinstance(given, Callback):
        return given
    if not callable(given):
        raise RoutingError(
            f"before= cannot call {given!r}; pass the function itself: before=[{_called(given)}]"
        )
    return guard(given)


def _called(given: object) -> str:
    function = given.dependency if isinstance(given, params.Depends) else given
    return getattr(function, "__name__", "guard")
