"""Attribute conditions, checked on an object: ``author_id=1``, ``status=[...]``, ``author={...}``."""

from collections.abc import Iterable, Mapping
from datetime import datetime, time
from typing import Any, Final, cast

from lineside.exceptions import ConfigurationError

COLLECTIONS: Final = (list, tuple, set, frozenset)
"""The values that mean "one of these", which is ``IN`` in a query."""


def conditions_match(subject: object, conditions: Mapping[str, Any]) -> bool:
    """Tell whether an object has these attribute values, with the meaning the query has.

    Args:
        subject: The object, mapped or not.
        conditions: Attribute to value: a scalar is equal, None is missing, a collection has one
            of, a mapping holds conditions for the related object, or for at least one of them.

    Returns:
        True when every condition holds.

    Raises:
        ConfigurationError: The object has no such attribute, or it is not loaded.
    """
    return all(_holds(read(subject, name), wanted) for name, wanted in conditions.items())


def read(subject: object, name: str) -> Any:
    """Return an attribute, or say what the developer has to change."""
    try:
        return getattr(subject, name)
    except AttributeError as error:
        raise ConfigurationError(
            f"a rule compares {name!r}, which {type(subject).__name__} does not have; correct the rule"
        ) from error
    except Exception as error:
        if _is_unloaded(subject, error):
            raise ConfigurationError(
                f"a rule compares {type(subject).__name__}.{name}, which is not loaded and cannot be"
                " loaded here; load it with the row, for instance with selectinload"
            ) from error
        raise


def _is_unloaded(subject: object, error: Exception) -> bool:
    if not hasattr(type(subject), "__mapper__"):
        return False
    from lineside.abilities._mapped import is_unloaded

    return is_unloaded(error)


def _holds(have: Any, wanted: Any) -> bool:
    if wanted is None:
        return have is None
    if isinstance(wanted, COLLECTIONS):
        return any(_holds(have, one) for one in cast("Iterable[Any]", wanted))
    if isinstance(wanted, Mapping):
        nested = cast("Mapping[str, Any]", wanted)
        return any(conditions_match(one, nested) for one in _related(have))
    return equal(have, wanted)


def _related(have: Any) -> Iterable[Any]:
    if have is None:
        return ()
    if isinstance(have, COLLECTIONS):
        return cast("Iterable[Any]", have)
    if isinstance(have, Mapping):  # a relationship kept in a keyed dict
        return have.values()
    return (have,)


def equal(have: Any, wanted: Any) -> bool:
    """Compare two values; an aware and a naive time are an error rather than silently unequal."""
    if have == wanted:
        return True
    refuse_mixed_times(have, wanted)
    return False


def refuse_mixed_times(one: Any, other: Any) -> None:
    """Raise when one time knows its zone and the other does not: the database would guess."""
    if not (isinstance(one, datetime | time) and isinstance(other, datetime | time)):
        return
    if (one.utcoffset() is None) != (other.utcoffset() is None):
        raise ConfigurationError(
            "a rule compares a time that knows its zone with one that does not; use aware times in both"
        )
