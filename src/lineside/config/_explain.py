"""Where a value comes from, and what it overrode."""

from dataclasses import dataclass
from typing import Any

from lineside.config._nodes import Branch, Items, Leaf, Node, join
from lineside.config._redaction import MASK
from lineside.config._snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class SetBy:
    """One layer's word on a key.

    Attributes:
        source: The file, ``environment variable NAME``, the defaults, or ``set()``.
        line: The line in the file, None elsewhere.
        value: What it set, secrets masked.
        variables: The variables that its ``${VAR}`` read.
    """

    source: str
    line: int | None
    value: Any
    variables: tuple[str, ...] = ()

    def __str__(self) -> str:
        at = self.source if self.line is None else f"{self.source}:{self.line}"
        return f"{at} (reads {', '.join(self.variables)})" if self.variables else at


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer of ``config.explain(key)``; ``str()`` of it is fit for a terminal.

    Attributes:
        key: The dotted key.
        value: The value in force, secrets masked.
        set_by: The layer that decided.
        overrode: The layers below that also had a value, nearest first. A map is merged from all of them.
    """

    key: str
    value: Any
    set_by: SetBy
    overrode: tuple[SetBy, ...]

    def __str__(self) -> str:
        merged = isinstance(self.value, dict)
        lines = [f"{self.key} = {self.value!r}", f"  set by {self.set_by}"]
        word = "merged with" if merged else "overrode"
        lines += [f"  {word} {layer} = {layer.value!r}" for layer in self.overrode]
        return "\n".join(lines)


def explain(snapshot: Snapshot, key: str) -> Explanation:
    """Explain a key that is known to exist."""
    said = [_set_by(snapshot, key, node) for node in reversed(snapshot.set_by(key))]
    value = snapshot.redactor.value(key, snapshot.values[key])
    return Explanation(key, value, said[0], tuple(said[1:]))


def _set_by(snapshot: Snapshot, key: str, node: Node) -> SetBy:
    variables = node.variables if isinstance(node, Leaf) else ()
    return SetBy(node.origin.source, node.origin.line, _masked(snapshot, key, node), variables)


def _masked(snapshot: Snapshot, key: str, node: Node) -> Any:
    """Mask a layer's value by its own secrets too: an overridden password is still a password."""
    if isinstance(node, Branch):
        return {name: _masked(snapshot, join(key, name), child) for name, child in node.children.items()}
    if isinstance(node, Items):
        return [_masked(snapshot, join(key, str(index)), item) for index, item in enumerate(node.items)]
    if node.hidden:
        return MASK
    return snapshot.redactor.value(key, node.value)
