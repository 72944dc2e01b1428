"""The session that is meant when none is named: that of the request, the job or the block."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar

from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.util.concurrency import in_greenlet

from lineside.models._exceptions import NoSessionError

AnySession = AsyncSession | Session
"""A session of SQLAlchemy or SQLModel, async or sync."""

_SYNC: Final = (
    "write `with database.sync_session():` around it, or `with use_session(session):`, or pass session="
)
_SYNC_INSTEAD: Final = (
    "await the same method without `.sync`, or write `with database.sync_session():` for work without `await`"
)
_current: ContextVar[AnySession | None] = ContextVar("lineside_session", default=None)
_Result = TypeVar("_Result")

_SHARED: Final = (
    "Several tasks use this session at once; open a session of its own in each: "
    "`async with database.session():`."
)
_REMEDIES: Final = {
    "concurrent operations are not permitted": _SHARED,
    "Session is already flushing": _SHARED,
    "is already in progress": _SHARED,
    "permanently closed": "Its block has ended; open another session: `async with database.session():`.",
}


@contextmanager
def use_session(session: AnySession) -> Generator[None]:
    """Make a session the ambient one inside a block, also one that lineside did not open.

    Args:
        session: Any session; it is neither committed nor closed here.
    """
    token = _current.set(session)
    try:
        yield
    finally:
        _current.reset(token)


def current_session(what: str = "this query") -> AnySession:
    """Return the ambient session.

    Args:
        what: What needs it, for the error.

    Raises:
        NoSessionError: There is none.
    """
    session = _current.get()
    if session is None:
        raise NoSessionError(what)
    return session


def current_sync_session(what: str = "this query") -> Session:
    """Return the ambient session for work without ``await``.

    Args:
        what: What needs it, for the error.

    Raises:
        NoSessionError: There is none, or it is async.
    """
    session = _current.get()
    if session is None:
        raise NoSessionError(what, remedy=_SYNC)
    return without_await(session, what)


def without_await(session: AnySession, what: str) -> Session:
    """Return a session for work without ``await``.

    An ``AsyncSession`` has one inside. Only code that it runs itself may use that, a sync callback for
    instance: its calls are awaited further out.

    Args:
        session: Any session.
        what: What needs it, for the error.

    Raises:
        NoSessionError: It is async, and this is code that has to await.
    """
    if not isinstance(session, AsyncSession):
        return session
    if not in_greenlet():
        raise NoSessionError(f"{what}, which finds an AsyncSession,", remedy=_SYNC_INSTEAD)
    return session.sync_session


def sync_side(session: AnySession) -> Session:
    """Return the ORM's session, on which an ``AsyncSession`` stands."""
    return session.sync_session if isinstance(session, AsyncSession) else session


async def run(work: Callable[[Session], _Result], session: AnySession | None, what: str) -> _Result:
    """Run work that is written for a sync session on the named or the ambient one.

    Everything here that talks to the database is written once, for `sqlalchemy.orm.Session`, as
    SQLAlchemy itself is: on an ``AsyncSession`` it runs in a greenlet, where `await_only` waits.

    Args:
        work: What to do.
        session: The session to use; None means the ambient one.
        what: What needs it, for the error.

    Raises:
        NoSessionError: No session was named and there is no ambient one.
    """
    chosen = current_session(what) if session is None else session
    if not isinstance(chosen, AsyncSession):
        return work(chosen)
    try:
        return await chosen.run_sync(work)
    except InvalidRequestError as error:
        # SQLAlchemy says what is wrong, and not what to do.
        for sign, remedy in _REMEDIES.items():
            if sign in str(error):
                error.add_note(remedy)
        raise
