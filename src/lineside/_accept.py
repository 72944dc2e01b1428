"""The ``Accept`` header as a client means it (RFC 9110 section 12.5.1).

No web framework here: errors and views both choose a format with it, and neither imports the other.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = ["MAX_ACCEPT_CHARS", "MediaRange", "best_match", "parse_accept", "quality"]

MAX_ACCEPT_CHARS: Final = 1_024
"""Longer headers are cut at the last comma before this, so that no client buys work or memory with one."""

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PART = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_RANGE = re.compile(rf"\s*({_WORD})/({_WORD})\s*")
_PARAMETER = re.compile(rf'\s*;\s*(?:({_WORD})=({_WORD}|"(?:[^"\\]|\\.)*"))?\s*')
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


class MediaRange(NamedTuple):
    """One part of an ``Accept`` header.

    Attributes:
        type: The type in lower case, ``"*"`` for any.
        subtype: The subtype in lower case, ``"*"`` for any.
        parameters: The parameters without weight and charset, which never changes what we send.
        q: The weight, 0.0 (never send this) to 1.0.
    """

    type: str
    subtype: str
    parameters: frozenset[tuple[str, str]]
    q: float

    @property
    def specificity(self) -> int:
        """How exact the range is: ``*/*`` 0, ``text/*`` 1, ``text/html`` 2, one more per parameter."""
        if self.type == "*":
            return 0
        return 1 if self.subtype == "*" else 2 + len(self.parameters)

    def matches(self, offered: "MediaRange") -> bool:
        """Tell whether a media type that we offer lies in this range."""
        return (
            self.type in ("*", offered.type)
            and self.subtype in ("*", offered.subtype)
            and self.parameters <= offered.parameters
        )


def _parameters(text: str) -> tuple[frozenset[tuple[str, str]], float] | None:
    """Read ``;name=value`` up to the weight; None when the text breaks the grammar."""
    found: set[tuple[str, str]] = set()
    at = 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None:
            return None
        at = match.end()
        if match[1] is None:
            continue
        name, value = match[1].lower(), match[2].strip('"').lower()
        if name == "q":
            # What follows the weight was once an extension and has no meaning now.
            return (frozenset(found), float(value)) if _WEIGHT.fullmatch(value) else None
        if name != "charset":
            found.add((name, value))
    return frozenset(found), 1.0


@lru_cache(maxsize=256)
def _parse(header: str) -> tuple[MediaRange, ...]:
    ranges: list[MediaRange] = []
    for part in _PART.findall(header):
        head = _RANGE.match(part)
        if head is None or (head[1] == "*" and head[2] != "*"):
            continue
        rest = _parameters(part[head.end() :])
        if rest is not None:
            ranges.append(MediaRange(head[1].lower(), head[2].lower(), *rest))
    return tuple(ranges)


def _bounded(header: str) -> str:
    if len(header) <= MAX_ACCEPT_CHARS:
        return header
    return header[: header.rfind(",", 0, MAX_ACCEPT_CHARS) + 1]


def parse_accept(header: str) -> tuple[MediaRange, ...]:
    """Read an ``Accept`` header.

    Args:
        header: The header's value; several headers are joined with a comma.

    Returns:
        The ranges in the client's order. A part that breaks the grammar is left out.
    """
    return _parse(_bounded(header))


def _quality(ranges: Sequence[MediaRange], media_type: str) -> tuple[float, int]:
    """Return weight and specificity of the most specific range that matches."""
    (offered,) = _parse(media_type)
    best = max(
        (known for known in ranges if known.matches(offered)),
        key=lambda known: (known.specificity, known.q),
        default=None,
    )
    return (0.0, -1) if best is None else (best.q, best.specificity)


def quality(header: str, media_type: str) -> tuple[float, int]:
    """Tell how much a client wants one media type.

    Args:
        header: The ``Accept`` header's value.
        media_type: A media type such as ``"application/json"``.

    Returns:
        The weight (0.0 to 1.0; 0.0 when not accepted) and the specificity of the range that gave
        it: -1 none, 0 ``*/*``, 1 ``type/*``, 2 the type itself, more when parameters matched too.
    """
    return _quality(parse_accept(header), media_type)


@lru_cache(maxsize=512)
def _best(header: str, offered: tuple[str, ...]) -> str | None:
    ranges = _parse(header)
    ranked = [(*_quality(ranges, media_type), media_type) for media_type in offered]
    # max() keeps the first of equals: the server's order decides between them.
    weight, _, best = max(ranked, key=lambda entry: entry[:2], default=(0.0, -1, ""))
    return best if weight > 0 else None


def best_match(header: str | None, offered: Sequence[str]) -> str | None:
    """Choose the media type to answer with.

    The highest weight wins; between equal weights the type that the client named more exactly,
    then the one that is offered first.

    Args:
        header: The ``Accept`` header's value. None or empty means that anything will do.
        offered: The media types we can send, the preferred one first.

    Returns:
        One of ``offered``, or None when the client accepts none of them.
    """
    if header is None or not header.strip():
        return offered[0] if offered else None
    return _best(_bounded(header), tuple(offered))
