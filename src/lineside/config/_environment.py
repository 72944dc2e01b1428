"""The environment: its name, and the variables that set keys."""

import re
from collections.abc import Mapping
from dataclasses import replace

from lineside.config._nodes import Branch, Node, Origin, child_of, merge, nested, node_from
from lineside.config._typing import typed
from lineside.exceptions import ConfigurationError

_SHORT = {
    "prod": "production",
    "live": "production",
    "dev": "development",
    "develop": "development",
    "testing": "test",
}


def environment_name(explicit: str | None, *, prefix: str, environ: Mapping[str, str]) -> str:
    """Decide the environment: the argument, then ``<PREFIX>_ENV``, then development.

    Args:
        explicit: The name that was passed, if any.
        prefix: The prefix of the variables.
        environ: The variables.

    Returns:
        The name in lower case.

    Raises:
        ConfigurationError: A name that is no plain word, is ``local``, or abbreviates a known one:
            ``prod`` would otherwise skip every production check without a word.
    """
    name = (explicit or environ.get(f"{prefix}_ENV") or "development").strip().lower()
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", name):
        raise ConfigurationError(f"{name!r} is not an environment name; use letters, digits, '_' and '-'")
    if name in _SHORT:
        raise ConfigurationError(f"unknown environment {name!r}; write {_SHORT[name]!r}")
    if name == "local":
        raise ConfigurationError("'local' cannot be an environment: config.local.yml is read in every one")
    return name


def variable_for(key: str, *, prefix: str) -> str:
    """Return the environment variable that sets a dotted key."""
    return f"{prefix}_{key.replace('.', '__').replace('-', '_').upper()}"


def checked_prefix(prefix: str) -> str:
    """Return the prefix in upper case.

    Raises:
        ConfigurationError: It is no variable name, which would let any variable set keys.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*(?<!_)", prefix):
        raise ConfigurationError(f"{prefix!r} is not a prefix for variables; use a word such as 'LINESIDE'")
    return prefix.upper()


def variables_layer(environ: Mapping[str, str], *, prefix: str) -> Branch:
    """Collect ``<PREFIX>_DATABASE__POOL=77`` and the like.

    Args:
        environ: The variables.
        prefix: Their prefix; ``<PREFIX>_ENV`` is the environment's name and sets no key.

    Returns:
        The keys, in lower case; the merge finds the spelling that the files use.

    Raises:
        ConfigurationError: A name with an empty part, or one variable that sets a plain value
            where another sets a key below it.
    """
    start = f"{prefix}_"
    tree = Branch({}, Origin("variable", f"{start}*"))
    names = [name for name in environ if name.startswith(start) and name != f"{prefix}_ENV"]
    for name in sorted(names, key=lambda name: (name.count("__"), name)):
        segments = name.removeprefix(start).lower().split("__")
        # "A___B" splits into "a" and "_b": nobody means a key that starts with "_".
        if not all(segments) or any(segment.startswith("_") for segment in segments):
            raise ConfigurationError(f"the variable {name} has an empty part; write {start}SECTION__KEY")
        _check_free(tree, segments, name)
        value = _typed(environ[name], Origin("variable", name), key=".".join(segments))
        tree = merge(tree, nested(segments, value))
    return tree


def _check_free(tree: Node, segments: list[str], name: str) -> None:
    node: Node | None = tree
    for segment in segments:
        if node is not None and not isinstance(node, Branch):
            raise ConfigurationError(
                f"{node.origin.name} sets a plain value, but {name} sets a key below it; unset one of them"
            )
        node = child_of(node, segment, fold=True)


def _typed(text: str, origin: Origin, *, key: str) -> Node:
    value = typed(text)
    node = node_from(value, origin=origin, key=key)
    return replace(node, text=value if isinstance(value, str) else text)
