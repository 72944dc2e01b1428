"""``${VAR}`` and ``${VAR:-default}`` inside a value, as a POSIX shell reads them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_TOKEN = re.compile(r"\$\$\{|\$\{|[{}]")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(:-|\})")
_MAX_NESTING = 16
MAX_EXPANDED = 1_048_576
"""Characters one value may expand to."""


class MalformedReferenceError(ValueError):
    """A ``${`` that is not closed or names no variable."""


class UnsetReferenceError(LookupError):
    """A reference without default to a variable that is not set; the argument is its name."""


@dataclass(frozen=True, slots=True)
class _Reference:
    name: str
    default: "tuple[_Part, ...] | None"


_Part = str | _Reference


@dataclass(frozen=True, slots=True, repr=False)
class Expanded:
    """A text with its references replaced.

    Attributes:
        text: The outcome.
        used: The variables that gave their value, with that value.
        whole: Whether the text was one reference and nothing else.
    """

    text: str
    used: Mapping[str, str]
    whole: bool


def expand(text: str, *, variables: Mapping[str, str]) -> Expanded:
    """Replace the references in a text.

    Args:
        text: Any text; ``$${`` stands for a literal ``${``.
        variables: The values to use. A default counts when the variable is unset or empty.

    Returns:
        The expanded text.

    Raises:
        MalformedReferenceError: A reference that cannot be read, or an outcome over 1 MiB.
        UnsetReferenceError: A variable that is not set and has no default.
    """
    if "${" not in text:
        return Expanded(text, {}, whole=False)
    parts, _ = _parse(text, 0, nesting=0)
    used: dict[str, str] = {}
    expanded = _evaluate(parts, variables, used)
    if len(expanded) > MAX_EXPANDED:
        raise MalformedReferenceError(f"expands to more than {MAX_EXPANDED} characters")
    return Expanded(expanded, used, whole=len(parts) == 1 and isinstance(parts[0], _Reference))


def _parse(text: str, start: int, *, nesting: int) -> tuple[tuple[_Part, ...], int]:
    """Read parts from ``start``; inside a default (nesting > 0) stop behind its closing brace."""
    if nesting > _MAX_NESTING:
        raise MalformedReferenceError(f"nests references deeper than {_MAX_NESTING}")
    parts: list[_Part] = []
    braces = 0
    while (token := _TOKEN.search(text, start)) is not None:
        _add_text(parts, text[start : token.start()])
        start = token.end()
        if token.group() == "${":
            reference, start = _parse_reference(text, start, nesting=nesting)
            parts.append(reference)
        elif token.group() == "}" and nesting and not braces:
            return tuple(parts), start
        else:
            # Braces of the default itself balance, so that ${OPTIONS:-{}} means what it says.
            braces += {"{": 1, "}": -1}.get(token.group(), 0)
            _add_text(parts, token.group().removeprefix("$"))
    if nesting:
        raise MalformedReferenceError("has a ${ without its closing }")
    _add_text(parts, text[start:])
    return tuple(parts), len(text)


def _add_text(parts: list[_Part], text: str) -> None:
    if text:
        parts.append(text)


def _parse_reference(text: str, start: int, *, nesting: int) -> tuple[_Reference, int]:
    match = _NAME.match(text, start)
    if match is None:
        raise MalformedReferenceError(
            "has a ${ that is neither ${VAR} nor ${VAR:-default}; write $${ for a plain ${"
        )
    if match.group(2) == "}":
        return _Reference(match.group(1), None), match.end()
    default, end = _parse(text, match.end(), nesting=nesting + 1)
    return _Reference(match.group(1), default), end


def _evaluate(parts: tuple[_Part, ...], variables: Mapping[str, str], used: dict[str, str]) -> str:
    return "".join(part if isinstance(part, str) else _resolve(part, variables, used) for part in parts)


def _resolve(reference: _Reference, variables: Mapping[str, str], used: dict[str, str]) -> str:
    value = variables.get(reference.name)
    if reference.default is not None and not value:
        # Only now: a default that is not needed may name variables that are not set.
        return _evaluate(reference.default, variables, used)
    if value is None:
        raise UnsetReferenceError(reference.name)
    used[reference.name] = value
    return value
