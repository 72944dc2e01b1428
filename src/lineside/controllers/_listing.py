"""What a client may choose of a list: the part, and by an allow-list the conditions and the order."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, create_model
from sqlalchemy import inspect

from lineside.exceptions import ConfigurationError
from lineside.models import Query as Rows
from lineside.models import SortBy
from lineside.models._schema._schemas import filter_annotation

T = TypeVar("T")

_RESERVED: Final = frozenset({"limit", "offset", "sort"})


class Page(BaseModel):
    """Which part of a list: ``?limit=20&offset=40``."""

    limit: Annotated[int, Query(ge=1, le=100)] = 20
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0


def page_of(controller: type[Any], model: type[Any]) -> type[Page]:
    """Derive the query parameters of `index` from ``filter`` and ``sort``.

    Raises:
        ConfigurationError: A name is no column, or one that a parameter of every list has.
    """
    filters, sorts = tuple(controller.filter), tuple(controller.sort)
    if not filters and not sorts:
        return Page
    _check(controller.__name__, model, filters, sorts)
    definitions: dict[str, Any] = {name: (filter_annotation(model, name) | None, None) for name in filters}
    if sorts:
        definitions["sort"] = (Annotated[list[str], SortBy(*sorts)], [])
    # A filter that is misspelt and so left out would show what was not asked for.
    base = type("_Listing", (Page,), {"model_config": ConfigDict(extra="forbid"), "__module__": __name__})
    return create_model(f"{model.__name__}Page", __base__=base, **definitions)


def listing(model: type[T], page: Page, filters: Sequence[str]) -> Rows[T]:
    """Return the query for a part of a list; the key decides where the order that is asked for does not."""
    conditions = {name: getattr(page, name) for name in filters if name in page.model_fields_set}
    order = (*getattr(page, "sort", ()), *(key.key for key in inspect(model).primary_key))
    return Rows(model).where(**conditions).order(*order).limit(page.limit).offset(page.offset)


def _check(name: str, model: type[Any], filters: Sequence[str], sorts: Sequence[str]) -> None:
    columns = {attribute.key for attribute in inspect(model).column_attrs}
    for option, given in (("filter", filters), ("sort", sorts)):
        unknown = sorted(set(given) - columns)
        if unknown:
            raise ConfigurationError(
                f"{name}: {option} names {unknown}, which {model.__name__} has not; "
                f"its columns are {sorted(columns)}"
            )
    if taken := sorted(_RESERVED.intersection(filters)):
        raise ConfigurationError(f"{name}: filter cannot name {taken}; every list has such a parameter")
