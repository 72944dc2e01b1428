"""An identity ends, and a fresh token takes its place (HUB-AUTH-08)."""

import pytest

from lineside.cable import Identity, IdentityMismatch
from lineside.cable._auth._expiry import is_expired, refreshed, seconds_left
from lineside.cable._protocol._identity import GUEST

ANN = Identity(id="ann", expires_at=100.0, permissions=frozenset({"join:room"}))


def test_the_time_that_is_left() -> None:
    """Never negative; None for ever."""
    assert seconds_left(ANN, 40.0) == 60.0
    assert seconds_left(ANN, 100.0) == seconds_left(ANN, 140.0) == 0.0
    assert seconds_left(Identity(id="ann"), 40.0) is None


def test_an_identity_is_over_in_its_last_second() -> None:
    """Not before, and never without an end."""
    assert not is_expired(ANN, 99.9)
    assert is_expired(ANN, 100.0)
    assert not is_expired(GUEST, 1e12)


def test_a_fresh_token_brings_its_rights_and_its_end() -> None:
    """A right that was taken away is gone."""
    fresh = Identity(id="ann", expires_at=200.0)
    assert refreshed(ANN, fresh) is fresh


@pytest.mark.parametrize(
    ("current", "fresh"),
    [
        (ANN, Identity(id="bob")),
        (ANN, Identity(id="Ann")),
        (ANN, Identity()),
        (ANN, GUEST),
        (ANN, Identity(id="ann", anonymous=True)),
        (GUEST, ANN),
        (GUEST, GUEST),
        (Identity(), Identity()),
        (Identity(identifiers={"user": 1}, anonymous=True), Identity(identifiers={"user": 1})),
        (Identity(identifiers={"user": 1}), Identity(identifiers={"user": 2})),
        (Identity(identifiers={"user": 1}), Identity()),
        (Identity(identifiers={"user": 1}), ANN),
    ],
)
def test_a_token_of_somebody_else_is_refused(current: Identity, fresh: Identity) -> None:
    """A connection does not change hands: its subscriptions were allowed to the one who opened it."""
    with pytest.raises(IdentityMismatch):
        refreshed(current, fresh)


def test_identifiers_stand_in_for_an_id() -> None:
    """As AnyCable's tokens have only these."""
    fresh = Identity(identifiers={"user": 1}, expires_at=200.0)
    assert refreshed(Identity(identifiers={"user": 1}), fresh) is fresh
