"""The id of the request that is being served."""

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")

current_request_id: Final[ContextVar[str | None]] = ContextVar("lineside_request_id", default=None)
"""Set by the middleware; code reads it through ``request_id``."""


def request_id() -> str | None:
    """Return the id of the request or WebSocket that is being served.

    Returns:
        The id, or None outside of a request. Tasks that are started in a request keep its id.
    """
    return current_request_id.get()


def new_request_id() -> str:
    """Return a fresh id, a random UUID (RFC 9562 section 5.4)."""
    # What str(uuid.uuid4()) gives, at a third of the time: each request pays for it.
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def accept_request_id(header: str | None) -> str:
    """Return the id that a peer sent if it is well-formed, otherwise a fresh one.

    Well-formed are 1 to 128 of the characters ``A-Z a-z 0-9 . _ -``: an id goes into logs and
    response headers, so it holds nothing that could break a line or be taken for markup. Rails
    removes what does not fit and keeps the rest; here the caller sees that its id was not taken.

    Args:
        header: The value of ``X-Request-ID`` as it came, None when there was none.
    """
    if header is not None and _WELL_FORMED.fullmatch(header):
        return header
    return new_request_id()


@contextmanager
def using_request_id(identifier: str) -> Generator[None]:
    """Give a block the id of a request, for instance that of the request which enqueued a job.

    Args:
        identifier: The id; one from outside goes through ``accept_request_id`` first.
    """
    token = current_request_id.set(identifier)
    try:
        yield
    finally:
        current_request_id.reset(token)
