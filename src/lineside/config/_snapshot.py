"""One frozen state of the configuration: what readers see, swapped as a whole."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from lineside.config._nodes import Branch, Items, Leaf, Node, Origin, child_of, join, merge
from lineside.config._redaction import Redactor, is_secret_name, url_credentials
from lineside.exceptions import ConfigurationError


class ConfigMap(Mapping[str, Any]):
    """A read-only section; its repr masks secrets, and it refuses to be pickled."""

    __slots__ = ("_data", "_key", "_redactor")

    def __init__(self, data: dict[str, Any], *, key: str, redactor: Redactor) -> None:
        self._data = data
        self._key = key
        self._redactor = redactor

    def __getitem__(self, name: str) -> Any:
        return self._data[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        return f"ConfigMap({self._redactor.value(self._key, self)!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("configuration is never pickled: it holds secrets; load it again where it is needed")


class Snapshot:
    """All layers merged, with one dictionary from dotted key to value.

    Args:
        layers: The layers, lowest first.
        files: The files that were read.

    Raises:
        ConfigurationError: Two layers contradict each other.
    """

    __slots__ = ("files", "layers", "nodes", "redactor", "values")

    def __init__(self, layers: Sequence[Branch], *, files: Sequence[str]) -> None:
        self.layers: tuple[Branch, ...] = tuple(layers)
        self.files: tuple[str, ...] = tuple(files)
        self.nodes: dict[str, Node] = {}
        root = Branch({}, Origin("default", "no layer"))
        for layer in self.layers:
            root = merge(root, layer)
        self._index(root, "")
        hidden_keys = [key for key, node in self.nodes.items() if isinstance(node, Leaf) and node.hidden]
        # Overridden layers too: yesterday's password is still a password.
        known = {text for layer in self.layers for text in _secrets(layer, "")}
        self.redactor: Redactor = Redactor(paths=hidden_keys, known=known)
        self.values: dict[str, Any] = {}
        self._freeze(root, "")

    def _index(self, node: Node, key: str) -> None:
        if key in self.nodes:
            raise ConfigurationError(
                f"{key!r} is written both with a dot and as nested maps "
                f"({self.nodes[key].origin} and {node.origin}); keep one"
            )
        self.nodes[key] = node
        for name, child in _children(node):
            self._index(child, join(key, name))

    def _freeze(self, node: Node, key: str) -> Any:
        value: Any
        if isinstance(node, Branch):
            data = {name: self._freeze(child, join(key, name)) for name, child in node.children.items()}
            value = ConfigMap(data, key=key, redactor=self.redactor)
        elif isinstance(node, Items):
            value = tuple(self._freeze(item, join(key, str(index))) for index, item in enumerate(node.items))
        else:
            value = node.value
        self.values[key] = value
        return value

    def nearest(self, key: str) -> list[str]:
        """Return up to three known keys that look like this one."""
        return difflib.get_close_matches(key, [known for known in self.values if known], n=3)

    def set_by(self, key: str) -> list[Node]:
        """Return what each layer says about a key, lowest layer first."""
        found = (self._in_layer(layer, key) for layer in self.layers)
        return [node for node in found if node is not None]

    def _in_layer(self, layer: Branch, key: str) -> Node | None:
        """Follow a dotted key; a key may hold dots itself, so longer names are tried too."""
        starts: list[tuple[Node, str]] = [(layer, key)]
        while starts:
            node, rest = starts.pop()
            if not rest:
                return node
            names = rest.split(".")
            for length in range(len(names), 0, -1):
                child = child_of(node, ".".join(names[:length]), fold=layer.origin.kind == "variable")
                if child is not None:
                    starts.append((child, ".".join(names[length:])))
        return None


def _children(node: Node) -> Iterator[tuple[str, Node]]:
    if isinstance(node, Branch):
        yield from node.children.items()
    elif isinstance(node, Items):
        yield from ((str(index), item) for index, item in enumerate(node.items))


def _secrets(node: Node, key: str) -> Iterator[str]:
    """Yield every text below a node that must never be shown."""
    secret = is_secret_name(key)
    if secret and node.text:
        yield node.text
    for name, child in _children(node):
        yield from _secrets(child, join(key, name))
    if isinstance(node, Leaf):
        yield from node.hidden
        yield from url_credentials(node.text or str(node.value))
        if secret and not isinstance(node.value, bool | None):
            yield str(node.value)
