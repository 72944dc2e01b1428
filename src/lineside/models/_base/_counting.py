"""Changes that the database makes by itself, so that two at once both count: `increment`, `toggle`."""

from typing import Any, Self

from sqlalchemy import ColumnElement, func, inspect, not_, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from lineside.exceptions import RecordNotFound
from lineside.models._connection._ambient import AnySession
from lineside.models._exceptions import UnknownAttributeError
from lineside.models._lifecycle._persistence import key_of, row_condition
from lineside.models._lifecycle._running import RecordT, Running, SyncRunning
from lineside.models._lifecycle._timestamps import now
from lineside.models._lifecycle._versions import next_version


class Counting(Running):
    """Atomic changes of one column, without validations or callbacks (as Rails' ``increment!``)."""

    async def increment(
        self, name: str, by: float = 1, *, touch: bool = False, session: AnySession | None = None
    ) -> Self:
        """Add to a number in the row; None counts as 0. The attribute then has the new value.

        Args:
            name: The column.
            by: How much.
            touch: Set ``updated_at``, too.
            session: The session to use; default: the record's own, else the ambient one.

        Raises:
            UnknownAttributeError: It is no column.
            RecordNotFound: The row is gone.
        """
        await self._run(lambda found: add(found, self, name, by, touch=touch), session, "increment")
        return self

    async def decrement(
        self, name: str, by: float = 1, *, touch: bool = False, session: AnySession | None = None
    ) -> Self:
        """Subtract from a number in the row; see `increment`."""
        await self._run(lambda found: add(found, self, name, -by, touch=touch), session, "decrement")
        return self

    async def toggle(self, name: str, *, touch: bool = False, session: AnySession | None = None) -> Self:
        """Turn a boolean in the row around; None becomes True. See `increment`."""
        await self._run(lambda found: turn(found, self, name, touch=touch), session, "toggle")
        return self


class SyncCounting(SyncRunning[RecordT]):
    """The same for ``post.sync``."""

    __slots__ = ()

    def increment(
        self, name: str, by: float = 1, *, touch: bool = False, session: Session | None = None
    ) -> RecordT:
        """Add to a number in the row; see `Counting.increment`."""
        add(self._session(session, "increment"), self._record, name, by, touch=touch)
        return self._record

    def decrement(
        self, name: str, by: float = 1, *, touch: bool = False, session: Session | None = None
    ) -> RecordT:
        """Subtract from a number in the row; see `Counting.decrement`."""
        add(self._session(session, "decrement"), self._record, name, -by, touch=touch)
        return self._record

    def toggle(self, name: str, *, touch: bool = False, session: Session | None = None) -> RecordT:
        """Turn a boolean in the row around; see `Counting.toggle`."""
        turn(self._session(session, "toggle"), self._record, name, touch=touch)
        return self._record


def add(session: Session, record: Any, name: str, by: float, *, touch: bool) -> None:
    """See `Counting.increment`."""
    _set(session, record, name, func.coalesce(_column(record, name), 0) + by, touch=touch)


def turn(session: Session, record: Any, name: str, *, touch: bool) -> None:
    """See `Counting.toggle`."""
    _set(session, record, name, not_(func.coalesce(_column(record, name), False)), touch=touch)


def _column(record: Any, name: str) -> ColumnElement[Any]:
    mapper = inspect(type(record))
    if name not in mapper.column_attrs:
        raise UnknownAttributeError(type(record).__name__, name, known=mapper.column_attrs.keys())
    column: ColumnElement[Any] = mapper.column_attrs[name].columns[0]
    return column


def _set(session: Session, record: Any, name: str, value: ColumnElement[Any], *, touch: bool) -> None:
    mapper = inspect(type(record))
    key = key_of(record)
    values = {name: value, **next_version(mapper)}
    if touch and "updated_at" in mapper.column_attrs:
        values["updated_at"] = now()
    columns = [mapper.column_attrs[written].columns[0] for written in values]
    statement = update(type(record)).where(*row_condition(record, key)).values(values).returning(*columns)
    # Without autoflush: what else the record carries stays unsaved.
    with session.no_autoflush:
        row = session.execute(statement, execution_options={"synchronize_session": False}).first()
    if row is None:
        raise RecordNotFound(type(record).__name__, key)
    for written, new in zip(values, row, strict=True):
        set_committed_value(record, written, new)
