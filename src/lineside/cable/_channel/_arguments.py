"""The arguments of a channel's method, read from what a client sent and checked by their annotations."""

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, NotRequired, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic.fields import FieldInfo
from typing_extensions import TypedDict

from lineside.cable._channel._errors import invalid
from lineside.cable._protocol._errors import CableConfigurationError

__all__ = ["Arguments", "adapter_of", "hints_of", "is_dependency"]

WHOLE: Final = "data"
"""The parameter that takes the whole message, as in Rails."""

_EMPTY: Final = inspect.Parameter.empty


def hints_of(annotated: Any, *, name: str) -> dict[str, Any]:
    """Evaluate the annotations of a function or class.

    Args:
        annotated: The function or class.
        name: How errors call it.

    Raises:
        CableConfigurationError: An annotation names something that is not visible in its module.
    """
    try:
        return typing.get_type_hints(annotated, include_extras=True)
    except NameError as error:
        raise CableConfigurationError(
            f"{name}: cannot evaluate an annotation ({error}); define the name at module level, outside "
            "`if TYPE_CHECKING:`"
        ) from error


def is_dependency(hint: Any, default: Any = _EMPTY) -> bool:
    """Tell whether FastAPI would resolve this by calling a dependency; known by its attributes.

    Args:
        hint: The annotation.
        default: The default value.
    """
    marks = hint.__metadata__ if get_origin(hint) is Annotated else ()
    return any(hasattr(mark, "dependency") and hasattr(mark, "use_cache") for mark in (default, *marks))


def adapter_of(annotation: Any, *, name: str) -> TypeAdapter[Any]:
    """Return what validates values of an annotation.

    Raises:
        CableConfigurationError: pydantic cannot read the annotation.
    """
    try:
        return TypeAdapter(annotation)
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise CableConfigurationError(f"{name}: pydantic cannot validate this annotation: {error}") from error


class Arguments:
    """What a method takes from a client.

    Args:
        function: The method, as it was written.
        name: How errors call it: ``"ChatChannel.speak"``.
        place: Where its values come from: ``"params"`` or ``"data"``.

    Attributes:
        fields: Validates the fields that have parameters of their own; None when there are none.
        whole: Validates the whole message; None when no parameter takes it.
        defaults: The default values of fields, for the schema.

    Raises:
        CableConfigurationError: A parameter cannot come from a client.
    """

    __slots__ = ("_place", "defaults", "fields", "whole")

    def __init__(self, function: Callable[..., Any], *, name: str, place: str) -> None:
        self._place = place
        self.fields: TypeAdapter[Any] | None = None
        self.whole: TypeAdapter[Any] | None = None
        self.defaults: dict[str, Any] = {}
        hints = hints_of(function, name=name)
        found: dict[str, Any] = {}
        for parameter in list(inspect.signature(function).parameters.values())[1:]:
            _check(parameter, hints.get(parameter.name), name=name)
            hint = hints.get(parameter.name, Any)
            if place == WHOLE and parameter.name == WHOLE:
                self.whole = adapter_of(Mapping[str, Any] if hint is Any else hint, name=f"{name}({WHOLE})")
            elif parameter.default is _EMPTY:
                found[parameter.name] = hint
            else:
                found[parameter.name] = NotRequired[hint]
                self.defaults[parameter.name] = parameter.default
        if found:
            self.fields = adapter_of(_typed_dict(name, found), name=name)

    def read(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the method's arguments.

        Args:
            values: What the client sent; fields that no parameter names are ignored.

        Raises:
            RequestFailed: A value is missing or wrong; the message names it.
        """
        given = dict(values)
        try:
            read = {} if self.fields is None else dict(self.fields.validate_python(given))
            if self.whole is not None:
                read[WHOLE] = self.whole.validate_python(given)
        except ValidationError as error:
            raise invalid(error, place=self._place) from None
        return read


def _typed_dict(name: str, fields: dict[str, Any]) -> Any:
    # A typed dict, not a model: a parameter may have any name, and its default stays the function's.
    make: Any = TypedDict
    return make(name, fields)


def _check(parameter: inspect.Parameter, hint: Any, *, name: str) -> None:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    if parameter.kind not in kinds:
        raise CableConfigurationError(f"{name}: `{parameter}` cannot come from a client; name each parameter")
    if is_dependency(hint, parameter.default):
        raise CableConfigurationError(
            f"{name}({parameter.name}): a dependency is an attribute of the channel's class, "
            f"`{parameter.name}: Annotated[..., Depends(...)]`; parameters come from the client"
        )
    if isinstance(parameter.default, FieldInfo):
        raise CableConfigurationError(
            f"{name}({parameter.name}): write `{parameter.name}: Annotated[..., Field(...)]`, "
            "not a Field as the default"
        )
