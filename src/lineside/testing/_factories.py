"""Factories: records for tests, each with what a test says and the rest by itself."""

import inspect
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, NamedTuple, TypeVar, get_args, get_origin

from lineside.exceptions import CallbackError, ConfigurationError
from lineside.testing._factory_attributes import Association, Given, Sequence, Trait, Transient, Values
from lineside.testing._factory_random import RandomValues

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from lineside.models import AnySession

__all__ = ["Factory"]

_Record = TypeVar("_Record")
_KINDS: Final = (classmethod, staticmethod, property)


class _Built(NamedTuple):
    factory: "type[Factory[Any]]"
    record: Any
    values: Values


class Factory(Generic[_Record]):
    """Makes records of a model (as factory_bot's factories): ``class PostFactory(Factory[Post])``.

    The body gives attributes their values: a plain value, a `Sequence`, an `Association`, or a function,
    which takes nothing or the other `Values`. A required column that is not defined gets a random value
    that is valid as far as its type and its rules can tell; a foreign key never does.
    """

    _model: ClassVar[Any] = None
    _definitions: ClassVar[dict[str, Any]] = {}
    _traits: ClassVar[dict[str, Trait]] = {}
    _random: ClassVar[RandomValues | None] = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._random = None
        for base in cls.__dict__.get("__orig_bases__", ()):
            model = next(iter(get_args(base)), None)
            if isinstance(get_origin(base), type) and isinstance(model, type):
                cls._model = model
        declared = {name: value for name, value in vars(cls).items() if _is_declared(name, value)}
        traits = {name: value for name, value in declared.items() if isinstance(value, Trait)}
        cls._traits = {**cls._traits, **traits}
        cls._definitions = {
            **{name: value for name, value in cls._definitions.items() if name not in traits},
            **{name: value for name, value in declared.items() if name not in traits},
        }
        cls._check_names(cls._definitions)
        for trait in traits.values():
            cls._check_names(trait.attributes)

    @classmethod
    def build(cls, *traits: str, **overrides: Any) -> _Record:
        """Make a record without saving it.

        Args:
            traits: Names of traits; a later one goes before an earlier one.
            overrides: Attributes, which go before everything else.

        Raises:
            UnknownAttributeError: An override is no attribute.
            ConfigurationError: There is no such trait.
        """
        record: _Record = cls._assemble(traits, overrides, []).record
        return record

    @classmethod
    def build_list(cls, size: int, /, *traits: str, **overrides: Any) -> list[_Record]:
        """Make several records without saving them; see `build`."""
        return [cls.build(*traits, **overrides) for _ in range(size)]

    @classmethod
    def attributes_for(cls, *traits: str, **overrides: Any) -> dict[str, Any]:
        """Return the attributes of a record that is not made, for the body of a request.

        Related records are left out; see `build`.
        """
        definitions = cls._defined(traits, overrides)
        related = {name for name, value in definitions.items() if isinstance(value, Association)}
        return cls._attributes(Values(definitions, lambda _association: None), leave_out=related)

    @classmethod
    async def create(cls, *traits: str, session: "AnySession | None" = None, **overrides: Any) -> _Record:
        """Make a record and save it, with the records it is associated with.

        Args:
            traits: As for `build`.
            session: The session to use; default: the ambient one.
            overrides: As for `build`.

        Raises:
            RecordInvalid: The record, or an associated one, breaks its validations.
            UnknownAttributeError: An override is no attribute.
            NoSessionError: There is no session.
        """
        return (await cls.create_list(1, *traits, session=session, **overrides))[0]

    @classmethod
    async def create_list(
        cls, size: int, /, *traits: str, session: "AnySession | None" = None, **overrides: Any
    ) -> list[_Record]:
        """Make and save several records in one flush; see `create`."""
        from lineside.models import current_session, use_session
        from lineside.models._connection._ambient import run

        found = session or current_session(f"{cls.__name__}.create()")
        made: list[_Built] = []
        records = [cls._assemble(traits, overrides, made).record for _ in range(size)]
        await run(lambda sync: _save(sync, made), found, "create")
        with use_session(found):
            for built in made:
                result = built.factory.after_create(built.record, built.values)
                if inspect.isawaitable(result):
                    await result
        return records

    @classmethod
    def create_sync(cls, *traits: str, session: "Session | None" = None, **overrides: Any) -> _Record:
        """Make a record and save it in a sync session; see `create`.

        Raises:
            CallbackError: An ``after_create`` is async.
        """
        return cls.create_list_sync(1, *traits, session=session, **overrides)[0]

    @classmethod
    def create_list_sync(
        cls, size: int, /, *traits: str, session: "Session | None" = None, **overrides: Any
    ) -> list[_Record]:
        """Make and save several records in a sync session; see `create`.

        Raises:
            CallbackError: An ``after_create`` is async.
        """
        from lineside.models import use_session
        from lineside.models._connection._ambient import current_sync_session

        found = session or current_sync_session(f"{cls.__name__}.create_sync()")
        made: list[_Built] = []
        records = [cls._assemble(traits, overrides, made).record for _ in range(size)]
        _save(found, made)
        with use_session(found):
            for built in made:
                result = built.factory.after_create(built.record, built.values)
                if inspect.iscoroutine(result):
                    result.close()
                    raise CallbackError(
                        f"{built.factory.__name__}.after_create is async; await {cls.__name__}.create(), "
                        "or write it with `def`"
                    )
        return records

    @classmethod
    def after_build(cls, record: _Record, values: Values) -> None:
        """Do something with a record that was made; for subclasses.

        Args:
            record: The record, not saved.
            values: What it was made of, transient values included.
        """

    @classmethod
    def after_create(cls, record: _Record, values: Values) -> Any:
        """Do something with a record that was saved; for subclasses, also as ``async def``.

        Args:
            record: The record, with its key.
            values: What it was made of, transient values included.
        """

    @classmethod
    def rewind(cls) -> None:
        """Begin the sequences and the random values again (factory_bot's ``rewind_sequences``)."""
        cls._random = None
        for definition in cls._definitions.values():
            if isinstance(definition, Sequence):
                definition.rewind()

    @classmethod
    def _assemble(cls, traits: tuple[str, ...], overrides: dict[str, Any], made: list[_Built]) -> _Built:
        def associated(association: Association) -> Any:
            return association.factory._assemble(association.traits, association.overrides, made).record

        values = Values(cls._defined(traits, overrides), associated)
        built = _Built(cls, cls._model(**cls._attributes(values)), values)
        cls.after_build(built.record, values)
        # After those it is associated with: they are saved before it, and have their hooks before it.
        made.append(built)
        return built

    @classmethod
    def _defined(cls, traits: tuple[str, ...], overrides: dict[str, Any]) -> dict[str, Any]:
        if cls._model is None:
            raise ConfigurationError(
                f"{cls.__name__} has no model: write `class {cls.__name__}(Factory[Post])`"
            )
        cls._check_names(overrides)
        if cls._random is None:
            cls._random = RandomValues(cls._model, f"{cls.__module__}.{cls.__qualname__}")
        definitions = {name: Given(value) for name, value in cls._random.all().items()}
        definitions.update(cls._definitions)
        for name in traits:
            if name not in cls._traits:
                known = ", ".join(sorted(cls._traits)) or "none"
                raise ConfigurationError(f"{cls.__name__} has no trait {name!r}; it has: {known}")
            definitions.update(cls._traits[name].attributes)
        given = {
            name: value if isinstance(value, Association) else Given(value)
            for name, value in overrides.items()
        }
        for name in [name for name, value in definitions.items() if isinstance(value, Association)]:
            if given.keys() & _foreign_keys(cls._model, name):
                del definitions[name]
        return {**definitions, **given}

    @classmethod
    def _attributes(cls, values: Values, leave_out: set[str] | None = None) -> dict[str, Any]:
        hidden = {name for name, value in cls._definitions.items() if isinstance(value, Transient)}
        return {name: getattr(values, name) for name in values if name not in hidden | (leave_out or set())}

    @classmethod
    def _check_names(cls, names: dict[str, Any]) -> None:
        if cls._model is None:
            return
        from lineside.models import UnknownAttributeError
        from lineside.models._base._assignment import attribute_names

        transient = {name for name, value in cls._definitions.items() if isinstance(value, Transient)}
        known = attribute_names(cls._model) | transient
        for name in names:
            if name not in known:
                raise UnknownAttributeError(cls._model.__name__, name, known=known)


def _is_declared(name: str, value: Any) -> bool:
    return not name.startswith("_") and not isinstance(value, _KINDS)


def _foreign_keys(model: Any, relationship: str) -> set[str]:
    from sqlalchemy import inspect

    mapper = inspect(model)
    return {
        mapper.get_property_by_column(column).key
        for column in mapper.relationships[relationship].local_columns
        if column.foreign_keys
    }


def _save(session: "Session", made: list[_Built]) -> None:
    records = [built.record for built in made]
    session.add_all(records)
    try:
        session.flush()
    except BaseException:
        # As a record that `save` refuses: a later commit writes nothing of it.
        for record in records:
            if record in session.new:
                session.expunge(record)
        raise
