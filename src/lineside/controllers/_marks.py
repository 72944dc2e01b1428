"""The decorators of a controller: they only mark, the class collects and checks."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Never, TypedDict, TypeVar, Unpack

from fastapi import Response

from lineside.callbacks import declare
from lineside.exceptions import CallbackError

Responses = Mapping[int | str, dict[str, Any]]
_Function = TypeVar("_Function", bound=Callable[..., Any])
OPTIONS = "__lineside_options__"
RESCUES = "__lineside_rescues__"


class ActionOptions(TypedDict, total=False):
    """What FastAPI's path operation decorators take, under the same names."""

    status_code: int
    response_model: Any
    response_class: type[Response]
    response_description: str
    response_model_include: Any
    response_model_exclude: Any
    response_model_by_alias: bool
    response_model_exclude_unset: bool
    response_model_exclude_defaults: bool
    response_model_exclude_none: bool
    responses: Responses
    summary: str
    description: str
    tags: list[str]
    deprecated: bool
    operation_id: str
    include_in_schema: bool
    openapi_extra: dict[str, Any]
    max_body_size: int


def _only_options(decorator: str, given: tuple[object, ...]) -> None:
    """Refuse what stands where options belong: mostly the method, when the parentheses are missing."""
    if given:
        raise CallbackError(f"write @{decorator}() with parentheses above the method, options by name")


def before_action(
    *misplaced: Never,
    only: Iterable[str] | None = None,
    except_: Iterable[str] = (),
    responses: Responses | None = None,
) -> Callable[[_Function], _Function]:
    """Run a method before actions; returning a ``Response`` answers with it (as Rails' `before_action`).

    The method may have FastAPI parameters of its own; they appear in OpenAPI. It runs before the
    action's parameters are validated, so that a 401 beats a 422.

    Args:
        only: The actions it runs for; None means all.
        except_: The actions it does not run for.
        responses: What it may answer, for OpenAPI, as in FastAPI's ``responses=``.
        misplaced: Nothing; a method here means that the parentheses are missing.
    """
    _only_options("before_action", misplaced)
    return declare("before", only=only, except_=except_, responses=responses or {})


def after_action(
    *misplaced: Never, only: Iterable[str] | None = None, except_: Iterable[str] = ()
) -> Callable[[_Function], _Function]:
    """Run a method after actions, before the response is sent (as Rails' `after_action`).

    The method takes the final ``Response``, or nothing; a ``Response`` that it returns replaces it. It is
    skipped when a before-callback halted or the action raised. Last declared, first run.

    Args:
        only: The actions it runs for; None means all.
        except_: The actions it does not run for.
        misplaced: Nothing; a method here means that the parentheses are missing.
    """
    _only_options("after_action", misplaced)
    return declare("after", only=only, except_=except_)


def around_action(
    *misplaced: Never,
    only: Iterable[str] | None = None,
    except_: Iterable[str] = (),
    responses: Responses | None = None,
) -> Callable[[_Function], _Function]:
    """Run a generator around actions (as Rails' `around_action`).

    Its one ``yield`` runs the action and gives the ``Response``; an error of the action is raised there.
    Yielding a ``Response`` answers with it: instead of the action, of its response, or of its error.

    Args:
        only: The actions it runs for; None means all.
        except_: The actions it does not run for.
        responses: What it may answer, for OpenAPI, as in FastAPI's ``responses=``.
        misplaced: Nothing; a method here means that the parentheses are missing.
    """
    _only_options("around_action", misplaced)
    return declare("around", only=only, except_=except_, responses=responses or {})


def rescue_from(
    *errors: type[Exception],
    status_code: int | None = None,
    description: str | None = None,
) -> Callable[[_Function], _Function]:
    """Answer errors of this controller's actions with a method (as Rails' `rescue_from`).

    The method takes the error, or nothing. It runs when the dependencies have already seen the error, so
    sessions have rolled back. The most specific class wins; a subclass' handler replaces its base's.

    Args:
        errors: The classes of errors it answers.
        status_code: Status for a returned value that is not a ``Response``, and for OpenAPI.
            Default: the error's ``status_hint`` or 500.
        description: What OpenAPI says about that status.

    Raises:
        CallbackError: Something else than classes of errors is given, or nothing.
    """
    # Without parentheses `errors` is the method itself, which would be lost.
    if not errors or not all(_is_error_class(error) for error in errors):
        raise CallbackError("rescue_from takes classes of errors: @rescue_from(KeyError, status_code=404)")

    def mark(function: _Function) -> _Function:
        known = getattr(function, RESCUES, ())
        setattr(function, RESCUES, (*known, (errors, status_code, description)))
        return function

    return mark


def _is_error_class(given: object) -> bool:
    return isinstance(given, type) and issubclass(given, Exception)


def action(*misplaced: Never, **options: Unpack[ActionOptions]) -> Callable[[_Function], _Function]:
    """Give an action the options of a FastAPI path operation, under FastAPI's names.

    Args:
        options: For instance ``status_code=202``, ``summary=...``, ``response_class=EventSourceResponse``,
            ``max_body_size=`` in bytes.
        misplaced: Nothing; a method here means that the parentheses are missing.
    """
    _only_options("action", misplaced)

    def mark(function: _Function) -> _Function:
        setattr(function, OPTIONS, {**getattr(function, OPTIONS, {}), **options})
        return function

    return mark
