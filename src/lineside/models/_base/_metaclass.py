"""What makes a record's class: any name may be a column's, also one that a method has."""

import re
import warnings
from collections.abc import Callable, Mapping
from inspect import getattr_static
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast, dataclass_transform, get_origin

from pydantic_core import PydanticUndefined
from sqlmodel import Field, SQLModel
from sqlmodel._compat import get_annotations
from sqlmodel.main import FieldInfo, SQLModelMetaclass

from lineside.exceptions import ConfigurationError
from lineside.models._relation._query import Query
from lineside.models._relation._scopes import scope
from lineside.models._relation._words import near

MethodT = TypeVar("MethodT", bound=Callable[..., Any])
# What a class says of itself, or what is looked for there by this name.
_TAKEN: Final = frozenset({"In", "Out", "Patch", "expose", "metadata", "permit", "sync"})
_METHODS: Final = (FunctionType, classmethod, staticmethod, property)
_CLASS_VAR: Final = re.compile(r"(\w+\.)?(Annotated\[(\w+\.)?)?ClassVar\b")


# Type checkers ask the metaclass itself, not those that it derives from.
@dataclass_transform(kw_only_default=True, field_specifiers=(Field, FieldInfo))
class RecordMeta(SQLModelMetaclass):
    """The class of `Record` and of every model."""

    def __new__(
        cls, name: str, bases: tuple[type[Any], ...], class_dict: dict[str, Any], **kwargs: Any
    ) -> Any:
        """Make a class, in which an annotated name is a column even where a method has that name.

        Raises:
            ConfigurationError: A column has a name that means something else in every model.
        """
        annotated = _annotated(class_dict)
        if taken := _TAKEN & annotated:
            raise ConfigurationError(
                f"{name}.{min(taken)}: no column can have this name, which every model uses itself; "
                f'take another one, as in Field(sa_column=Column("{min(taken)}", ...)), '
                "or write ClassVar[...] if it is no column"
            )
        _keep_scopes(class_dict, kwargs)
        hidden = hidden_names(bases, annotated)
        with warnings.catch_warnings():
            if hidden:
                named = "|".join(map(re.escape, sorted(hidden)))
                warnings.filterwarnings("ignore", rf'Field name "({named})" in .* shadows an attribute')
            made: Any = super().__new__(cls, name, bases, class_dict, **kwargs)
        for field in hidden:
            if vars(made).get(field) is PydanticUndefined:
                type.__delattr__(made, field)
        return made

    if not TYPE_CHECKING:  # a checker would take any name for an attribute

        def __getattr__(cls, name: str) -> Any:
            """Say where a word is to be found that a class has not."""
            if name.startswith("_"):  # SQLAlchemy asks for some of its own at every query
                return super().__getattr__(name)
            member = getattr_static(cls, name, None)
            if hasattr(member, "__get__"):
                return member.__get__(None, cls)  # it has raised, and pydantic's own error would say less
            try:
                return super().__getattr__(name)
            except AttributeError:
                raise AttributeError(_unknown(cls, name), name=name, obj=cls) from None


def hide_methods(model: type[Any]) -> None:
    """Hide methods behind the columns of a class that is being made.

    pydantic takes what it finds under a field's name for the field's default, and looks for it now.
    """
    for name in hidden_names(model.__bases__, _annotated(vars(model))) - vars(model).keys():
        type.__setattr__(model, name, PydanticUndefined)


def method_of(record: object, method: MethodT) -> MethodT:
    """Return a method of a record: what its class makes of it, or ours where a column hides it."""
    found: Any = getattr(type(record), method.__name__, None)
    return method if not isinstance(found, FunctionType) else cast("MethodT", found)


def hidden_names(bases: tuple[type[Any], ...], annotated: set[str]) -> set[str]:
    """Return the columns of a class that have the names of methods of its bases.

    Args:
        bases: The bases.
        annotated: The columns that the class itself declares.
    """
    inherited = {field for base in bases for field in getattr(base, "model_fields", ())}
    return {field for field in annotated | inherited if _is_method(bases, field)}


def _annotated(class_dict: Mapping[str, Any]) -> set[str]:
    """Return the names that a class body declares as fields."""
    annotations = get_annotations(dict(class_dict))
    return {
        name
        for name, annotation in annotations.items()
        if not name.startswith("_") and not _is_class_var(annotation)
    }


def _is_class_var(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return _CLASS_VAR.match(annotation) is not None
    return annotation is ClassVar or get_origin(annotation) is ClassVar


def _is_method(bases: tuple[type[Any], ...], name: str) -> bool:
    """Tell whether a name is that of a method or property; those of SQLModel are its own affair."""
    found = (getattr_static(base, name, None) for base in bases)
    return not hasattr(SQLModel, name) and any(isinstance(each, _METHODS) for each in found)


def _keep_scopes(class_dict: dict[str, Any], kwargs: dict[str, Any]) -> None:
    """Let scopes be no fields, whatever else a class wants ignored."""
    for config in (kwargs, class_dict.get("model_config")):
        if config is not None and "ignored_types" in config:
            config["ignored_types"] = (*config["ignored_types"], scope)


def _unknown(model: type, name: str) -> str:
    if hasattr(Query, name):
        return f"{model.__name__} has no {name!r} itself; write {model.__name__}.query().{name}(...)"
    word = near(name, dir(model))
    return f"{model.__name__} has no {name!r}" + (f"; write {model.__name__}.{word}" if word else "")
