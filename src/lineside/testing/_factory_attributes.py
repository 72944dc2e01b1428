"""What may stand in the body of a factory, beside plain values."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from lineside.exceptions import ConfigurationError

if TYPE_CHECKING:
    from lineside.testing._factories import Factory

__all__ = ["Association", "Sequence", "Trait", "Transient", "Values"]

_MUTABLE: Final = (list, dict, set)


class Sequence:
    """A value that is another one each time (factory_bot's ``sequence``).

    Args:
        function: Takes the number.
        start: The first number.
    """

    def __init__(self, function: Callable[[int], Any] = lambda number: number, *, start: int = 1) -> None:
        self._function = function
        self._start = start
        self.rewind()

    def __call__(self) -> Any:
        """Return the next value."""
        return self._function(next(self._numbers))

    def rewind(self) -> None:
        """Begin again."""
        self._numbers = count(self._start)


class Association:
    """A related record, made by its own factory (factory_bot's ``association``).

    It is left out when a test gives the related record itself, or its foreign key.

    Args:
        factory: The factory, or a function that returns it, for one that is written further below.
        traits: Traits of that factory.
        overrides: Attributes of the related record.
    """

    def __init__(
        self, factory: "type[Factory[Any]] | Callable[[], type[Factory[Any]]]", *traits: str, **overrides: Any
    ) -> None:
        self._factory = factory
        self.traits = traits
        self.overrides = overrides

    @property
    def factory(self) -> "type[Factory[Any]]":
        """The factory."""
        return self._factory if isinstance(self._factory, type) else self._factory()


class Trait:
    """Attributes under a name, taken by ``PostFactory.build("published")``.

    Args:
        attributes: What may stand in the body of the factory.
    """

    def __init__(self, **attributes: Any) -> None:
        self.attributes = attributes


class Transient:
    """A value for other attributes and for hooks, which the record itself does not get.

    Args:
        default: What it is unless a test gives another.
    """

    def __init__(self, default: Any = None) -> None:
        self.default = default


class Values:
    """The attributes of one record while it is made; each is worked out when it is first asked for.

    Args:
        definitions: What the factory, its traits and the test say.
        associated: Makes a related record.
    """

    def __init__(self, definitions: Mapping[str, Any], associated: Callable[[Association], Any]) -> None:
        self._definitions = definitions
        self._associated = associated
        self._known: dict[str, Any] = {}
        self._under_way: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name in self._known:
            return self._known[name]
        if name not in self._definitions:
            raise AttributeError(
                f"the factory says nothing of {name!r}; it has {', '.join(sorted(self._definitions))}"
            )
        if name in self._under_way:
            raise ConfigurationError(f"{' needs '.join([*self._under_way, name])}: a factory cannot go round")
        self._under_way.append(name)
        try:
            value = self._known[name] = self._work_out(self._definitions[name])
        finally:
            self._under_way.pop()
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._definitions)

    def _work_out(self, definition: Any) -> Any:
        if isinstance(definition, Given):
            return definition.value
        if isinstance(definition, Transient):
            return self._work_out(definition.default)
        if isinstance(definition, Association):
            return self._associated(definition)
        if callable(definition):
            return definition(self) if _takes_values(definition) else definition()
        # Two records must not share a list.
        return deepcopy(definition) if isinstance(definition, _MUTABLE) else definition


class Given:
    """A value as a test gave it: never called, never copied."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def _takes_values(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return False  # some builtins do not say what they take
    return any(
        parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        for parameter in parameters
    )
