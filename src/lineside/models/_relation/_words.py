"""What to say of a word that a query or a model does not have: the word that it has for that."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

# Words of Django, SQLAlchemy and SQLModel, and of Rails where ours is another one.
_OURS: Final = {
    "aggregate": "sum",
    "annotate": "group",
    "delete": "delete_all",
    "exclude": "not_",
    "exec": "all",
    "filter": "where",
    "filter_by": "where",
    "find_by_id": "find",
    "get": "find",
    "group_by": "group",
    "join": "joins",
    "objects": "query",
    "one": "find_or_raise",
    "one_or_none": "find_by",
    "options": "includes",
    "order_by": "order",
    "outerjoin": "left_joins",
    "prefetch_related": "includes",
    "scalars": "pluck",
    "select_related": "eager_load",
    "update": "update_all",
    "values": "pluck",
    "values_list": "pluck",
    "with_for_update": "lock",
}


def near(word: str, known: Iterable[str]) -> str | None:
    """Return the word that is meant, if there is one like it.

    Args:
        word: The word that is not known.
        known: Those that are.
    """
    words = [each for each in known if not each.startswith("_")]
    ours = _OURS.get(word)
    if ours in words:
        return ours
    return next(iter(get_close_matches(word, words, n=1)), None)
