"""An order that a client may choose, from an allow-list."""

from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from lineside.exceptions import ConfigurationError


class SortBy:
    """The columns by which a client may sort; anything else is a 422.

    For a parameter of FastAPI or a field of its parameter model. Each value is a column, or one with ``-``
    before it for the other direction; several come one after the other: ``?sort=-created_at&sort=title``.

        @app.get("/posts")
        async def index(sort: Annotated[list[str], SortBy("title", "created_at"), Query()] = []):
            return await Post.order(*sort).all()

    Args:
        columns: The columns. Whoever can sort by a column can find out its values.

    Raises:
        ConfigurationError: No column is named, or one with its direction.
    """

    def __init__(self, *columns: str) -> None:
        if not columns or any(not column or column.startswith("-") for column in columns):
            raise ConfigurationError(
                f'SortBy{columns} takes names of columns, without "-"; as in SortBy("title", "created_at")'
            )
        self.columns = columns

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        known = [f"{sign}{column}" for column in self.columns for sign in ("", "-")]
        return core_schema.list_schema(core_schema.literal_schema(known), max_length=len(self.columns))
