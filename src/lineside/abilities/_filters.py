"""Rules as a WHERE clause. Imports SQLAlchemy."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from lineside.abilities._conditions import COLLECTIONS
from lineside.abilities._mapped import MappedSubject
from lineside.abilities._rule import Rule
from lineside.exceptions import ConfigurationError

__all__ = ["filter_of"]


def filter_of(rules: Sequence[Rule], subject: MappedSubject) -> ColumnElement[bool]:
    """Return the expression that is true for exactly the rows on which the rules allow the action.

    Args:
        rules: The rules about the action and the class, newest first.
        subject: The class that is queried.

    Raises:
        ConfigurationError: A rule that counts is a function, or is about a subclass only.
    """
    allowed: ColumnElement[bool] = sa.false()
    for rule in reversed(_that_count(rules, subject.model)):
        if not rule.conditional:
            allowed = sa.true() if rule.allow else sa.false()
            continue
        condition = _condition(rule, subject)
        # Not NOT alone: where the condition is NULL the rule does not match, so nothing is taken away.
        # Not IS NOT TRUE: SQLAlchemy writes NOT a IS NOT TRUE, which PostgreSQL reads from the right.
        unmatched = sa.not_(sa.func.coalesce(condition, sa.false()))
        allowed = sa.or_(allowed, condition) if rule.allow else sa.and_(allowed, unmatched)
    return allowed


def _that_count(rules: Sequence[Rule], model: type) -> list[Rule]:
    """Return the rules, newest first, down to the one that decides for every row that is left."""
    counting: list[Rule] = []
    for rule in rules:
        if rule.attributes is not None and not rule.allow:
            continue
        if not rule.covers(model):
            raise ConfigurationError(
                f"{rule} is about a subclass of {model.__name__}, so that a query on {model.__name__} cannot"
                " follow it; query the subclass, or write the rule for the base class"
            )
        if rule.when is not None:
            raise ConfigurationError(
                f"{rule}: a function cannot become SQL; write conditions or an expression instead of when=,"
                f" and declare rules.filterable({model.__name__}) to see this at the definition"
            )
        counting.append(rule)
        if not rule.conditional:
            break
    return counting


def _condition(rule: Rule, subject: MappedSubject) -> ColumnElement[bool]:
    # Checked again: a rule for a mixin was written before any column was known.
    subject.check(rule.conditions)
    return sa.and_(*_comparisons(subject, rule.conditions), *rule.expressions)


def _comparisons(subject: MappedSubject, conditions: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    return [_comparison(subject, name, wanted) for name, wanted in conditions.items()]


def _comparison(subject: MappedSubject, name: str, wanted: Any) -> ColumnElement[bool]:
    attribute: Any = getattr(subject.model, name)
    related = subject.attribute(name).related
    if related is not None:
        criteria = _comparisons(related, cast("Mapping[str, Any]", wanted))
        exists = attribute.any if subject.attribute(name).many else attribute.has
        return cast("ColumnElement[bool]", exists(sa.and_(sa.true(), *criteria)))
    if isinstance(wanted, COLLECTIONS):
        values = [value for value in cast("Sequence[Any]", wanted) if value is not None]
        within = attribute.in_(values)
        # As Rails' where(author_id: [1, nil]).
        return cast("ColumnElement[bool]", sa.or_(within, attribute.is_(None)) if None in wanted else within)
    return cast("ColumnElement[bool]", attribute.is_(None) if wanted is None else attribute == wanted)
