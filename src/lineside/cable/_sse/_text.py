"""The text of an event stream (WHATWG HTML, section 9.2.6 "Interpreting an event stream")."""

import re
from typing import Final

__all__ = ["block", "one_line"]

_LINE_ENDS: Final = re.compile("[\r\n\0]+")


def one_line(text: str) -> str:
    """Return a text without line ends: in a field they would begin another one.

    Args:
        text: An event's name, or JSON, whose line ends are blanks without meaning.
    """
    return _LINE_ENDS.sub(" ", text) if _LINE_ENDS.search(text) else text


def block(
    data: str | None = None,
    *,
    event: str | None = None,
    event_id: str | None = None,
    retry_ms: int | None = None,
) -> str:
    """Return one event.

    Args:
        data: Its data; None dispatches nothing, but the id holds.
        event: Its name; None for ``message``.
        event_id: What the client sends back as ``Last-Event-ID``.
        retry_ms: How long it waits from now on before it connects again.
    """
    lines: list[str] = []
    if event_id is not None:
        lines.append(f"id: {one_line(event_id)}\n")
    if event is not None:
        lines.append(f"event: {one_line(event)}\n")
    if retry_ms is not None:
        lines.append(f"retry: {retry_ms}\n")
    if data is not None:
        lines.append(f"data: {one_line(data)}\n")
    lines.append("\n")
    return "".join(lines)
