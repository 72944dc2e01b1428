"""Route constraints whose time grows with the length of the value and with nothing else.

`re` tries one way after another and can need years for ``(a+)+b``. Here a pattern becomes a
position automaton (Glushkov 1961), and all ways advance together, one character at a time.
What an automaton cannot do (look-around, backreferences) is refused when the route is declared.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lineside.exceptions import RoutingError

__all__ = ["Pattern", "compile_constraint"]

MAX_VALUE_CHARS: Final = 256
MAX_PATTERN_CHARS: Final = 1_000
MAX_POSITIONS: Final = 512
_MAX_DEPTH: Final = 50

_INSTEAD: Final = "pass a function instead of a pattern"
_COUNT = re.compile(r"\{(?:([0-9]{1,4})?(,)([0-9]{1,4})?|([0-9]{1,4}))\}", re.ASCII)
_ESCAPE = re.compile(r"\\(?:[dDwWsSnrtfva]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[^A-Za-z0-9])", re.DOTALL)
_CLASS = re.compile(r"\[\^?\]?(?:[^\]\\]|\\.)*+\]", re.DOTALL)
_GROUP = re.compile(r"\((?:\?:|\?P<[A-Za-z_]\w*>|(?!\?))", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Atom:
    """One character of the value."""

    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: "Sequence[_Node]"


@dataclass(frozen=True, slots=True)
class _Choice:
    branches: "Sequence[_Node]"


@dataclass(frozen=True, slots=True)
class _Repeat:
    """``part`` at least ``least`` times; ``most`` None means without end."""

    part: "_Node"
    least: int
    most: int | None


_Node = _Atom | _Sequence | _Choice | _Repeat


class _Parser:
    """Reads the usual subset of `re`, by recursive descent."""

    def __init__(self, pattern: str, parameter: str) -> None:
        self.text = pattern
        self.parameter = parameter
        self.at = 0
        self.depth = 0

    def error(self, reason: str) -> RoutingError:
        return RoutingError(
            f"constraint of {self.parameter!r}: {reason} (pattern {self.text!r}, position {self.at})"
        )

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def parse(self) -> _Node:
        if len(self.text) > MAX_PATTERN_CHARS:
            raise self.error(f"the pattern is longer than {MAX_PATTERN_CHARS} characters; {_INSTEAD}")
        node = self.choice()
        if self.at < len(self.text):
            raise self.error("this ')' closes nothing; write '\\)' for the character")
        return node

    def choice(self) -> _Node:
        branches = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            branches.append(self.sequence())
        return branches[0] if len(branches) == 1 else _Choice(branches)

    def sequence(self) -> _Node:
        parts: list[_Node] = []
        while self.peek() not in ("", "|", ")"):
            if not self.anchor():
                parts.append(self.repeated(self.single()))
        return _Sequence(parts)

    def anchor(self) -> bool:
        """Skip ``^`` and ``$`` at the ends, where the whole value is meant anyway."""
        char, last = self.peek(), self.at == len(self.text) - 1
        if char not in ("^", "$"):
            return False
        if (char == "^" and self.at > 0) or (char == "$" and not last):
            raise self.error(f"{char!r} belongs at the {'start' if char == '^' else 'end'} of the pattern")
        self.at += 1
        if self.peek() in ("*", "+", "?", "{"):
            raise self.error("nothing to repeat")
        return True

    def single(self) -> _Node:
        char = self.peek()
        if char == "(":
            return self.group()
        if char in ("*", "+", "?"):
            raise self.error("nothing to repeat")
        if char == "{":
            raise self.error("this '{' repeats nothing; write '\\{' for the character")
        known = {"[": _CLASS, "\\": _ESCAPE}.get(char)
        if known is None:
            token = char if char == "." else re.escape(char)
            self.at += 1
        else:
            match = known.match(self.text, self.at)
            if match is None:
                problem = "the '[' is never closed" if char == "[" else "this escape is not supported"
                raise self.error(f"{problem}; {_INSTEAD} if you need more")
            token = match[0]
            self.at = match.end()
        try:
            return _Atom(re.compile(token, re.ASCII))
        except re.error as error:
            raise self.error(str(error)) from None

    def group(self) -> _Node:
        match = _GROUP.match(self.text, self.at)
        if match is None:
            raise self.error(f"look-around, flags and backreferences are not supported; {_INSTEAD}")
        if self.depth == _MAX_DEPTH:
            raise self.error(f"groups are nested more than {_MAX_DEPTH} deep; {_INSTEAD}")
        opened, self.at = self.at, match.end()
        self.depth += 1
        node = self.choice()
        self.depth -= 1
        if self.peek() != ")":
            self.at = opened
            raise self.error("the '(' is never closed")
        self.at += 1
        return node

    def repeated(self, part: _Node) -> _Node:
        bounds = self.bounds()
        if bounds is None:
            return part
        least, most = bounds
        if most is not None and least > most:
            raise self.error(f"the least count {least} is above the most {most}")
        if self.peek() == "?":
            self.at += 1  # lazy: finds another match first, but accepts the same values
        if self.peek() == "+":
            raise self.error(f"possessive repeats are not supported; {_INSTEAD}")
        if self.peek() and self.peek() in "*?{":
            raise self.error("a repeat of a repeat; put the inner one in a group")
        return _Repeat(part, least, most)

    def bounds(self) -> tuple[int, int | None] | None:
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        char = self.peek()
        if char in simple:
            self.at += 1
            return simple[char]
        match = _COUNT.match(self.text, self.at)
        if match is None:
            if char == "{":
                raise self.error("this '{' is no count; write '\\{' for the character")
            return None
        self.at = match.end()
        least, comma, most, exactly = match.groups()
        if comma is None:
            return int(exactly), int(exactly)
        return int(least or 0), int(most) if most else None


def _size(node: _Node) -> int:
    """Count positions before any is made: ``((x{99}){99}){99}`` must not cost memory first."""
    if isinstance(node, _Atom):
        return 1
    if isinstance(node, _Repeat):
        return _size(node.part) * max(node.least, 1 if node.most is None else node.most)
    return sum(map(_size, node.parts if isinstance(node, _Sequence) else node.branches))


@dataclass(frozen=True, slots=True)
class _Fragment:
    """A part of the automaton: where it may begin and end, as sets of positions (one bit each)."""

    first: int = 0
    last: int = 0
    nullable: bool = True


class Pattern:
    """A compiled pattern; immutable once made, safe in many threads.

    Attributes:
        pattern: The pattern as it was declared.
    """

    def __init__(self, pattern: str, node: _Node, max_chars: int) -> None:
        self.pattern = pattern
        self._max_chars = max_chars
        self._atoms: list[re.Pattern[str]] = []
        self._follow: list[int] = []
        whole = self._build(node)
        self._places: dict[re.Pattern[str], int] = {}
        for index, atom in enumerate(self._atoms):
            self._places[atom] = self._places.get(atom, 0) | 1 << index
        self._end = 1 << len(self._atoms)
        self._link(whole.last, self._end)
        self._start = whole.first | (self._end if whole.nullable else 0)
        # Values repeat, so do steps: the caches turn the automaton into a table as it is used.
        self._mask = lru_cache(maxsize=256)(self._mask_of)
        self._step = lru_cache(maxsize=1_024)(self._step_from)

    def __repr__(self) -> str:
        return f"compile_constraint({self.pattern!r})"

    def fullmatch(self, value: str, /) -> bool:
        """Tell whether the whole value matches."""
        if len(value) > self._max_chars:
            return False
        states = self._start
        for char in value:
            states = self._step(states, char)
            if not states:
                return False
        return bool(states & self._end)

    def _mask_of(self, char: str) -> int:
        # Counts are written out as copies of the same few atoms: each of them is asked once.
        return sum(bits for atom, bits in self._places.items() if atom.fullmatch(char))

    def _step_from(self, states: int, char: str) -> int:
        hits, after = states & self._mask(char), 0
        while hits:
            lowest = hits & -hits
            after |= self._follow[lowest.bit_length() - 1]
            hits ^= lowest
        return after

    def _link(self, last: int, first: int) -> None:
        for index in range(last.bit_length()):
            if last >> index & 1:
                self._follow[index] |= first

    def _build(self, node: _Node) -> _Fragment:
        if isinstance(node, _Atom):
            self._atoms.append(node.pattern)
            self._follow.append(0)
            bit = 1 << (len(self._atoms) - 1)
            return _Fragment(bit, bit, nullable=False)
        if isinstance(node, _Choice):
            built = [self._build(branch) for branch in node.branches]
            first = last = 0
            for fragment in built:
                first, last = first | fragment.first, last | fragment.last
            return _Fragment(first, last, nullable=any(fragment.nullable for fragment in built))
        if isinstance(node, _Repeat):
            return self._repeat(node)
        whole = _Fragment()
        for part in node.parts:
            whole = self._then(whole, self._build(part))
        return whole

    def _then(self, left: _Fragment, right: _Fragment) -> _Fragment:
        self._link(left.last, right.first)
        return _Fragment(
            left.first | (right.first if left.nullable else 0),
            right.last | (left.last if right.nullable else 0),
            nullable=left.nullable and right.nullable,
        )

    def _repeat(self, node: _Repeat) -> _Fragment:
        """Write a count out as copies: those that must come, those that may, and a loop on the last."""
        whole = _Fragment()
        if not _size(node.part):
            return whole  # nothing, any number of times, is nothing
        copies = max(node.least, 1) if node.most is None else node.most
        for number in range(1, copies + 1):
            part = self._build(node.part)
            if node.most is None and number == copies:
                self._link(part.last, part.first)
            optional = part.nullable or number > node.least
            whole = self._then(whole, _Fragment(part.first, part.last, nullable=optional))
        return whole


def compile_constraint(pattern: str, *, parameter: str, max_chars: int = MAX_VALUE_CHARS) -> Pattern:
    r"""Compile a route constraint; the result matches as ``re.fullmatch(pattern, value, re.ASCII)``.

    Supported: characters and escapes, ``.``, classes, ``\d \w \s`` and their opposites, groups,
    ``|``, ``* + ? {m,n}`` and their lazy forms, and anchors at the ends.

    Args:
        pattern: The pattern, at most 1,000 characters and 512 positions once its counts are written out.
        parameter: The path parameter, for the error's text.
        max_chars: Longer values do not match, whatever the pattern.

    Returns:
        An object with ``fullmatch(value) -> bool``, linear in the length of the value.

    Raises:
        RoutingError: The pattern is wrong or unsupported; the message has parameter, pattern and position.
    """
    parser = _Parser(pattern, parameter)
    node = parser.parse()
    if _size(node) > MAX_POSITIONS:
        raise parser.error(f"its counts make more than {MAX_POSITIONS} positions; {_INSTEAD}")
    return Pattern(pattern, node, max_chars)
