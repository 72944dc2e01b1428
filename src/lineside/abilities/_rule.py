"""One line of a definition: what it grants or takes away, when it applies, where it was written."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import PurePath
from types import CodeType
from typing import Any, Final

from lineside.abilities._conditions import conditions_match
from lineside.exceptions import ConfigurationError

ALL: Final = "all"
"""The subject that stands for every subject."""

MANAGE: Final = "manage"
"""The action that stands for every action."""

Test = Callable[[Any], bool | None]
"""A compiled expression: True, False, or None where SQL says NULL."""


def subject_name(subject: object) -> str:
    """Return the name a person would use: a class's name, or the string itself."""
    if isinstance(subject, str):
        return subject
    return subject.__name__ if isinstance(subject, type) else type(subject).__name__


def answer(outcome: object, *, of: object) -> bool:
    """Return what a rule's function decided.

    Args:
        outcome: What the function returned.
        of: The rule, for the message.

    Raises:
        ConfigurationError: The function is async: its coroutine would be true for everybody.
    """
    if outcome is True or outcome is False:
        return outcome
    if inspect.isawaitable(outcome):
        if inspect.iscoroutine(outcome):
            outcome.close()  # it will never be awaited, and Python would warn about that
        raise ConfigurationError(f"{of}: the function is async; load what it needs first and use a plain def")
    return bool(outcome)


def place_of(code: CodeType, instruction: int) -> str:
    """Return where an instruction was written, as in ``abilities.py:12``."""
    lines = (line for start, end, line in code.co_lines() if start <= instruction < end)
    # The file's name alone: a path of the server is nobody's business in a message.
    return f"{PurePath(code.co_filename).name}:{next(lines, None) or code.co_firstlineno}"


class Rule:
    """A ``can`` or ``cannot`` for one subject. Read-only; ``str(rule)`` names it without its values.

    Attributes:
        allow: True for ``can``, False for ``cannot``.
        actions: The actions as they were written.
        subject: A class, a name, or ``"all"``.
        conditions: Attribute values that must match.
        expressions: SQLAlchemy expressions that must be true.
        when: A function that must return true.
        attributes: The attributes that the rule is about, None for all.
        reason: Why a ``cannot`` refuses, in words for the user.
        place: Where the rule was written, as in ``abilities.py:12``.
    """

    __slots__ = (
        "_code",
        "_instruction",
        "actions",
        "allow",
        "attributes",
        "conditions",
        "expressions",
        "reason",
        "subject",
        "tests",
        "when",
    )

    def __init__(
        self,
        allow: bool,  # noqa: FBT001 - made in one place only, for every rule of every request
        actions: tuple[str, ...],
        subject: type | str,
        conditions: Mapping[str, Any],
        expressions: tuple[Any, ...],
        tests: tuple[Test, ...],
        when: Callable[[Any], object] | None,
        attributes: frozenset[str] | None,
        reason: str | None,
        code: CodeType,
        instruction: int,
    ) -> None:
        self.allow: bool = allow
        self.actions: tuple[str, ...] = actions
        self.subject: type | str = subject
        self.conditions: Mapping[str, Any] = conditions
        self.expressions: tuple[Any, ...] = expressions
        self.tests: tuple[Test, ...] = tests
        self.when: Callable[[Any], object] | None = when
        self.attributes: frozenset[str] | None = attributes
        self.reason: str | None = reason
        # Turned into a line only when somebody asks: rules are made for every request.
        self._code = code
        self._instruction = instruction

    @property
    def place(self) -> str:
        """Where the rule was written."""
        return place_of(self._code, self._instruction)

    @property
    def conditional(self) -> bool:
        """Whether the rule depends on the object, so that a class alone cannot answer."""
        return bool(self.conditions or self.expressions or self.when)

    def covers(self, subject: type | str) -> bool:
        """Tell whether the rule is about this class (or a base of it) or this name."""
        mine = self.subject
        if mine == ALL or mine is subject:
            return True
        if isinstance(subject, str) or isinstance(mine, str):
            return mine == subject
        return issubclass(subject, mine)

    def concerns(self, attribute: str | None) -> bool:
        """Tell whether the rule has a say about this attribute, or about the action as a whole.

        A ``cannot`` for some attributes leaves the action itself alone (as CanCanCan).
        """
        if self.attributes is None:
            return True
        return self.allow if attribute is None else attribute in self.attributes

    def matches(self, subject: object) -> bool:
        """Tell whether every condition holds for this object. NULL does not hold, as in SQL."""
        if self.conditions and not conditions_match(subject, self.conditions):
            return False
        for test in self.tests:
            if test(subject) is not True:
                return False
        return self.when is None or answer(self.when(subject), of=self)

    def __str__(self) -> str:
        # Names only: a condition's value may be somebody's e-mail address or token.
        parts = [*self.conditions]
        parts += ["an expression"] if self.expressions else []
        parts += ["a function"] if self.when else []
        verb = "can" if self.allow else "cannot"
        text = f"{verb} {', '.join(self.actions)} {subject_name(self.subject)}"
        if parts:
            text += f" where {', '.join(parts)}"
        if self.attributes is not None:
            text += f" [{', '.join(sorted(self.attributes))}]"
        return f"{text} ({self.place})"

    def __repr__(self) -> str:
        return f"<Rule {self}>"


class NamedAbility:
    """An ability with a name and a function of its own, as Gor's ``DefineAbility``.

    Attributes:
        name: The name it is asked by.
        reason: Why it refuses, in words for the user.
        place: Where it was defined.
    """

    __slots__ = ("_function", "_guests", "name", "place", "reason")

    def __init__(
        self,
        name: str,
        function: Callable[[Any, Any], object],
        *,
        guests: bool,
        reason: str | None,
        place: str,
    ) -> None:
        self.name: str = name
        self.reason: str | None = reason
        self.place: str = place
        self._function = function
        self._guests = guests

    def allows(self, user: object, subject: object) -> bool:
        """Ask the function; a guest is refused without asking unless the ability is open to guests."""
        if user is None and not self._guests:
            return False
        return answer(self._function(user, subject), of=self)

    def __str__(self) -> str:
        return f"define {self.name} ({self.place})"

    def __repr__(self) -> str:
        return f"<NamedAbility {self}>"
