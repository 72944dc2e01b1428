"""The moments of a record's life, and the decorators that put a method there.

Names and order are those of ActiveRecord's callbacks. A method whose name is one of the moments, for
instance ``before_save``, needs no decorator.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TypeVar, overload

from lineside.callbacks import Kind, declare
from lineside.exceptions import CallbackError

Moment = Literal["validation", "save", "create", "update", "destroy", "commit", "rollback"]
Action = Literal["create", "update", "destroy"]
Condition = str | Callable[[Any], object]

_Method = TypeVar("_Method", bound=Callable[..., Any])
_ALL_ACTIONS: Final[frozenset[str]] = frozenset({"create", "update", "destroy"})


def check_method(given: object, decorator: str) -> None:
    """Refuse what is no method: a name, as in Rails, a class, or a method that takes no ``self``.

    Args:
        given: What was decorated.
        decorator: How the decorator is written.

    Raises:
        CallbackError: Says where to put it.
    """
    if not inspect.isfunction(given):
        shown = given.__name__ if isinstance(given, type) else repr(given)
        raise CallbackError(
            f"{decorator} was given {shown}: put it on the method, above its `def` line, which takes `self`"
        )


class Decorator:
    """What `before_save` and its siblings are: ``@before_save``, or ``@before_save(if_="published")``.

    Args:
        kind: Before, after or around.
        moment: What it is before, after or around.
        on: The actions for which it runs.
    """

    def __init__(self, kind: Kind, moment: Moment, on: frozenset[str] = _ALL_ACTIONS) -> None:
        self.kind: Kind = kind
        self.moment: Moment = moment
        self.on = on

    def __repr__(self) -> str:
        return f"@{self.kind}_{self.moment}"

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

        Raises:
            CallbackError: It is given something else than a method, for instance a name.
        """
        actions = self.on if on is None else frozenset({on} if isinstance(on, str) else on)
        mark = declare(self.kind, only=[self.moment], on=actions, if_=if_, unless=unless)

        def marked(given: _Method) -> _Method:
            check_method(given, repr(self))
            return mark(given)

        return marked if method is None else marked(method)


before_validation: Decorator = Decorator("before", "validation")
"""Before the validations of a save."""
after_validation: Decorator = Decorator("after", "validation")
"""After the validations of a save."""
before_save: Decorator = Decorator("before", "save")
"""Before a row is created or updated."""
around_save: Decorator = Decorator("around", "save")
"""Around the creation or the update of a row."""
after_save: Decorator = Decorator("after", "save")
"""After a row was created or updated, inside the transaction."""
before_create: Decorator = Decorator("before", "create")
"""Before a row is created."""
around_create: Decorator = Decorator("around", "create")
"""Around the creation of a row."""
after_create: Decorator = Decorator("after", "create")
"""After a row was created, inside the transaction."""
before_update: Decorator = Decorator("before", "update")
"""Before a row is updated."""
around_update: Decorator = Decorator("around", "update")
"""Around the update of a row."""
after_update: Decorator = Decorator("after", "update")
"""After a row was updated, inside the transaction."""
before_destroy: Decorator = Decorator("before", "destroy")
"""Before a row is deleted."""
around_destroy: Decorator = Decorator("around", "destroy")
"""Around the deletion of a row."""
after_destroy: Decorator = Decorator("after", "destroy")
"""After a row was deleted, inside the transaction."""
after_commit: Decorator = Decorator("after", "commit")
"""After the transaction that wrote the row is committed; once for each record."""
after_create_commit: Decorator = Decorator("after", "commit", frozenset({"create"}))
"""After the transaction that created the row is committed."""
after_update_commit: Decorator = Decorator("after", "commit", frozenset({"update"}))
"""After the transaction that updated the row is committed."""
after_save_commit: Decorator = Decorator("after", "commit", frozenset({"create", "update"}))
"""After the transaction that created or updated the row is committed."""
after_destroy_commit: Decorator = Decorator("after", "commit", frozenset({"destroy"}))
"""After the transaction that deleted the row is committed."""
after_rollback: Decorator = Decorator("after", "rollback")
"""After the transaction or savepoint that wrote the row was rolled back."""

#: The names of methods that are callbacks without a decorator, with what they would be decorated with.
WELL_KNOWN: Final[dict[str, tuple[Kind, Moment, frozenset[str]]]] = {
    name: (decorator.kind, decorator.moment, decorator.on)
    for name, decorator in list(globals().items())
    if isinstance(decorator, Decorator)
}
