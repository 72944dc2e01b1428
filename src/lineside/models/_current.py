"""The ambient session while callbacks run: the one that writes the record."""

from contextlib import AbstractContextManager

from sqlalchemy.ext.asyncio import async_session
from sqlalchemy.orm import Session

from lineside.models._ambient import use_session


def calling_as(session: Session) -> AbstractContextManager[None]:
    """Make a session the ambient one for callbacks: the ``AsyncSession`` around it, if there is one."""
    return use_session(async_session(session) or session)
