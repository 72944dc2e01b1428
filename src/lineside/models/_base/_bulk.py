"""Many rows in one statement: `insert_all` and `upsert_all`, past validations and callbacks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, UniqueConstraint, insert, inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlmodel import SQLModel

from lineside.exceptions import ConfigurationError
from lineside.models._base._bulk_rows import Row, prepared
from lineside.models._connection._ambient import AnySession, run
from lineside.models._exceptions import UnknownAttributeError
from lineside.models._lifecycle._versions import next_version
from lineside.models._relation._sync_query import SyncQuery

if TYPE_CHECKING:
    from lineside.models._base._record import Record

RecordT = TypeVar("RecordT", bound="Record")
Rows = Iterable[Mapping[str, Any]]
OnDuplicate = Literal["raise", "skip"]


class Bulk(SQLModel):
    """Class methods that write many rows at once."""

    @classmethod
    async def insert_all(
        cls, rows: Rows, *, on_duplicate: OnDuplicate = "raise", session: AnySession | None = None
    ) -> int:
        """Insert many rows (as Rails' ``insert_all!``); **no validation and no callback runs**.

        Values are put into their columns' types and normal forms. What a row leaves out gets the default
        of its field; keys and timestamps are made. What waits in the session is written first.

        Args:
            rows: Attributes and values, a mapping for each row.
            on_duplicate: ``"skip"`` leaves out rows that a unique index refuses (Rails' ``insert_all``).
            session: The session to use; default: the ambient one.

        Returns:
            How many rows were inserted.

        Raises:
            UnknownAttributeError: A name is no column.
            RecordInvalid: A value is not of its column's type.
            IntegrityError: The database refuses a row; then none is written.
        """
        what = f"{cls.__name__}.insert_all()"
        return await run(lambda found: insert_rows(found, cls, rows, on_duplicate), session, what)

    @classmethod
    async def upsert_all(
        cls,
        rows: Rows,
        *,
        unique_by: str | Sequence[str] | None = None,
        update_only: str | Sequence[str] | None = None,
        session: AnySession | None = None,
    ) -> int:
        """Insert many rows, and update those that exist; **no validation and no callback runs**.

        As Rails' ``upsert_all``. Who loaded a row before notices by its lock version; records that are
        already loaded stay as they are.

        Args:
            rows: As for `insert_all`; a row that exists must not come twice.
            unique_by: The columns of the unique index that tells what exists; default: the primary key.
            update_only: The columns that a row that exists takes over; default: all that any row names.
            session: The session to use; default: the ambient one.

        Returns:
            How many rows were inserted or updated.

        Raises:
            UnknownAttributeError: A name is no column.
            ConfigurationError: No unique index has these columns.
            RecordInvalid: A value is not of its column's type.
        """
        what = f"{cls.__name__}.upsert_all()"
        return await run(
            lambda found: upsert_rows(found, cls, rows, _names(unique_by), _names(update_only)), session, what
        )


class SyncBulk(SyncQuery[RecordT]):
    """The same for ``Post.sync``."""

    __slots__ = ()

    def insert_all(
        self, rows: Rows, *, on_duplicate: OnDuplicate = "raise", session: Session | None = None
    ) -> int:
        """Insert many rows; see `Bulk.insert_all`."""
        found = self._session(session, "insert_all")
        return insert_rows(found, self.model, rows, on_duplicate)

    def upsert_all(
        self,
        rows: Rows,
        *,
        unique_by: str | Sequence[str] | None = None,
        update_only: str | Sequence[str] | None = None,
        session: Session | None = None,
    ) -> int:
        """Insert many rows, and update those that exist; see `Bulk.upsert_all`."""
        found = self._session(session, "upsert_all")
        return upsert_rows(found, self.model, rows, _names(unique_by), _names(update_only))


def insert_rows(session: Session, model: type[SQLModel], rows: Rows, on_duplicate: OnDuplicate) -> int:
    """See `Bulk.insert_all`."""
    values, _ = prepared(model, rows)
    if on_duplicate == "raise":
        return _execute(session, model, insert(_table(model)), values, count=len(values))
    return _execute(session, model, _upsert(session, model).on_conflict_do_nothing(), values)


def upsert_rows(
    session: Session,
    model: type[SQLModel],
    rows: Rows,
    unique_by: Sequence[str] | None,
    update_only: Sequence[str] | None,
) -> int:
    """See `Bulk.upsert_all`."""
    table = _table(model)
    mapper = inspect(model)
    keys = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
    unique = _columns(model, unique_by or keys)
    condition = _condition(session, model, unique)
    values, named = prepared(model, rows)
    theirs = named - {*(unique_by or ()), *keys, "created_at"}
    taken_over = theirs if update_only is None else set(update_only)
    if taken_over and "updated_at" in mapper.column_attrs:
        taken_over.add("updated_at")
    statement = _upsert(session, model)
    changes = {column: statement.excluded[column.name] for column in _columns(model, sorted(taken_over))}
    if changes:
        changes |= {table.columns[name]: value for name, value in next_version(mapper).items()}
        conflict = statement.on_conflict_do_update(
            index_elements=unique, index_where=condition, set_={c.name: value for c, value in changes.items()}
        )
    else:
        conflict = statement.on_conflict_do_nothing(index_elements=unique, index_where=condition)
    return _execute(session, model, conflict, values)


def _execute(
    session: Session, model: type[SQLModel], statement: Any, rows: list[Row], *, count: int | None = None
) -> int:
    if not rows:
        return 0
    attributes = inspect(model).column_attrs
    names = {name: attributes[name].columns[0].key for name in rows[0]}
    parameters = [{names[name]: value for name, value in row.items()} for row in rows]
    session.flush()
    bind = {"mapper": model}
    if count is not None:
        session.execute(statement, parameters, bind_arguments=bind)
        return count
    # What a driver says of several statements is no count: the keys are.
    written = statement.returning(*inspect(model).primary_key)
    return len(session.execute(written, parameters, bind_arguments=bind).all())


def _upsert(session: Session, model: type[SQLModel]) -> Any:
    table = _table(model)
    dialect = session.get_bind(inspect(model)).dialect.name
    if dialect == "postgresql":
        return postgresql.insert(table)
    if dialect == "sqlite":
        return sqlite.insert(table)
    raise ConfigurationError(f"rows that exist are known on SQLite and PostgreSQL, not on {dialect}")


def _table(model: type[SQLModel]) -> Table:
    table = inspect(model).local_table
    if not isinstance(table, Table) or len(inspect(model).tables) > 1:
        raise ConfigurationError(f"{model.__name__} has rows in several tables; create() its records")
    return table


def _condition(session: Session, model: type[SQLModel], columns: list[Column[Any]]) -> Any:
    """Return the condition of the partial unique index that these columns have, None for a full one.

    Raises:
        ConfigurationError: They have none.
    """
    table = _table(model)
    full = [item for item in table.constraints if isinstance(item, UniqueConstraint | PrimaryKeyConstraint)]
    if any(set(item.columns) == set(columns) for item in full):
        return None
    indexes: list[Index] = [index for index in table.indexes if index.unique]
    for index in indexes:
        if set(index.columns) == set(columns):
            return index.dialect_options[session.get_bind(inspect(model)).dialect.name]["where"]
    known = sorted(", ".join(c.key for c in item.columns) for item in (*full, *indexes))
    wanted = ", ".join(column.key for column in columns)
    raise ConfigurationError(f"{model.__name__} has no unique index of {wanted}; it has {' | '.join(known)}")


def _columns(model: type[SQLModel], names: Iterable[str]) -> list[Column[Any]]:
    attributes = inspect(model).column_attrs
    for name in names:
        if name not in attributes:
            raise UnknownAttributeError(model.__name__, name, known=attributes.keys())
    return [cast("Column[Any]", attributes[name].columns[0]) for name in names]


def _names(given: str | Sequence[str] | None) -> Sequence[str] | None:
    return (given,) if isinstance(given, str) else given
