"""SQLAlchemy expressions, compiled to functions that give the database's answer for one object.

Only operators that mean the same in Python and in SQLite and PostgreSQL are known here: text is
neither ordered (databases order it by collation) nor matched with LIKE (SQLite ignores case).
Everything has SQL's three values; None stands for NULL.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import ClauseElement, ClauseList, False_, Grouping, True_

from lineside.abilities._conditions import equal, refuse_mixed_times
from lineside.abilities._families import Family, comparable
from lineside.abilities._mapped import MappedSubject
from lineside.abilities._rule import Test
from lineside.exceptions import ConfigurationError

__all__ = ["compile_expression", "is_expression"]

_SUPPORTED: Final = (
    "supported are ==, !=, is_, is_not, is_distinct_from, in_, not_in on columns of the class; <, <=, >, >="
    " and between on numbers and times; and_, or_, not_; for anything else use when= with a function"
)

_ORDERING: Final[dict[Any, Callable[[Any, Any], bool]]] = {
    operators.lt: operator.lt,
    operators.le: operator.le,
    operators.gt: operator.gt,
    operators.ge: operator.ge,
}
_EQUALITY: Final = {operators.eq: True, operators.ne: False}
_IS: Final = {operators.is_: True, operators.is_not: False}
_DISTINCT: Final = {operators.is_distinct_from: True, operators.is_not_distinct_from: False}
_IN: Final = {operators.in_op: True, operators.not_in_op: False}
_BETWEEN: Final = {operators.between_op: True, operators.not_between_op: False}


@dataclass(frozen=True, slots=True)
class _Operand:
    """One side of a comparison; without a family it is a constant."""

    get: Callable[[Any], Any]
    family: Family | None = None
    constant: Any = None


def is_expression(value: object) -> bool:
    """Tell whether a value is something SQLAlchemy can put in a WHERE clause."""
    return isinstance(_clause(value), ClauseElement)


def compile_expression(expression: Any, subject: MappedSubject) -> Test:
    """Compile an expression over the columns of one class.

    Args:
        expression: A boolean SQLAlchemy expression.
        subject: The class whose objects it will be asked about.

    Returns:
        A function of an object: True, False, or None for NULL.

    Raises:
        ConfigurationError: The expression has a part that Python cannot answer as the database
            does; the message lists what is supported.
    """
    return _Compiler(subject).truth(expression)


def _clause(value: Any) -> Any:
    # A hybrid gives an attribute, which gives a column; a clause may give itself.
    while not isinstance(value, ClauseElement) and hasattr(value, "__clause_element__"):
        value = value.__clause_element__()
    return value


def _unsupported(what: str) -> ConfigurationError:
    return ConfigurationError(f"{what} cannot be checked on an object; {_SUPPORTED}")


def _name(clause: Any) -> str:
    # Not str(clause): that would need a dialect for some, and show bound values for others.
    used = getattr(getattr(clause, "operator", None), "__name__", None)
    return f"the operator {used}" if used else type(clause).__name__


class _Compiler:
    def __init__(self, subject: MappedSubject) -> None:
        self._subject = subject

    def truth(self, clause: Any) -> Test:
        clause = _clause(clause)
        if isinstance(clause, Grouping):
            return self.truth(clause.element)
        if isinstance(clause, True_ | False_):
            value = isinstance(clause, True_)
            return lambda _: value
        if isinstance(clause, sa.BooleanClauseList):
            return self._connective(clause)
        if isinstance(clause, sa.UnaryExpression):
            return self._unary(clause)
        if isinstance(clause, sa.BinaryExpression):
            return self._binary(clause)
        if isinstance(clause, sa.Column):
            return self._boolean(clause)
        raise _unsupported(_name(clause))

    def _connective(self, clause: Any) -> Test:
        tests = [self.truth(part) for part in clause.clauses]
        # The value that decides alone: one False for AND, one True for OR.
        decisive = clause.operator is operators.or_
        if not tests or clause.operator not in (operators.and_, operators.or_):
            raise _unsupported("an empty and_() or or_()" if not tests else _name(clause))

        def connected(subject: Any) -> bool | None:
            answer: bool | None = not decisive
            for test in tests:
                outcome = test(subject)
                if outcome is decisive:
                    return decisive
                if outcome is None:
                    answer = None
            return answer

        return connected

    def _unary(self, clause: Any) -> Test:
        if clause.operator is operators.is_true:
            return self.truth(clause.element)
        if clause.operator not in (operators.inv, operators.is_false):
            raise _unsupported(_name(clause))
        return _negated(self.truth(clause.element))

    def _binary(self, clause: Any) -> Test:
        used = clause.operator
        if used in _IN:
            return _when_false(self._membership(clause), _IN[used])
        if used in _BETWEEN:
            return _when_false(self._between(clause), _BETWEEN[used])
        left, right = self.operand(clause.left), self.operand(clause.right)
        if used in _IS:
            if right.constant not in (None, True, False):
                raise _unsupported("is_ with anything but None, True or False")
            return _same(left, right, equal_when=_IS[used])
        family = _common(left, right)
        if used in _EQUALITY:
            return _when_false(_compared(left, right, equal), _EQUALITY[used])
        if used in _DISTINCT:
            return _same(left, right, equal_when=not _DISTINCT[used])
        if used in _ORDERING:
            return _compared(left, right, _ordering(_ORDERING[used], family))
        raise _unsupported(_name(clause))

    def _membership(self, clause: Any) -> Test:
        left = self.operand(clause.left)
        values = getattr(clause.right, "effective_value", None)
        if left.family is None or not isinstance(values, Sequence):
            raise _unsupported("in_ with a subquery or with several columns")
        for value in values:
            _accept(left.family, value)

        def member(subject: Any) -> bool | None:
            have = left.get(subject)
            if not values:
                return False
            if have is None:
                return None
            if any(value is not None and equal(have, value) for value in values):
                return True
            return None if None in values else False

        return member

    def _between(self, clause: Any) -> Test:
        if clause.modifiers.get("symmetric"):
            raise _unsupported("a symmetric between")
        value = self.operand(clause.left)
        low, high = (self.operand(bound) for bound in clause.right.clauses)
        above = _compared(value, low, _ordering(operator.ge, _common(value, low)))
        below = _compared(value, high, _ordering(operator.le, _common(value, high)))

        def inside(subject: Any) -> bool | None:
            answers = (above(subject), below(subject))
            if False in answers:
                return False
            return None if None in answers else True

        return inside

    def _boolean(self, column: Any) -> Test:
        operand = self.operand(column)
        if operand.family is None or operand.family.name != "bool":
            raise _unsupported(f"{column} is not a boolean column; alone it")
        return operand.get

    def operand(self, clause: Any) -> _Operand:
        """Compile one side of a comparison: a column of the class, or a constant."""
        clause = _clause(clause)
        if isinstance(clause, sa.Column):
            key, family = self._subject.family(clause)
            return _Operand(operator.attrgetter(key), family=family)
        if isinstance(clause, sa.BindParameter):
            if clause.required:
                raise _unsupported(f"the unfilled parameter {clause.key!r}")
            return _constant(clause.effective_value)
        if isinstance(clause, True_ | False_):
            return _constant(isinstance(clause, True_))
        if isinstance(clause, sa.Null):
            return _constant(None)
        if isinstance(clause, Grouping) and not isinstance(clause.element, ClauseList):
            return self.operand(clause.element)
        raise _unsupported(_name(clause))


def _constant(value: Any) -> _Operand:
    return _Operand(lambda _: value, constant=value)


def _accept(family: Family, value: Any) -> None:
    if value is not None and not family.accepts(value):
        raise ConfigurationError(
            f"a column of {family.name} is compared with {type(value).__name__}; give it a {family.name}"
        )


def _common(left: _Operand, right: _Operand) -> Family:
    """Return the family in which two operands are compared, or raise."""
    if left.family is not None and right.family is not None:
        if not comparable(left.family, right.family):
            raise _unsupported(f"a {left.family.name} column compared with a {right.family.name} column")
        return left.family
    family, constant = (left.family, right) if left.family is not None else (right.family, left)
    if family is None:
        raise _unsupported("a comparison without a column")
    _accept(family, constant.constant)
    return family


def _ordering(compare: Callable[[Any, Any], bool], family: Family) -> Callable[[Any, Any], bool]:
    if not family.ordered:
        raise _unsupported(f"ordering {family.name} values")

    def ordered(one: Any, other: Any) -> bool:
        refuse_mixed_times(one, other)
        return compare(one, other)

    return ordered


def _compared(left: _Operand, right: _Operand, compare: Callable[[Any, Any], bool]) -> Test:
    def compared(subject: Any) -> bool | None:
        one, other = left.get(subject), right.get(subject)
        return None if one is None or other is None else compare(one, other)

    return compared


def _same(left: _Operand, right: _Operand, *, equal_when: bool) -> Test:
    """Compare as ``IS`` does: NULL is a value like any other and the answer is never NULL."""

    def same(subject: Any) -> bool:
        one, other = left.get(subject), right.get(subject)
        alike = one is other if one is None or other is None else equal(one, other)
        return alike is equal_when

    return same


def _negated(test: Test) -> Test:
    def negated(subject: Any) -> bool | None:
        outcome = test(subject)
        return None if outcome is None else not outcome

    return negated


def _when_false(test: Test, plain: bool) -> Test:  # noqa: FBT001 - read from the tables above
    return test if plain else _negated(test)
