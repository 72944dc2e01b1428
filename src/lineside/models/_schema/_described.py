"""What ``@validates`` demands, in the words of JSON Schema: clients read it, the save checks it."""

from collections.abc import Collection, Iterator
from decimal import Decimal
from enum import EnumMeta
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel

from lineside.models._validation._rules import Declarations, Rule

_BOUNDS: Final = {
    "greater_than": "exclusiveMinimum",
    "greater_than_or_equal_to": "minimum",
    "less_than": "exclusiveMaximum",
    "less_than_or_equal_to": "maximum",
}


def described(model: type[BaseModel], name: str) -> dict[str, Any]:
    """Return JSON Schema's keywords for the rules of a field.

    Rules with a condition, and what JSON Schema has no word for, are left out: saving knows them.

    Args:
        model: The class.
        name: The field.
    """
    kind = kind_of(model.model_fields[name].annotation)
    keywords: dict[str, Any] = {}
    for rule in Declarations.of(model).rules:
        when = rule.when
        if name in rule.fields and when.on is when.if_ is when.unless is None:
            keywords.update(_keywords(rule, kind))
    return keywords


def _keywords(rule: Rule, kind: Any) -> Iterator[tuple[str, Any]]:
    options = rule.options
    if kind in (str, list):
        yield from _sizes(rule, "Length" if kind is str else "Items")
    if kind is str and options.get("format") and not rule.allow_blank:
        yield "pattern", options["format"]
    if kind in (int, float, Decimal):
        for option in ("comparison", "numericality"):
            yield from _bounds(options.get(option))
    allowed: Any = options.get("inclusion")
    if _are_plain(allowed) and not rule.allow_blank:
        yield "enum", [*allowed, None] if rule.allow_none else list(allowed)


def _sizes(rule: Rule, what: str) -> Iterator[tuple[str, int]]:
    given: Any = rule.options.get("length") or {}
    bounds: dict[str, int] = (
        dict(zip(("minimum", "maximum"), given, strict=True)) if isinstance(given, tuple) else given
    )
    least, most = bounds.get("minimum"), bounds.get("maximum")
    exactly = bounds.get("is")
    least, most = (least, most) if exactly is None else (exactly, exactly)
    if rule.options.get("presence"):
        least = max(least or 0, 1)
    if least and not rule.allow_blank:
        yield f"min{what}", least
    if most is not None:
        yield f"max{what}", most


def _bounds(given: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(given, dict):
        return
    for option, keyword in _BOUNDS.items():
        if isinstance(given.get(option), int | float):
            yield keyword, given[option]
    if given.get("only_integer"):
        yield "multipleOf", 1


def _are_plain(allowed: Any) -> bool:
    return (
        isinstance(allowed, Collection)
        and not isinstance(allowed, EnumMeta)
        and all(isinstance(value, str | int | float | None) for value in allowed)
    )


def kind_of(annotation: Any) -> Any:
    """Return the type of a field beside None, without its arguments: ``str``, ``list`` and so on."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        return kind_of(kinds[0]) if len(kinds) == 1 else annotation
    return (
        annotation if origin is None else kind_of(get_args(annotation)[0]) if origin is Annotated else origin
    )
