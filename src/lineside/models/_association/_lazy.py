"""Reading what was not loaded, where no query can run: an error that types the remedy.

A sync ``Session`` loads an attribute when it is read, and so does an ``AsyncSession`` inside a callback.
Elsewhere SQLAlchemy raises ``MissingGreenlet`` or ``DetachedInstanceError``, which name neither the
attribute nor the way out. Only attributes that are not loaded come here: reading one that is costs nothing
more than before.
"""

import re
from types import FrameType
from typing import Any, Final

from pydantic import SerializationInfo
from sqlalchemy import event
from sqlalchemy.exc import InvalidRequestError, MissingGreenlet
from sqlalchemy.ext.asyncio import async_session
from sqlalchemy.orm import InstanceState, InstrumentedAttribute
from sqlalchemy.orm.base import PASSIVE_NO_FETCH, PASSIVE_NO_RESULT
from sqlalchemy.orm.exc import DetachedInstanceError
from sqlalchemy.util.concurrency import in_greenlet

from lineside.models._exceptions import StrictLoadingViolationError
from lineside.models._lifecycle._state import instance_state

_WORDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def guard(record_class: type) -> None:
    """Guard the mapped attributes of a class and its subclasses; done once, for `Record`."""
    event.listen(record_class, "attribute_instrument", _guard_attribute, propagate=True)


class _GuardedAttribute(InstrumentedAttribute[Any]):  # pyright: ignore[reportIncompatibleVariableOverride] # its `__doc__` is the attribute's
    # SQLAlchemy's own, but for the error.

    __slots__ = ()
    inherit_cache = True

    def __get__(self, instance: object | None, owner: Any) -> Any:
        """Return the attribute of a record, or of the class."""
        if instance is None:
            return self
        loaded = instance.__dict__
        key = self.key
        return loaded[key] if key in loaded else _load(self, instance)


def require_loaded(record: Any, info: SerializationInfo[Any]) -> None:
    """Load the fields that a dump is about, or say that they are not loaded.

    Pydantic reads what is there, and would leave the rest out of an answer without a word.

    Args:
        record: The record that is dumped.
        info: What is asked for; the fields that it leaves out may be missing.

    Raises:
        StrictLoadingViolationError: A field is not loaded, and cannot be loaded here.
    """
    included, excluded = info.include, info.exclude or ()
    for name in type(record).model_fields:
        if name not in record.__dict__ and (included is None or name in included) and name not in excluded:
            getattr(record, name)


def _guard_attribute(_owner: type, _key: str, attribute: Any) -> None:
    # Proxies of synonyms and the like are other classes; what they stand for is guarded itself.
    if type(attribute) is not InstrumentedAttribute:
        return
    attribute.__class__ = _GuardedAttribute
    if getattr(attribute.impl, "collection", False):
        event.listen(attribute, "bulk_replace", _before_replacing, raw=True)


def _load(attribute: _GuardedAttribute, record: object) -> Any:
    state = instance_state(record)
    if _is_out_of_reach(state):
        # Not a query that fails: its autoflush would run callbacks, and roll everything back.
        value = attribute.impl.get(state, state.dict, PASSIVE_NO_FETCH)
        if value is PASSIVE_NO_RESULT:
            raise _violation(state, attribute.key)
        return value
    try:
        return InstrumentedAttribute.__get__(attribute, record, type(record))
    except (MissingGreenlet, DetachedInstanceError) as error:
        raise _violation(state, attribute.key) from error
    except InvalidRequestError as error:
        if "is not available due to" not in str(error):
            raise
        # lazy="raise" of a relationship, or a column that `select` left out.
        raise _violation(state, attribute.key) from error


def name_being_loaded(frame: FrameType) -> str | None:
    """Return the attribute that a frame loads because it was read, if it does."""
    return frame.f_locals["attribute"].key if frame.f_code is _load.__code__ else None


def _before_replacing(state: InstanceState[Any], _values: list[Any], initiator: Any) -> None:
    """Refuse ``post.comments = [...]`` before SQLAlchemy loads what the collection held."""
    key = initiator.key
    is_loaded = key in state.dict or not state.has_identity
    if not is_loaded and (state.session is None or _is_out_of_reach(state)):
        raise _violation(state, key)


def _is_out_of_reach(state: InstanceState[Any]) -> bool:
    session = state.session
    return session is not None and not in_greenlet() and async_session(session) is not None


def _violation(state: InstanceState[Any], name: str) -> StrictLoadingViolationError:
    model = state.mapper.class_.__name__
    variable = _WORDS.sub("_", model).lower()
    if name in state.mapper.relationships:
        remedy = f'add .includes("{name}") to the query, or await {variable}.load("{name}")'
    else:
        remedy = f'await {variable}.reload(), or add "{name}" to the .select(...) of the query'
    return StrictLoadingViolationError(model, name, remedy=remedy)
