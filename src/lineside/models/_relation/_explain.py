"""How the database would run a query."""

from typing import Any, Final

from sqlalchemy import Executable, Select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql import ClauseElement

from lineside.models._relation._builder import Builder

_WORDS: Final = {"sqlite": "EXPLAIN QUERY PLAN "}


class _Explain(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(_Explain)
def _compile(element: _Explain, compiler: Any, **options: Any) -> str:
    word = _WORDS.get(compiler.dialect.name, "EXPLAIN ")
    return word + str(compiler.process(element.statement, **options))


def explain(session: Session, query: Builder[Any]) -> str:
    """Return the plan as the database words it, one step a line."""
    rows = session.connection().execute(_Explain(query.statement()))
    return "\n".join(str(row[-1]) for row in rows)
