"""The development report names the actions that never asked an ability anything."""

from lineside.abilities import AuthorizationLedger


def test_an_action_that_never_asked_is_named() -> None:
    """Asked once in any request is enough; never asked is named, sorted."""
    ledger = AuthorizationLedger()
    ledger.record("PostsController.show", asked=False)
    ledger.record("PostsController.show", asked=True)
    ledger.record("PostsController.show", asked=False)
    ledger.record("PostsController.update", asked=False)
    ledger.record("AboutController.show", asked=False)
    assert ledger.unauthorized() == ["AboutController.show", "PostsController.update"]
    assert ledger.report().splitlines() == [
        "2 of 3 actions never asked an ability:",
        "  AboutController.show",
        "  PostsController.update",
    ]


def test_a_clean_report_says_so() -> None:
    """Nothing forgotten is one line."""
    ledger = AuthorizationLedger()
    ledger.record("a", asked=True)
    assert ledger.report() == "all 1 actions asked an ability"


def test_what_never_ran_is_marked() -> None:
    """An action that was only expected is told from one that ran and forgot."""
    ledger = AuthorizationLedger()
    ledger.record("a", asked=True)
    ledger.record("b", asked=False)
    ledger.expect("b")
    ledger.expect("c")
    assert ledger.report().splitlines() == [
        "2 of 3 actions never asked an ability:",
        "  b",
        "  c (never requested)",
    ]


def test_a_copy_that_expects_more_leaves_the_ledger_alone() -> None:
    """What is expected of the copy is not reported by the original."""
    ledger = AuthorizationLedger(max_actions=2)
    ledger.record("a", asked=False)
    copied = ledger.expecting(["b", "c"])
    assert copied.unauthorized() == ["a", "b"]
    assert (copied.left_out, ledger.left_out) == (1, 0)
    assert ledger.unauthorized() == ["a"]


def test_the_ledger_is_bounded() -> None:
    """Further names are counted, not kept, and the report says so."""
    ledger = AuthorizationLedger(max_actions=1)
    for name in ("a", "b", "c"):
        ledger.record(name, asked=False)
    assert ledger.unauthorized() == ["a"]
    assert ledger.left_out == 2
    assert "2 runs of further actions" in ledger.report()
