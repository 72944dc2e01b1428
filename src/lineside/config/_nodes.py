"""The tree one layer is read into: values that remember where they were written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, TypeAlias, cast, overload

from pydantic import SecretStr

from lineside.exceptions import ConfigurationError

MAX_DEPTH = 32
"""Levels of nesting: deeper is an accident, or an alias that contains itself."""

Scalar: TypeAlias = bool | int | float | str | date | datetime | timedelta | None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written.

    Attributes:
        kind: The sort of layer.
        name: A file path, a variable name, or the name of the defaults.
        line: The line in the file, counted from 1.
    """

    kind: Literal["default", "file", "variable", "code"]
    name: str
    line: int | None = None

    @property
    def source(self) -> str:
        """The file, the variable or the defaults, without a line."""
        return f"environment variable {self.name}" if self.kind == "variable" else self.name

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


# No generated repr below: these hold secrets in the clear.
@dataclass(frozen=True, slots=True, repr=False)
class Leaf:
    """A single value.

    Attributes:
        value: The typed value.
        origin: Where it was written.
        text: The text it was typed from, so that ``1.10`` can still be read as a string.
        hidden: Secret texts that went into it through ``${VAR}``.
        variables: Every variable it refers to.
    """

    value: Scalar
    origin: Origin
    text: str | None = None
    hidden: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Items:
    """A list; layers replace it whole."""

    items: tuple["Node", ...]
    origin: Origin
    text: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Branch:
    """A map; layers merge it key by key."""

    children: Mapping[str, "Node"]
    origin: Origin
    text: str | None = None


Node: TypeAlias = Leaf | Items | Branch


def node_from(
    value: Any, *, origin: Origin, key: str = "", depth: int = 0, hidden: tuple[str, ...] = ()
) -> Node:
    """Turn plain Python data into nodes of one origin.

    Args:
        value: Maps with string keys, lists, scalars and secrets.
        origin: Where the data came from.
        key: The dotted key, for messages.
        depth: How deep this value sits.
        hidden: Secret texts the value came from; each leaf is then a secret.

    Returns:
        The same data as nodes.

    Raises:
        ConfigurationError: A type that a configuration cannot hold, or too deep a nesting.
    """
    if depth > MAX_DEPTH:
        raise ConfigurationError(
            f"{key!r} from {origin} is nested deeper than {MAX_DEPTH} levels; flatten it"
        )
    if isinstance(value, Mapping):
        children = {
            _checked_name(name, key, origin): node_from(
                child, origin=origin, key=join(key, str(name)), depth=depth + 1, hidden=hidden
            )
            for name, child in cast("Mapping[object, object]", value).items()
        }
        return Branch(children, origin)
    if isinstance(value, list | tuple):
        items = tuple(
            node_from(item, origin=origin, key=join(key, str(index)), depth=depth + 1, hidden=hidden)
            for index, item in enumerate(cast("Sequence[object]", value))
        )
        return Items(items, origin)
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        return Leaf(secret, origin, text=secret, hidden=(secret,))
    if value is None or isinstance(value, bool | int | float | str | date | timedelta):
        return Leaf(value, origin, hidden=hidden)
    raise ConfigurationError(
        f"{key!r} cannot hold a {type(value).__name__}; use a map, list, string, number, bool or None"
    )


def _checked_name(name: object, key: str, origin: Origin) -> str:
    if isinstance(name, str) and name:
        return name
    raise ConfigurationError(f"a key below {key!r} from {origin} is not a non-empty string; rename it")


def join(prefix: str, name: str) -> str:
    """Return the dotted key of ``name`` below ``prefix``."""
    return f"{prefix}.{name}" if prefix else name


def nested(names: Sequence[str], node: Node) -> Branch:
    """Return maps inside each other, one for each name, with the node in the innermost."""
    for name in reversed(names[1:]):
        node = Branch({name: node}, node.origin)
    return Branch({names[0]: node}, node.origin)


def child_of(node: Node | None, name: str, *, fold: bool = False) -> Node | None:
    """Find one step of a dotted key.

    Args:
        node: Where to look.
        name: A map key, or a list index as digits.
        fold: Ignore case and take ``-`` for ``_``, as environment variables must.

    Returns:
        The child, or None.
    """
    if isinstance(node, Branch):
        return node.children.get(_spelling(node.children, name) if fold else name)
    if isinstance(node, Items) and name.isdecimal() and int(name) < len(node.items):
        return node.items[int(name)]
    return None


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")


def _spelling(children: Mapping[str, Node], name: str) -> str:
    """Return the existing spelling of a key that differs in case or dashes only."""
    if name in children:
        return name
    return next((known for known in children if _folded(known) == _folded(name)), name)


@overload
def merge(low: Node | None, high: Branch, *, key: str = "") -> Branch: ...
@overload
def merge(low: Node | None, high: Node, *, key: str = "") -> Node: ...
def merge(low: Node | None, high: Node, *, key: str = "") -> Node:
    """Lay one layer over another: maps merge deeply, everything else replaces.

    Args:
        low: The layer below, None when nothing is there.
        high: The layer on top.
        key: The dotted key, for messages.

    Returns:
        The merged node.

    Raises:
        ConfigurationError: The upper layer reaches inside a list of the lower one.
    """
    if not isinstance(high, Branch):
        return high
    if isinstance(low, Items) and high.children and all(name.isdecimal() for name in high.children):
        raise ConfigurationError(
            f"{high.origin} sets one element of {key!r}, a list in {low.origin}; "
            "lists are replaced whole, so set the whole list"
        )
    if not isinstance(low, Branch):
        return high
    merged = dict(low.children)
    for name, child in high.children.items():
        spelled = _spelling(merged, name) if child.origin.kind == "variable" else name
        merged[spelled] = merge(merged.get(spelled), child, key=join(key, spelled))
    return Branch(merged, high.origin)
