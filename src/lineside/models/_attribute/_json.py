"""JSON columns: a change inside a document is a change of its record, and is written."""

from typing import Any, ClassVar, Final

from sqlalchemy import JSON, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstanceState, Mapper
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel

from lineside.models._attribute._tracked import tracked
from lineside.models._per_class import keep_on

#: None is NULL, and not the ``null`` of JSON: ``where(meta=None)`` finds it.
DOCUMENT_TYPE: Final = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def JSONField(**options: Any) -> Any:  # noqa: N802 - Django's name, and a field as `sqlmodel.Field` is one
    """Declare a column for a document: JSON, and JSONB on PostgreSQL.

        meta: dict[str, Any] = JSONField(default_factory=dict)

    ``post.meta["seen"]["by"].append(7)`` is noticed as well as ``post.meta = {...}``. So it is in every other
    JSON column of a record. What is put into a document is copied: change it there.

    Args:
        options: Anything that `sqlmodel.Field` takes, ``default_factory`` for instance.
    """
    return Field(**options, sa_type=DOCUMENT_TYPE)


class Documents(SQLModel):
    """A record whose documents are tracked."""

    __lineside_documents__: ClassVar[frozenset[str]] = frozenset()

    def __setattr__(self, name: str, value: Any) -> None:
        # SQLModel tells SQLAlchemy of a value, and then puts what it was given into its place.
        if name in type(self).__lineside_documents__:
            value = tracked(value, self, name)
        super().__setattr__(name, value)


def _track(mapper: Mapper[Any], owner: type) -> None:
    names = {attribute.key for attribute in mapper.column_attrs if _is_json(attribute.columns[0].type)}
    keep_on(owner, "__lineside_documents__", frozenset(names))
    for name in names:
        _track_attribute(owner, name)


def _is_json(kind: TypeEngine[Any]) -> bool:
    return isinstance(kind, JSON) or (isinstance(kind, TypeDecorator) and _is_json(kind.impl_instance))


def _track_attribute(owner: type, name: str) -> None:
    def loaded(state: InstanceState[Any], *_context: object) -> None:
        record = state.obj()
        if name in state.dict and record is not None:
            # Not an assignment: it is what the row has.
            state.dict[name] = tracked(state.dict[name], record, name)

    def assigned(record: Any, value: Any, _old: object, _initiator: object) -> Any:
        return tracked(value, record, name)

    for moment in ("load", "refresh", "refresh_flush"):
        event.listen(owner, moment, loaded, raw=True)
    event.listen(getattr(owner, name), "set", assigned, retval=True)


event.listen(Documents, "mapper_configured", _track, propagate=True)
