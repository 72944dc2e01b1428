"""Where callbacks run: in the session that writes their record, and asking as often as they need."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.ext.asyncio import async_session
from sqlalchemy.orm import Session

from lineside.models._association._n_plus_one import allow_n_plus_one
from lineside.models._connection._ambient import use_session


@contextmanager
def calling_as(session: Session) -> Generator[None]:
    """Make a session the ambient one for callbacks: the ``AsyncSession`` around it, if there is one.

    Saving N records takes N statements: the queries of their validations and callbacks are no N+1.
    """
    with use_session(async_session(session) or session), allow_n_plus_one():
        yield
