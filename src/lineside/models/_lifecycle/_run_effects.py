"""How effects run once their transaction is over: each for itself, what it writes included."""

import logging
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy.orm import Session

from lineside.models._lifecycle._chain import settled
from lineside.models._lifecycle._current import calling_as

Effect = Callable[[], Any]

_logger = logging.getLogger("lineside.models")


def run_effects(session: Session, effects: list[Effect], *, is_over: bool, may_raise: bool = True) -> None:
    """Run every effect, also after one has failed.

    Args:
        session: The session whose transaction has ended.
        effects: What to run.
        is_over: Whether no transaction is around it: what an effect writes is then committed, or rolled
            back if it raises. Closing the session would roll it back in silence.
        may_raise: Whether their errors are raised. Else they are logged: another error is on its way, and
            gets a note of them.

    Raises:
        ExceptionGroup: Several have failed; the error of a single one is raised as it is.
    """
    failures: list[Exception] = []
    with calling_as(session), _outside_of_begin(session):
        for effect in effects:
            try:
                settled(effect(), "an effect of the transaction")
                if is_over and session.in_transaction():
                    session.commit()
            except Exception as error:  # noqa: BLE001 - raised below, when the others have run
                failures.append(error)
                if is_over and session.in_transaction():
                    session.rollback()
    if not may_raise:
        _report(failures)
    elif len(failures) == 1:
        raise failures[0]
    elif failures:
        raise ExceptionGroup("effects after the transaction failed", failures)


def _report(failures: Sequence[Exception]) -> None:
    error = sys.exc_info()[1]
    for failure in failures:
        _logger.error("an effect of a rollback has failed", exc_info=failure)
        if error is not None:
            error.add_note(f"After the rollback an effect failed as well, with {type(failure).__name__}.")


@contextmanager
def _outside_of_begin(session: Session) -> Generator[None]:
    """Leave the block of ``session.begin()``, which lets nobody use the session after its commit."""
    private: Any = session
    block, private._trans_context_manager = private._trans_context_manager, None
    try:
        yield
    finally:
        private._trans_context_manager = block
