"""Annotations evaluated once, when routes are made: strings resolved, type parameters filled in."""

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin

from fastapi import Request, params
from starlette.requests import HTTPConnection

from lineside.exceptions import RoutingError

Substitution = Mapping[Any, Any]


def type_arguments(owner: type) -> dict[type, dict[Any, Any]]:
    """Return what each generic base of ``owner`` got for its type parameters, followed to the root."""
    found: dict[type, dict[Any, Any]] = {owner: {}}
    for cls in owner.__mro__:
        for base in vars(cls).get("__orig_bases__", ()):
            origin = get_origin(base)
            parameters = getattr(origin, "__parameters__", ())
            if isinstance(origin, type) and parameters:
                given = [substituted(arg, found.get(cls, {})) for arg in get_args(base)]
                found[origin] = dict(zip(parameters, given, strict=False))
    return found


def substituted(annotation: Any, known: Substitution) -> Any:
    """Fill known type parameters into an annotation, at any depth."""
    if isinstance(annotation, TypeVar):
        return known.get(annotation, annotation)
    if isinstance(annotation, type) and hasattr(annotation, "__pydantic_generic_metadata__"):
        metadata: Any = getattr(annotation, "__pydantic_generic_metadata__")  # noqa: B009 - not on `type`
        parameters: tuple[Any, ...] = metadata["parameters"]
    elif isinstance(annotation, type):
        return annotation
    else:
        parameters = getattr(annotation, "__parameters__", ())
    if not parameters:
        return annotation
    generic: Any = annotation
    return generic[tuple(known.get(parameter, parameter) for parameter in parameters)]


def evaluated(annotated: Any, *, name: str) -> dict[str, Any]:
    """Evaluate the annotations of a function or class, as FastAPI would see them.

    Raises:
        RoutingError: An annotation names something that is not visible in its module.
    """
    try:
        return typing.get_type_hints(annotated, include_extras=True)
    except NameError as error:
        raise RoutingError(
            f"{name}: cannot evaluate an annotation ({error}); define the name at module level, outside "
            "`if TYPE_CHECKING:`, where FastAPI can see it too"
        ) from error


def signature_of(function: Callable[..., Any], known: Substitution, *, name: str) -> inspect.Signature:
    """Return the evaluated signature of a function, ``self`` included.

    Args:
        function: The function as it was written.
        known: The type arguments of the class that defines it.
        name: How errors call it.

    Raises:
        RoutingError: It has ``*args`` or ``**kwargs``, or a type parameter that nobody filled in.
    """
    hints = evaluated(function, name=name)
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            raise RoutingError(f"{name}: `{parameter}` cannot come from a request; name each parameter")
        annotation = _filled(
            hints.get(parameter.name, parameter.annotation), known, f"{name}({parameter.name})"
        )
        parameters.append(parameter.replace(annotation=annotation))
    returned = _filled(hints.get("return", inspect.Signature.empty), known, f"{name} -> ...")
    # get_type_hints turns None into NoneType, which FastAPI would take for a response model.
    return inspect.Signature(parameters, return_annotation=None if returned is type(None) else returned)


def _filled(annotation: Any, known: Substitution, where: str) -> Any:
    filled = substituted(annotation, known)
    open_parameters = (filled,) if isinstance(filled, TypeVar) else getattr(filled, "__parameters__", ())
    if open_parameters and not isinstance(filled, type):
        raise RoutingError(
            f"{where}: the type parameter {open_parameters[0]} is open; "
            "derive from the class with its arguments, for instance `Base[Post]`"
        )
    return filled


def injections(controller: type) -> dict[str, inspect.Parameter]:
    """Find the class attributes that FastAPI fills: ``name: Annotated[T, Depends(...)]``.

    Returns:
        Keyword-only parameters by attribute name, bases first.
    """
    found: dict[str, inspect.Parameter] = {}
    arguments = type_arguments(controller)
    for base in reversed(controller.__mro__):
        if "__annotations__" not in vars(base) or not base.__module__ or base.__module__ == "builtins":
            continue
        hints = evaluated(base, name=base.__name__)
        for attribute in vars(base)["__annotations__"]:
            hint = substituted(hints[attribute], arguments.get(base, {}))
            default = vars(base).get(attribute, inspect.Parameter.empty)
            if _is_dependency(hint, default):
                found[attribute] = inspect.Parameter(
                    attribute, inspect.Parameter.KEYWORD_ONLY, annotation=hint, default=default
                )
            else:
                found.pop(attribute, None)
    return found


def _is_dependency(hint: Any, default: Any) -> bool:
    if isinstance(default, params.Depends):
        return True
    return get_origin(hint) is Annotated and any(isinstance(m, params.Depends) for m in hint.__metadata__)


def request_parameter(parameters: Mapping[str, inspect.Parameter]) -> str | None:
    """Name the parameter that takes the request; FastAPI fills only one of each function."""
    for name, parameter in parameters.items():
        annotation = parameter.annotation
        if isinstance(annotation, type) and issubclass(annotation, Request):
            return name
    return None


def takes_connection(parameter: inspect.Parameter) -> bool:
    """Tell whether FastAPI fills this parameter with the request itself."""
    annotation = parameter.annotation
    return isinstance(annotation, type) and issubclass(annotation, HTTPConnection)
