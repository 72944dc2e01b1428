"""Records found and destroyed one by one, with their callbacks."""

from typing import TypeVar

from sqlalchemy.orm import Session

from lineside.models._lifecycle import _persistence
from lineside.models._relation._builder import Builder
from lineside.models._relation._terminals import every

T = TypeVar("T")


def destroy_all(session: Session, query: Builder[T]) -> list[T]:
    """Destroy each record of a query, and return them.

    Raises:
        DeleteRestrictionError: Other records depend on one; those before it are destroyed.
    """
    found = every(session, query)
    for record in found:
        _persistence.destroy(session, record)
    return found
