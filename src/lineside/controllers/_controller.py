"""The base class of controllers: what it collects from a class when the class is made."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar, cast, runtime_checkable

from fastapi import Request

from lineside.callbacks import Callback, Callbacks, Kind, Skip
from lineside.controllers._marks import RESCUES, Responses
from lineside.exceptions import CallbackError, ConfigurationError

#: The seven actions of a resource; a filter may name them before a subclass defines them.
RESTFUL_ACTIONS = ("index", "new", "create", "show", "edit", "update", "destroy")

_Controller = TypeVar("_Controller", bound="type[Controller]")


@dataclass(frozen=True, slots=True)
class Rescue:
    """Which method answers an error, and with what status when it returns a plain value."""

    method: str
    status_code: int | None
    description: str | None

    def status_for(self, error: object) -> int:
        """Return the status of a returned value: its own, or what the error (or its class) hints at."""
        hint: int = getattr(error, "status_hint", getattr(error, "status_code", 500))
        return self.status_code or hint


@runtime_checkable
class _Authorizes(Protocol):
    def authorize(self, action: str, subject: Any) -> Any: ...


class Controller:
    """A class whose public methods are actions; one object is made for each request.

    Actions and callbacks are plain FastAPI: annotated parameters, ``Depends``, return types. A class
    attribute annotated ``Annotated[T, Depends(...)]`` and the parameters of ``__init__`` are injected.

    Attributes:
        request: The request that is being answered.
        action_name: The name of the action, for instance ``"show"``.
        max_body_size: Largest accepted request body in bytes; larger ones are answered 413. None: no limit.
            Default: 2.5 MiB (as Django's ``DATA_UPLOAD_MAX_MEMORY_SIZE``, but files count too).
        responses: What every action may answer beside its own, for OpenAPI, as in ``APIRouter(responses=)``.
    """

    request: Request
    action_name: str
    max_body_size: ClassVar[int | None] = 2_621_440
    responses: ClassVar[Responses] = {}

    __lineside_callbacks__: ClassVar[Callbacks] = Callbacks()
    __lineside_rescues__: ClassVar[dict[type[Exception], Rescue]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _check_dependencies(cls)
        cls.__lineside_callbacks__ = _inherited(cls)
        cls.__lineside_rescues__ = _rescues(cls)
        check_callbacks(cls)

    def authorize(self, action: str, subject: Any) -> None:
        """Refuse with 403 unless the controller's ability grants this (as Gor's `Authorize`).

        Args:
            action: The action or named ability, for instance ``"update"``.
            subject: The object it is about.

        Raises:
            AccessDeniedError: The ability does not grant it.
            ConfigurationError: The controller has no ``ability`` attribute.
        """
        ability = getattr(self, "ability", None)
        if not isinstance(ability, _Authorizes):
            raise ConfigurationError(
                f"{type(self).__name__} has no ability; declare the attribute `ability: CurrentAbility`"
            )
        ability.authorize(action, subject)


def actions_of(controller: type[Controller]) -> tuple[str, ...]:
    """Name the actions: public methods that users' classes define and that are no callbacks.

    An allow-list, as Rails' ``action_methods``: nothing that `Controller` itself has is reachable.
    """
    names: dict[str, None] = {}
    for base in reversed(controller.__mro__[: controller.__mro__.index(Controller)]):
        for name, member in vars(base).items():
            if name.startswith("_") or hasattr(Controller, name):
                continue
            is_method = callable(member) and not isinstance(member, type | staticmethod | classmethod)
            if is_method and not _is_marked(member):
                names[name] = None
    taken = {callback.name for callback in controller.__lineside_callbacks__.entries}
    taken |= {rescue.method for rescue in controller.__lineside_rescues__.values()}
    return tuple(name for name in names if name not in taken)


def _is_marked(member: object) -> bool:
    return Callbacks.declares(member) or bool(getattr(member, RESCUES, ()))


def _check_dependencies(controller: type[Controller]) -> None:
    """Refuse a guard that would guard nothing: routers read a list of this name, controllers do not."""
    if isinstance(getattr(controller, "dependencies", None), list | tuple):
        raise CallbackError(
            f"{controller.__name__}: controllers ignore a list called `dependencies`; declare a method with "
            "@before_action(), or route the controller on an APIRouter(dependencies=[...])"
        )


def check_callbacks(controller: type[Controller]) -> None:
    """Refuse a callback whose filter names an action that does not exist."""
    known = {*RESTFUL_ACTIONS, *actions_of(controller)}
    controller.__lineside_callbacks__.check(known, controller.__name__)


def _inherited(controller: type[Controller]) -> Callbacks:
    """Merge the callbacks of all bases, then add what the class itself declares."""
    merged = Callbacks()
    for base in reversed(controller.__bases__):
        # A mixin that is no controller declares callbacks too: a guard there must not be lost.
        inherited: Callbacks | None = getattr(base, "__lineside_callbacks__", None)
        merged = merged.merge(Callbacks.of(base) if inherited is None else inherited)
    for callback in Callbacks.declared_in(controller):
        merged = merged.append(callback)
    return merged


def _rescues(controller: type[Controller]) -> dict[type[Exception], Rescue]:
    merged: dict[type[Exception], Rescue] = {}
    for base in reversed(controller.__mro__):
        for name, member in vars(base).items():
            for errors, status_code, description in getattr(member, RESCUES, ()) if callable(member) else ():
                merged.update(dict.fromkeys(errors, Rescue(name, status_code, description)))
    return merged


def _skip(kind: Kind, name: str, only: Iterable[str] | None, except_: Iterable[str]) -> Any:
    def apply(controller: _Controller) -> _Controller:
        skip = Skip.of(kind, name, only=only, except_=except_)
        unknown = ((skip.only or frozenset()) | skip.except_) - {*RESTFUL_ACTIONS, *actions_of(controller)}
        if unknown:
            known = sorted({*RESTFUL_ACTIONS, *actions_of(controller)})
            raise CallbackError(
                f"{controller.__name__}: skipping {name!r} names unknown {sorted(unknown)}; known: {known}"
            )
        controller.__lineside_callbacks__ = controller.__lineside_callbacks__.skip(skip)
        return controller

    return apply


def skip_before_action(
    name: str, *, only: Iterable[str] | None = None, except_: Iterable[str] = ()
) -> Callable[[_Controller], _Controller]:
    """Do not run an inherited before-callback: decorates the class (as Rails' `skip_before_action`).

    Args:
        name: The callback's method name.
        only: The actions it is skipped for; None means all.
        except_: The actions it is still run for.

    Raises:
        CallbackError: No before-callback has this name, or a filter names an unknown action.
    """
    return cast("Callable[[_Controller], _Controller]", _skip("before", name, only, except_))


def skip_after_action(
    name: str, *, only: Iterable[str] | None = None, except_: Iterable[str] = ()
) -> Callable[[_Controller], _Controller]:
    """Do not run an inherited after-callback: decorates the class (as Rails' `skip_after_action`).

    Args:
        name: The callback's method name.
        only: The actions it is skipped for; None means all.
        except_: The actions it is still run for.
    """
    return cast("Callable[[_Controller], _Controller]", _skip("after", name, only, except_))


def skip_around_action(
    name: str, *, only: Iterable[str] | None = None, except_: Iterable[str] = ()
) -> Callable[[_Controller], _Controller]:
    """Do not run an inherited around-callback: decorates the class (as Rails' `skip_around_action`).

    Args:
        name: The callback's method name.
        only: The actions it is skipped for; None means all.
        except_: The actions it is still run for.
    """
    return cast("Callable[[_Controller], _Controller]", _skip("around", name, only, except_))


def guard(
    function: Callable[..., Any], *, responses: dict[int | str, dict[str, Any]] | None = None
) -> Callback:
    """Make a before-callback of a function or callable object that stands outside any controller."""
    name = getattr(function, "__name__", type(function).__name__)
    # Of an object, what is awaited and which parameters it has are read from its method.
    called: Any = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004 - it is callable
    return Callback("before", name, called, options={"responses": responses or {}})
