"""Annotations evaluated once, when routes are made: strings resolved, type parameters filled in."""

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from fastapi import Request, params
from starlette.requests import HTTPConnection

from lineside.exceptions import RoutingError

Substitution = Mapping[Any, Any]


def type_arguments(owner: type) -> dict[type, dict[Any, Any]]:
    """Return what each generic base of ``owner`` got for its type parameters, followed to the root.

    A parameter that got nothing stands for itself.
    """
    found: dict[type, dict[Any, Any]] = {}
    for cls in owner.__mro__:
        found.setdefault(cls, {parameter: parameter for parameter in vars(cls).get("__parameters__", ())})
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
    origin: Any = get_origin(annotation)
    given: Sequence[Any] = get_args(annotation)
    model = _generic_model(annotation)
    if model is not None:
        # Pydantic's Page[T] is a class: it takes arguments again, in the place of its open parameters.
        origin, given = annotation, model["parameters"]
    elif origin is Annotated:
        return Annotated[substituted(given[0], known), *given[1:]]
    filled = tuple(substituted(argument, known) for argument in given)
    if all(new is old for new, old in zip(filled, given, strict=True)):
        return annotation
    if origin in (Union, types.UnionType):
        return Union[filled]  # noqa: UP007 - `|` cannot join what only the run knows
    return origin[filled[0]] if len(filled) == 1 else origin[filled]


def _generic_model(annotation: Any) -> dict[str, Any] | None:
    """Return what pydantic knows about the type parameters of a model."""
    return (
        getattr(annotation, "__pydantic_generic_metadata__", None) if isinstance(annotation, type) else None
    )


def _open_parameters(annotation: Any, known: Substitution) -> Iterator[Any]:
    """Find the type parameters that nobody filled in.

    A generic model may stand alone, as in ``-> Page``, unless its parameter is one of the controller:
    pydantic does not tell ``Page[T]`` from ``Page`` when both were declared with the same ``T``.
    """
    model = _generic_model(annotation)
    if isinstance(annotation, TypeVar):
        yield annotation
    elif model is not None:
        is_alone = model["origin"] is None
        yield from (p for p in model["parameters"] if not is_alone or known.get(p) is p)
    else:
        for argument in get_args(annotation):
            yield from _open_parameters(argument, known)


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
    for parameter in _open_parameters(filled, known):
        raise RoutingError(
            f"{where}: the type parameter {parameter} is open; "
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
        declared = inspect.get_annotations(base)
        hints = evaluated(base, name=base.__name__) if declared else {}
        for attribute in declared:
            hint = substituted(hints[attribute], arguments.get(base, {}))
            default = vars(base).get(attribute, inspect.Parameter.empty)
            if is_dependency(hint, default):
                found[attribute] = inspect.Parameter(
                    attribute, inspect.Parameter.KEYWORD_ONLY, annotation=hint, default=default
                )
            else:
                found.pop(attribute, None)
    return found


def is_dependency(hint: Any, default: Any) -> bool:
    """Tell whether FastAPI resolves this parameter by calling a dependency."""
    if isinstance(default, params.Depends):
        return True
    return get_origin(hint) is Annotated and any(isinstance(m, params.Depends) for m in hint.__metadata__)


def collector(parameters: Mapping[str, inspect.Parameter]) -> Callable[..., Any]:
    """Return a dependency with these parameters that gives their values by name."""

    async def collect(**values: Any) -> dict[str, Any]:
        return values

    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters.values()]
    setattr(collect, "__signature__", inspect.Signature(own))  # noqa: B010 - functions do not declare it
    return collect


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
