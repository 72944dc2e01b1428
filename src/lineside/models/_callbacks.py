"""The moments of a record's life, and the decorators that put a method there.

Names and order are those of ActiveRecord's callbacks. A method whose name is one of the moments, for
instance ``before_save``, needs no decorator.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TypeVar, overload

from lineside.callbacks import Kind, declare

Moment = Literal["validation", "save", "create", "update", "destroy", "commit", "rollback"]
Action = Literal["create", "update", "destroy"]
Condition = str | Callable[[Any], object]

_Method = TypeVar("_Method", bound=Callable[..., Any])
_ALL_ACTIONS: Final[frozenset[str]] = frozenset({"create", "update", "destroy"})


class Decorator:
    """What `before_save` and its siblings are: ``@before_save``, or ``@before_save(if_="published")``.

    Args:
        kind: Before, after or around.
        moment: What it is before, after or around.
        on: The actions for which it runs.
    """

    def __init__(self, kind: Kind, moment: Moment, on: frozenset[str] = _ALL_ACTIONS) -> None:
        self._kind: Kind = kind
        self._moment: Moment = moment
        self._on = on

    def __repr__(self) -> str:
        return f"@{self._kind}_{self._moment}"

    @overload
    def __call__(self, method: _Method, /) -> _Method: ...
    @overload
    def __call__(
        self,
        /,
        *,
        on: Action | Iterable[Action] | None = None,
        if_: Condition | None = None,
        unless: Condition | None = None,
    ) -> Callable[[_Method], _Method]: ...

    def __call__(
        self,
        method: _Method | None = None,
        /,
        *,
        on: Action | Iterable[Action] | None = None,
        if_: Condition | None = None,
        unless: Condition | None = None,
    ) -> _Method | Callable[[_Method], _Method]:
        """Mark a method, sync or async; it takes ``self`` only. To refuse, raise.

        Args:
            method: The method, when the decorator stands without parentheses.
            on: Run for these actions only: ``"create"``, ``"update"``, ``"destroy"``.
            if_: The name of a method or attribute, or a function of the record: run only if it is true.
            unless: The same, to run only if it is false.
        """
        actions = self._on if on is None else frozenset({on} if isinstance(on, str) else on)
        mark = declare(self._kind, only=[self._moment], on=actions, if_=if_, unless=unless)
        return mark if method is None else mark(method)


before_validation = Decorator("before", "validation")
after_validation = Decorator("after", "validation")
before_save = Decorator("before", "save")
around_save = Decorator("around", "save")
after_save = Decorator("after", "save")
before_create = Decorator("before", "create")
around_create = Decorator("around", "create")
after_create = Decorator("after", "create")
before_update = Decorator("before", "update")
around_update = Decorator("around", "update")
after_update = Decorator("after", "update")
before_destroy = Decorator("before", "destroy")
around_destroy = Decorator("around", "destroy")
after_destroy = Decorator("after", "destroy")
after_commit = Decorator("after", "commit")
after_create_commit = Decorator("after", "commit", frozenset({"create"}))
after_update_commit = Decorator("after", "commit", frozenset({"update"}))
after_save_commit = Decorator("after", "commit", frozenset({"create", "update"}))
after_destroy_commit = Decorator("after", "commit", frozenset({"destroy"}))
after_rollback = Decorator("after", "rollback")

#: The names of methods that are callbacks without a decorator, with what they would be decorated with.
WELL_KNOWN: Final[dict[str, tuple[Kind, Moment, frozenset[str]]]] = {
    name: (decorator._kind, decorator._moment, decorator._on)
    for name, decorator in list(globals().items())
    if isinstance(decorator, Decorator)
}
