"""One YAML file as nodes that know their line.

The reader is dynaconf's own (YAML 1.2, so ``no`` is a word and ``010`` is ten). We walk its
node tree instead of its values: that gives the line of each value, refuses duplicate keys
without quoting them, and counts what aliases expand to.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lineside.config._dynaconf import yaml_module
from lineside.config._errors import ConfigFileError, UnsetVariableError
from lineside.config._interpolation import MalformedReferenceError, UnsetReferenceError, expand
from lineside.config._nodes import MAX_DEPTH, Branch, Items, Leaf, Node, Origin, join, node_from
from lineside.config._redaction import is_secret_name
from lineside.config._typing import typed

MAX_BYTES = 1_048_576
MAX_NODES = 100_000
_SCALARS = {f"tag:yaml.org,2002:{tag}" for tag in ("null", "bool", "int", "float", "str", "timestamp")}
_COLLECTIONS = {f"tag:yaml.org,2002:{tag}" for tag in ("map", "seq")}
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"


def read_yaml(path: Path, *, variables: Mapping[str, str]) -> Branch | None:
    """Read a file.

    Args:
        path: The file.
        variables: What ``${VAR}`` may refer to.

    Returns:
        Its content, or None when there is no such file.

    Raises:
        ConfigFileError: It cannot be read, is not YAML, or is over 1 MiB.
        UnsetVariableError: A ``${VAR}`` without default is not set.
    """
    text = _text_of(path)
    if text is None:
        return None
    yaml = yaml_module()
    root, error = _compose(yaml, text)
    if error is not None:
        # Raised here, not inside `except`: the reader's own error quotes the line, which may hold a secret.
        raise ConfigFileError(str(path), line=error[0], reason=error[1])
    origin = Origin("file", str(path), 1)
    if root is None or root.tag == _NULL:
        return Branch({}, origin)
    if root.id != "mapping":
        raise ConfigFileError(
            str(path), line=1, reason="the top level is not a map; start with a key such as 'app:'"
        )
    node = _Walker(str(path), variables, yaml.SafeLoader("")).walk(root, "", 0)
    return node if isinstance(node, Branch) else Branch({}, origin)


def _text_of(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigFileError(str(path), reason=f"cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise ConfigFileError(str(path), reason=f"is larger than {MAX_BYTES} bytes; move data elsewhere")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    raise ConfigFileError(str(path), line=line, reason="is not UTF-8; save it as UTF-8")


def _compose(yaml: Any, text: str) -> tuple[Any, tuple[int | None, str] | None]:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader), None
    except yaml.error.MarkedYAMLError as error:
        # What was never closed is found where it was opened, not where the file ends.
        unclosed = error.problem is not None and "end of stream" in error.problem
        mark = (unclosed and error.context_mark) or error.problem_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        if "'\\t'" in problem:
            problem = "a tab stands where YAML takes spaces only; indent with spaces"
        return None, (mark.line + 1 if mark else None, f"broken YAML: {_without_quotes(problem)}")
    except yaml.error.YAMLError as error:
        position = getattr(error, "position", None)
        line = None if position is None else text.count("\n", 0, position) + 1
        return None, (line, "broken YAML: a character that YAML does not allow")
    except RecursionError:
        return None, (None, f"is nested deeper than {MAX_DEPTH} levels; flatten it")


def _without_quotes(problem: str) -> str:
    """Drop names quoted from the file: ``password: *hunter2`` is an alias to the reader."""
    return re.sub(r"'(?!<)[^']{2,}'", "'...'", problem)


class _Walker:
    """Turns the reader's nodes into ours."""

    def __init__(self, file: str, variables: Mapping[str, str], loader: Any) -> None:
        self._file = file
        self._variables = variables
        self._loader = loader
        self._count = 0

    def walk(self, node: Any, key: str, depth: int) -> Node:
        self._count += 1
        if depth > MAX_DEPTH:
            raise self._error(node, f"{key!r} is nested deeper than {MAX_DEPTH} levels; flatten it")
        if self._count > MAX_NODES:
            raise self._error(node, f"holds more than {MAX_NODES} values once aliases are expanded")
        self._refuse_tag(node, key)
        if node.id == "mapping":
            children: dict[str, Node] = {}
            for name, child in self._pairs(node, depth):
                children[name] = self.walk(child, join(key, name), depth + 1)
            return Branch(children, self._origin(node))
        if node.id == "sequence":
            items = [self.walk(child, join(key, str(i)), depth + 1) for i, child in enumerate(node.value)]
            return Items(tuple(items), self._origin(node))
        return self._scalar(node, key)

    def _pairs(self, node: Any, depth: int) -> Iterator[tuple[str, Any]]:
        """Yield each key once: what ``<<`` brings first, then the map's own keys."""
        if depth > MAX_DEPTH:
            raise self._error(node, f"'<<' is nested deeper than {MAX_DEPTH} levels")
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for name_node, child in node.value:
            if name_node.tag == _MERGE:
                for base in reversed(child.value if child.id == "sequence" else [child]):
                    merged.update(self._merged_pairs(base, depth))
                continue
            name = self._name(name_node)
            if name in own:
                raise self._error(name_node, f"the key {name!r} is written twice in one map; remove one")
            own[name] = child
        yield from (merged | own).items()

    def _merged_pairs(self, base: Any, depth: int) -> Iterator[tuple[str, Any]]:
        if base.id != "mapping":
            raise self._error(base, "'<<' takes a map or a list of maps")
        self._refuse_tag(base, "<<")
        return self._pairs(base, depth + 1)

    def _name(self, node: Any) -> str:
        if node.id == "scalar" and node.tag in _SCALARS - {_NULL} and node.value:
            return str(node.value)
        raise self._error(node, "a key is not a plain name")

    def _refuse_tag(self, node: Any, key: str) -> None:
        """Refuse what asks for another type: ``!!python/object/apply:os.system [...]`` is no list."""
        if node.tag not in (_SCALARS if node.id == "scalar" else _COLLECTIONS):
            what = repr(key) if key else "the top level"
            raise self._error(node, f"{what} has a tag that a configuration cannot hold; write a plain value")

    def _scalar(self, node: Any, key: str) -> Node:
        if node.tag == "tag:yaml.org,2002:str":
            return self._expanded(node, key)
        try:
            value = self._loader.construct_object(node)
        except (ValueError, OverflowError):
            raise self._error(node, f"{key!r} is a number or date out of range; quote it") from None
        return Leaf(value, self._origin(node), text=None if value is None else str(node.value))

    def _expanded(self, node: Any, key: str) -> Node:
        origin = self._origin(node)
        problem: ConfigFileError
        try:
            outcome = expand(node.value, variables=self._variables)
        except UnsetReferenceError as error:
            problem = UnsetVariableError(
                self._file, line=origin.line or 1, key=key, variable=str(error.args[0])
            )
        except MalformedReferenceError as error:
            problem = self._error(node, f"{key!r} {error}")
        else:
            hidden = tuple(value for name, value in outcome.used.items() if is_secret_name(name) and value)
            if not outcome.whole:
                return Leaf(outcome.text, origin, hidden=hidden, variables=tuple(outcome.used))
            built = node_from(typed(outcome.text), origin=origin, key=key, hidden=hidden)
            if isinstance(built, Leaf):
                return replace(built, text=outcome.text, variables=tuple(outcome.used))
            return replace(built, text=outcome.text)
        raise problem

    def _origin(self, node: Any) -> Origin:
        return Origin("file", self._file, node.start_mark.line + 1)

    def _error(self, node: Any, reason: str) -> ConfigFileError:
        return ConfigFileError(self._file, line=node.start_mark.line + 1, reason=reason)
