"""``Post.In``, ``Post.Patch`` and ``Post.Out``: what a record takes from outside, and what it shows."""

from collections.abc import Callable, Iterator, Sequence
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias, cast

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema
from sqlalchemy import inspect
from sqlmodel import SQLModel

from lineside.exceptions import ConfigurationError
from lineside.models._association._lazy import require_loaded
from lineside.models._exceptions import NotDeclaredError
from lineside.models._per_class import keep_on
from lineside.models._schema._schemas import (
    input_schema,
    named,
    output_schema,
    patch_schema,
    relationship_names,
    shown_fields,
)
from lineside.models._secret_fields import FILTERED, looks_secret

# Derived on first use, which two threads may come to at once.
_lock: Final = RLock()
_under_way: Final[list[type]] = []


class _SchemaDoor:
    """A descriptor: a schema of the class, derived when it is first asked for.

    Args:
        derive: Derives it from the class.
    """

    def __init__(self, derive: Callable[[Any], type[BaseModel]]) -> None:
        self._derive = derive

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, record: object, owner: type[Any]) -> type[BaseModel]:
        """Return the schema of a class.

        Raises:
            ConfigurationError: What the class declares gives none; it is an ``AttributeError``, too.
        """
        key = f"__lineside_{self._name}__"
        with _lock:
            known: type[BaseModel] | None = owner.__dict__.get(key)
            if known is None:
                known = self._derived(owner)
                keep_on(owner, key, known)
        return known

    def _derived(self, owner: type[Any]) -> type[BaseModel]:
        if inspect(owner, raiseerr=False) is None:
            raise NotDeclaredError(
                f"{owner.__name__}.{self._name}: {owner.__name__} is no table; "
                "add table=True to its class line"
            )
        try:
            return self._derive(owner)
        except ConfigurationError as error:
            raise NotDeclaredError(error.message) from error


def _exposed(record: Any, dump: Callable[[Any], Any], info: Any) -> Any:
    require_loaded(record, info)
    dumped = dump(record)
    if info.mode != "json" or not isinstance(dumped, dict):
        return dumped
    hidden = _hidden(type(record))
    return {name: value for name, value in dumped.items() if name not in hidden}


def _hidden(model: type[Any]) -> frozenset[str]:
    shown = shown_fields(model) if model.expose is None else named(model, "expose")
    return frozenset(model.model_fields.keys() - set(shown))


if TYPE_CHECKING:

    class Shown(SQLModel):
        """What a checker takes for ``Post.Out``; FastAPI makes it of a record, so that a record will do."""

        def __init__(self, **values: Any) -> None: ...

    _Base = Shown
else:
    _Base = SQLModel


class Schemas(_Base):
    """The schemas of a record, as types for FastAPI: ``async def create(data: Post.In)``.

    Attributes:
        permit: The fields that may be set from outside (as Rails' strong parameters). Default: none.
        expose: What goes out: fields, and relationships and properties that are named here. Default: all
            fields whose names do not look secret.
    """

    permit: ClassVar[Sequence[str]] = ()
    expose: ClassVar[Sequence[str] | None] = None

    if TYPE_CHECKING:
        # What a checker sees; it cannot know what is derived when the program runs.

        class In(BaseModel):
            """What creating takes: the permitted fields and nothing else."""

            def __init__(self, **values: Any) -> None: ...
            def __getattr__(self, name: str) -> Any: ...

        class Patch(BaseModel):
            """What updating takes: the permitted fields, none required; only those that are sent count."""

            def __init__(self, **values: Any) -> None: ...
            def __getattr__(self, name: str) -> Any: ...

        # mypy takes every SQLModel for a dataclass, which could not have this when the program runs.
        Out: TypeAlias = Shown  # type: ignore[misc]

    else:
        In: ClassVar[_SchemaDoor] = _SchemaDoor(lambda model: _input_of(model))
        Patch: ClassVar[_SchemaDoor] = _SchemaDoor(lambda model: _patch_of(model))
        Out: ClassVar[_SchemaDoor] = _SchemaDoor(lambda model: _output_of(model))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        if not cls.__dict__.get("__pydantic_complete__", False):
            # The class itself is being made. Its JSON has what it exposes; a serializer of one's own wins.
            ours = core_schema.wrap_serializer_function_ser_schema(_exposed, info_arg=True)
            return cast("CoreSchema", {"serialization": ours, **schema})
        if cls.model_config.get("table") is not True:
            return schema
        # A table where FastAPI or another model looks for a value: SQLModel would set every column, unseen.
        # Whether it is a body or an answer, which needs no permit, is not known before there is a value.
        permitted: Any = cls.In if cls.permit else input_schema(cls, (), is_checked_on_save=True)

        def from_outside(value: Any, validate: Callable[[Any], Any]) -> Any:
            if isinstance(value, cls):
                return value
            if not cls.permit:
                _input_of(cls)  # says what to write; a 422 for whatever is sent would blame the client
            return cls(**_sent(validate(value)))

        inward = core_schema.no_info_wrap_validator_function(from_outside, handler.generate_schema(permitted))
        return core_schema.chain_schema([inward, schema])

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        described = handler(schema)
        if handler.mode == "serialization" and cls.model_config.get("table") is True:
            whole = handler.resolve_ref_schema(described)
            for name in _hidden(cls):
                whole.get("properties", {}).pop(name, None)
                if name in whole.get("required", ()):
                    whole["required"].remove(name)
        return described

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:  # type: ignore[override]
        # An error or a log line is not the place to read a secret (as Rails' filter_attributes).
        for name, value in super().__repr_args__():
            yield name, FILTERED if name is not None and looks_secret(name) else value


def _input_of(model: type[Schemas]) -> type[BaseModel]:
    permit = named(model, "permit")
    if not permit:
        raise ConfigurationError(
            f"{model.__name__}.In: name the fields that may be set from outside, in the class: "
            'permit = ("title", ...)'
        )
    return input_schema(model, permit, is_checked_on_save=True)


def _patch_of(model: type[Schemas]) -> type[BaseModel]:
    return patch_schema(model.In, name=f"{model.__name__}Patch")


def _output_of(model: type[Schemas]) -> type[BaseModel]:
    if model in _under_way:
        path = " -> ".join(each.__name__ for each in (*_under_way, model))
        raise ConfigurationError(f"{path}: these expose each other without end; leave one out of expose")
    _under_way.append(model)
    try:
        expose = named(model, "expose") if model.expose is not None else None
        related = relationship_names(model).intersection(expose or ())
        targets = {name: inspect(model).relationships[name].mapper.class_ for name in related}
        nested = {name: target.Out for name, target in targets.items() if issubclass(target, Schemas)}
        return output_schema(model, expose, nested)
    finally:
        _under_way.remove(model)


def _sent(data: BaseModel) -> dict[str, Any]:
    return {name: getattr(data, name) for name in data.model_fields_set}
