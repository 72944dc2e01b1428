"""Effects of your own that wait for the transaction: jobs, mail, broadcasts."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from lineside.models._ambient import AnySession, current_session
from lineside.models._unit import Unit


def after_all_transactions_commit(effect: Callable[[], Any], *, session: AnySession | None = None) -> None:
    """Run something once the transaction is committed, and never if it is rolled back.

    Inside a savepoint it waits for the transaction around it, too (as Rails'
    ``ActiveRecord.after_all_transactions_commit``). Effects run in the order in which they came.

    Args:
        effect: A function without arguments, sync or async. It must not raise: what it was about is
            committed. When it does, the other effects run and the caller of COMMIT gets the error.
        session: The session; default: the ambient one.

    Raises:
        NoSessionError: No session was named and there is no ambient one.
    """
    found = _sync_side(session, "after_all_transactions_commit()")
    Unit.of(found).effects.after_commit(found, effect)


def after_rollback_of_transaction(effect: Callable[[], Any], *, session: AnySession | None = None) -> None:
    """Run something if the innermost transaction or savepoint, or one around it, is rolled back.

    Args:
        effect: A function without arguments, sync or async.
        session: The session; default: the ambient one.

    Raises:
        NoSessionError: No session was named and there is no ambient one.
    """
    found = _sync_side(session, "after_rollback_of_transaction()")
    Unit.of(found).effects.after_rollback(found, effect)


def _sync_side(session: AnySession | None, what: str) -> Session:
    found = current_session(what) if session is None else session
    return found.sync_session if isinstance(found, AsyncSession) else found
