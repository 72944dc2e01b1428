"""The check that no action was forgotten, over a whole test run."""

from collections.abc import Collection

from lineside.abilities import AuthorizationLedger

__all__ = ["assert_all_authorized"]


def assert_all_authorized(ledger: AuthorizationLedger, *, except_: Collection[str] = ()) -> None:
    """Fail if an action ran and never asked an ability anything.

    Args:
        ledger: The ledger that was given to ``ability_for(ledger=...)``.
        except_: Names of actions that are open to everybody, as the report writes them.

    Raises:
        AssertionError: With the ledger's report.
    """
    forgotten = [name for name in ledger.unauthorised() if name not in except_]
    if forgotten:
        raise AssertionError(f"never authorized: {', '.join(forgotten)}\n{ledger.report()}")
