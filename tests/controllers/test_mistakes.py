"""Declarations that would silently do nothing are errors that say what to write."""

import inspect
from typing import Any

import pytest
from fastapi import Depends

from lineside.controllers import (
    Controller,
    action,
    after_action,
    around_action,
    before_action,
    rescue_from,
)
from lineside.exceptions import CallbackError


@pytest.mark.parametrize("decorator", [before_action, after_action, around_action, action])
@pytest.mark.parametrize("given", [lambda self: None, "load"], ids=["method", "name"])
def test_a_decorator_without_parentheses_says_how_to_write_it(decorator: Any, given: object) -> None:
    """A method in the place of the options would be lost; so would a name, as Rails writes it."""
    with pytest.raises(CallbackError, match=rf"^write @{decorator.__name__}\(\) with parentheses"):
        decorator(given)


@pytest.mark.parametrize(
    "errors",
    [
        (),
        ("KeyError",),
        (lambda self: None,),
        ((KeyError, ValueError),),
        (int,),
        (KeyError, KeyboardInterrupt),
    ],
    ids=["nothing", "name", "method", "tuple", "no error", "no Exception"],
)
def test_rescue_from_takes_classes_of_errors(errors: tuple[Any, ...]) -> None:
    """Anything else would rescue nothing, and without parentheses lose the method."""
    with pytest.raises(CallbackError, match=r"classes of errors: @rescue_from\(KeyError, status_code=404\)"):
        rescue_from(*errors)


def _guard() -> None:
    """Guards."""


@pytest.mark.parametrize("dependencies", [[Depends(_guard)], (_guard,)], ids=["list", "tuple"])
def test_a_list_of_dependencies_on_a_controller_is_an_error(dependencies: Any) -> None:
    """FastAPI's routers run such a list; a controller would answer without it."""
    with pytest.raises(CallbackError, match=r"^Posts: .*@before_action\(\).*APIRouter\(dependencies="):
        type("Posts", (Controller,), {"dependencies": dependencies})


def test_a_list_of_dependencies_on_a_mixin_is_an_error() -> None:
    """The list is as silent when it is inherited."""

    class Guarded:
        dependencies = (Depends(_guard),)

    with pytest.raises(CallbackError, match=r"^Posts: "):
        type("Posts", (Guarded, Controller), {})


def test_an_action_may_be_called_dependencies() -> None:
    """Only a list is mistaken for FastAPI's."""

    class Packages(Controller):
        async def dependencies(self) -> list[str]:
            return []

    assert inspect.iscoroutinefunction(Packages.dependencies)
