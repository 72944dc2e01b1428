"""What a class declares: its callbacks in order, their filters, and what it skips."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self, TypeVar

from lineside.callbacks._adapt import adapted
from lineside.exceptions import CallbackError

Kind = Literal["before", "after", "around"]
_Function = TypeVar("_Function", bound=Callable[..., Any])
_MARKS = "__lineside_callbacks__"


@dataclass(frozen=True, slots=True)
class Callback:
    """One callback of a class: what runs, when, and for which events.

    Attributes:
        kind: ``"before"``, ``"after"`` or ``"around"``.
        name: The method's name; a subclass that overrides the method takes its place.
        function: A function that stands for itself; None for a method of the class.
        only: The events it runs for; None means all.
        except_: The events it does not run for.
        options: What the declaring concept adds, for instance OpenAPI responses.
    """

    kind: Kind
    name: str
    function: Callable[..., Any] | None = None
    only: frozenset[str] | None = None
    except_: frozenset[str] = frozenset()
    options: dict[str, Any] = field(default_factory=dict[str, Any], compare=False)

    def applies_to(self, event: str) -> bool:
        """Tell whether it runs for this event."""
        return event not in self.except_ and (self.only is None or event in self.only)

    def without(self, skip: "Skip") -> "Callback | None":
        """Return it with the skipped events taken away, or None when nothing is left."""
        if skip.only is not None:
            return replace(self, except_=self.except_ | (skip.only - skip.except_))
        if skip.except_:
            left = skip.except_ if self.only is None else self.only & skip.except_
            return replace(self, only=left)
        return None

    def target(self, owner: type) -> Callable[..., Any]:
        """Return the function as it was written: its own, or the method of ``owner``."""
        function: Callable[..., Any] = self.function or getattr(owner, self.name)
        return function

    def label(self, owner: type) -> str:
        """Name it for people: a method with its class, a function alone."""
        return f"{owner.__name__}.{self.name}" if self.function is None else self.name

    def bound_to(self, owner: type) -> Callable[..., Any]:
        """Return an async callable ``(receiver, ...)`` for ``owner``.

        Raises:
            CallbackError: An around is not a generator, or a before or after is one.
        """
        function = self.target(owner)
        is_generator = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
        if is_generator != (self.kind == "around"):
            raise CallbackError(
                f"{owner.__name__}.{self.name}: an around callback is a generator with one `yield`, "
                f"a before or after callback has none (declared as {self.kind!r})"
            )
        call = adapted(function)
        if self.kind == "after" and not _takes_result(function, is_method=self.function is None):
            call = _ignoring_result(call, is_method=self.function is None)
        return call if self.function is None else _without_receiver(call)


def _takes_result(function: Callable[..., Any], *, is_method: bool) -> bool:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return len([p for p in parameters if p.kind in positional]) > int(is_method)


def _ignoring_result(call: Callable[..., Any], *, is_method: bool) -> Callable[..., Any]:
    if is_method:

        async def without_result(receiver: object, _result: object) -> Any:
            return await call(receiver)

        return without_result

    async def alone(_result: object) -> Any:
        return await call()

    return alone


def _without_receiver(call: Callable[..., Any]) -> Callable[..., Any]:
    def without_receiver(_receiver: object, *args: Any, **values: Any) -> Any:
        return call(*args, **values)

    return without_receiver


@dataclass(frozen=True, slots=True)
class Skip:
    """A wish of a subclass not to run an inherited callback for some or all events."""

    kind: Kind
    name: str
    only: frozenset[str] | None = None
    except_: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, kind: Kind, name: str, *, only: Iterable[str] | None = None, except_: Iterable[str] = ()
    ) -> Self:
        """Make one from filters as users write them."""
        return cls(kind, name, _names(only), _names(except_) or frozenset())


def declare(
    kind: Kind,
    *,
    only: Iterable[str] | None = None,
    except_: Iterable[str] = (),
    **options: Any,
) -> Callable[[_Function], _Function]:
    """Mark a method as a callback; `Callbacks.of` collects the marks of a class.

    Args:
        kind: When it runs.
        only: The events it runs for; None means all.
        except_: The events it does not run for.
        options: Kept on the `Callback` for the declaring concept.

    Returns:
        A decorator that returns the same function.
    """

    def mark(function: _Function) -> _Function:
        callback = Callback(
            kind, function.__name__, None, _names(only), _names(except_) or frozenset(), options
        )
        setattr(function, _MARKS, (*getattr(function, _MARKS, ()), callback))
        return function

    return mark


def _marks(member: object) -> tuple[Callback, ...]:
    # Only functions are marked; a class attribute may be anything, also an object with any attribute.
    return getattr(member, _MARKS, ()) if inspect.isfunction(member) else ()


def _names(given: Iterable[str] | None) -> frozenset[str] | None:
    """Return a filter as a set; one name may stand without a list."""
    if isinstance(given, str):
        return frozenset({given})
    return None if given is None else frozenset(given)


@dataclass(frozen=True, slots=True)
class Planned:
    """A callback with the async callable that runs for it.

    Attributes:
        callback: What was declared.
        call: What runs, with the receiver as its first argument.
        label: How errors name it, for instance ``"PostsController.require_key (before 'show')"``.
    """

    callback: Callback
    call: Callable[..., Any]
    label: str


@dataclass(frozen=True, slots=True)
class Callbacks:
    """The callbacks of one class in the order of declaration; every change returns a new one."""

    entries: tuple[Callback, ...] = ()

    @classmethod
    def of(cls, owner: type) -> Self:
        """Collect the callbacks that ``owner`` and its bases declare, bases first."""
        collected = cls()
        for base in reversed(owner.__mro__):
            for callback in cls.declared_in(base):
                collected = collected.append(callback)
        return collected

    @staticmethod
    def declared_in(owner: type) -> tuple[Callback, ...]:
        """Return what the body of ``owner`` itself declares, in order."""
        # A function may stand in the class under another name than its own.
        return tuple(
            replace(callback, name=name)
            for name, member in vars(owner).items()
            for callback in _marks(member)
        )

    @staticmethod
    def declares(member: object) -> bool:
        """Tell whether a class member is marked as a callback."""
        return bool(_marks(member))

    def append(self, callback: Callback) -> Self:
        """Add at the end; an earlier one of the same kind and name gives way."""
        kept = tuple(c for c in self.entries if (c.kind, c.name) != (callback.kind, callback.name))
        return type(self)((*kept, callback))

    def merge(self, others: "Callbacks") -> Self:
        """Add those of another base; one that two bases share keeps its place, as the latter has it."""
        theirs = {(c.kind, c.name): c for c in others.entries}
        kept = tuple(theirs.pop((c.kind, c.name), c) for c in self.entries)
        return type(self)((*kept, *theirs.values()))

    def skip(self, skip: Skip) -> Self:
        """Take a callback away for some or all events.

        Raises:
            CallbackError: No callback of that kind has this name.
        """
        names = sorted(c.name for c in self.entries if c.kind == skip.kind)
        if skip.name not in names:
            raise CallbackError(f"cannot skip {skip.name!r}: the {skip.kind} callbacks are {names}")
        hit = [c.without(skip) if (c.kind, c.name) == (skip.kind, skip.name) else c for c in self.entries]
        return type(self)(tuple(c for c in hit if c is not None))

    def applying_to(self, event: str, owner: type) -> tuple[Planned, ...]:
        """Plan the callbacks of one event: filters decided, functions looked up and adapted."""
        return tuple(
            Planned(c, c.bound_to(owner), f"{c.label(owner)} ({c.kind} {event!r})")
            for c in self.entries
            if c.applies_to(event)
        )

    def check(self, known: Iterable[str], owner: str) -> None:
        """Refuse a filter that names an event that does not exist.

        Raises:
            CallbackError: Names the callback, the unknown events and the known ones.
        """
        allowed = frozenset(known)
        for callback in self.entries:
            unknown = ((callback.only or frozenset()) | callback.except_) - allowed
            if unknown:
                raise CallbackError(
                    f"{owner}: {callback.kind} callback {callback.name!r} names unknown "
                    f"{sorted(unknown)}; known: {sorted(allowed)}"
                )
