"""Pages of a list, by number or by cursor, as FastAPI reads and writes them."""

from typing import Annotated, Any, ClassVar, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from lineside.models._relation._aggregates import count
from lineside.models._relation._builder import Builder
from lineside.models._relation._terminals import every

ItemT = TypeVar("ItemT", covariant=True)
T = TypeVar("T")
_MAX_PER_PAGE: Final = 100
_MAX_PAGE: Final = 2**31 - 1
MAX_CURSOR_CHARS: Final = 4_096


class PageParams(BaseModel):
    """``?page=2&per_page=50``: declare it as ``Annotated[PageParams, Query()]``."""

    page: Annotated[int, Field(ge=1, le=_MAX_PAGE)] = 1
    per_page: Annotated[int, Field(ge=1, le=_MAX_PER_PAGE)] = 20


class KeysetParams(BaseModel):
    """``?after=...&limit=50``: declare it as ``Annotated[KeysetParams, Query()]``."""

    after: Annotated[str | None, Field(max_length=MAX_CURSOR_CHARS)] = None
    limit: Annotated[int, Field(ge=1, le=_MAX_PER_PAGE)] = 20


class _Items(BaseModel, Generic[ItemT]):
    # Records are no pydantic fields of a schema until a response model says which: they pass as they are.
    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True, from_attributes=True)

    items: list[ItemT]


class Page(_Items[ItemT], Generic[ItemT]):
    """One page of a list, with the number of all rows.

    Attributes:
        items: The records of the page.
        total: How many there are in all.
        page: The number of this page, from 1.
        per_page: How many records a page has.
        pages: How many pages there are.
    """

    total: int
    page: int
    per_page: int
    pages: int


class KeysetPage(_Items[ItemT], Generic[ItemT]):
    """One page of a list that goes by cursor.

    Attributes:
        items: The records of the page.
        next_cursor: What to ask for the next page with; None: this is the last.
    """

    next_cursor: str | None


def page_of(session: Session, query: Builder[T], page: int, per_page: int) -> Page[T]:
    """Load one page of a query, and count all rows."""
    if page < 1 or per_page < 1:
        raise ValueError(f"page and per_page begin at 1, not at {page} and {per_page}")
    if query.scoped().state.is_cut:
        raise ValueError("page() has a limit of its own: leave limit() and offset() out")
    total = count(session, query)
    ordered = query.reorder(*query.scoped().ordering_or_key())
    items = every(session, ordered.limit(per_page).offset((page - 1) * per_page))
    return Page[Any].model_construct(
        items=items, total=total, page=page, per_page=per_page, pages=-(-total // per_page)
    )
