"""SQL as text, with bound parameters only."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, LiteralString

from sqlalchemy import BindParameter, CursorResult, Row, TextClause, bindparam, text
from sqlalchemy.orm import Session

from lineside.exceptions import LinesideError

AnyRow = Row[*tuple[Any, ...]]
"""A row of any columns; its values are attributes, too."""

_LISTS: Final = (list, tuple, set, frozenset)


class PreparedStatementInvalid(LinesideError):  # noqa: N818 - ActiveRecord's name
    """The values that were given are not those that the SQL names.

    Args:
        missing: Parameters of the SQL without a value.
        surplus: Values without a parameter.
    """

    def __init__(self, missing: Iterable[str], surplus: Iterable[str]) -> None:
        self.missing: tuple[str, ...] = tuple(sorted(missing))
        self.surplus: tuple[str, ...] = tuple(sorted(surplus))
        parts = [
            f"no value for {', '.join(f':{name}' for name in self.missing)}" if self.missing else "",
            f"no parameter for {', '.join(f'{name}=' for name in self.surplus)}" if self.surplus else "",
        ]
        super().__init__(
            f"{' and '.join(filter(None, parts))}; write :name in the SQL and name=value behind it"
        )


def fetch_rows(session: Session, sql: LiteralString, values: Mapping[str, Any]) -> list[AnyRow]:
    """Run SQL that returns rows; see `Database.raw`."""
    return list(_execute(session, sql, values).all())


def count_rows(session: Session, sql: LiteralString, values: Mapping[str, Any]) -> int:
    """Run SQL that changes rows; see `Database.exec`."""
    return _execute(session, sql, values).rowcount


def _execute(
    session: Session, sql: LiteralString, values: Mapping[str, Any]
) -> CursorResult[*tuple[Any, ...]]:
    plain = {name: list(value) if isinstance(value, _LISTS) else value for name, value in values.items()}
    statement = _bound(sql, plain)
    if session.autoflush:
        session.flush()
    return session.connection().execute(statement, plain)


def _bound(sql: LiteralString, values: Mapping[str, Any]) -> TextClause:
    statement = text(sql)
    named = statement.compile().params.keys()
    if named != values.keys():
        raise PreparedStatementInvalid(named - values.keys(), values.keys() - named)
    # A list is for IN: as many parameters as it has items, and an empty one matches nothing.
    lists: list[BindParameter[Any]] = [
        bindparam(name, expanding=True) for name, value in values.items() if isinstance(value, list)
    ]
    return statement.bindparams(*lists)
