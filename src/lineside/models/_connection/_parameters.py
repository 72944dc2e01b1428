"""How many values one statement takes: more is refused before a driver refuses it, in fewer words."""

from typing import Any, Final

from sqlalchemy import Engine, event

from lineside.exceptions import LinesideError

# SQLite takes as many by default, and asyncpg one more.
MAX_VALUES: Final = 32_766


class TooManyValuesError(LinesideError, ValueError):
    """A statement has more values than every database takes; ask in parts, or compare with a query.

    Args:
        count: How many it has.
    """

    def __init__(self, count: int) -> None:
        super().__init__(
            f"a statement takes {MAX_VALUES} values, and this one has {count}; ask in parts, or compare "
            "with a query instead of a list"
        )
        self.count = count


def refuse_too_many(engine: Engine) -> None:
    """Refuse statements with too many values; the error of a driver would name each of their places.

    Args:
        engine: The engine, before its first statement.
    """
    event.listen(engine, "before_cursor_execute", _check)


def _check(
    _connection: object, _cursor: object, _sql: str, values: Any, _context: object, *is_many: bool
) -> None:
    if not any(is_many) and values is not None and len(values) > MAX_VALUES:
        raise TooManyValuesError(len(values))
