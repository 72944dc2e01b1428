"""Effects of your own that wait for the transaction: jobs, mail, broadcasts."""

from collections.abc import Callable
from typing import Any

from lineside.models._connection._ambient import AnySession, current_session, sync_side
from lineside.models._lifecycle._unit import Unit


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
    found = sync_side(current_session("after_all_transactions_commit()") if session is None else session)
    Unit.of(found).effects.after_commit(found, effect)
