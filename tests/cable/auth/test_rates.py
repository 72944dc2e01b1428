"""How often something may happen (T19: reconnect storms; floods of messages)."""

import pytest

from lineside.cable import CloseCode, ErrorCode, TooManyAttempts
from lineside.cable._auth._rates import ConnectionRates, TokenBucket, peer_key
from tests.cable.auth.scopes import Clock, websocket


def test_a_burst_passes_and_the_next_does_not() -> None:
    """Then the rate decides."""
    clock = Clock(0.0)
    bucket = TokenBucket(2.0, 3, clock)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    assert bucket.seconds_until() == 0.5
    clock.now += 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]


def test_a_bucket_does_not_overflow() -> None:
    """A day of silence is worth one burst."""
    clock = Clock(0.0)
    bucket = TokenBucket(100.0, 2, clock)
    clock.now += 86_400
    assert bucket.full
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    assert not bucket.full


def test_a_large_request_takes_all_or_nothing() -> None:
    """A refusal costs nothing."""
    bucket = TokenBucket(1.0, 5, Clock(0.0))
    assert not bucket.take(6)
    assert bucket.take(5)
    assert not bucket.take(0.5)


def test_over_a_long_time_the_rate_holds() -> None:
    """Burst plus rate times time, to the token."""
    clock = Clock(0.0)
    bucket = TokenBucket(8.0, 10, clock)
    taken = 0
    for _ in range(6_400):
        clock.now += 1 / 64
        taken += bucket.take()
    assert 800 <= taken <= 810


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0), (float("nan"), 1), (1, float("nan"))])
def test_a_rate_that_lets_nothing_through_is_a_mistake(rate: float, burst: int) -> None:
    """Of the setting, found at the start."""
    with pytest.raises(ValueError, match="a rate is positive"):
        TokenBucket(rate, burst)
    with pytest.raises(ValueError, match="a rate is positive"):
        ConnectionRates(rate, burst)


def test_one_peer_does_not_use_up_anothers_attempts() -> None:
    """And is told when to come back."""
    rates = ConnectionRates(0.5, 2, clock=Clock(0.0))
    rates.check("a")
    rates.check("a")
    with pytest.raises(TooManyAttempts) as caught:
        rates.check("a")
    rates.check("b")
    assert caught.value.retry_after_seconds == 2.0
    assert caught.value.status_hint == 429
    assert caught.value.code == ErrorCode.RATE_LIMITED
    assert caught.value.close_code == CloseCode.RATE_LIMITED == 4429


def test_the_table_of_peers_is_bounded() -> None:
    """A million addresses take the room of a hundred; who is there all the time is kept."""
    rates = ConnectionRates(1.0, 2, peers=100, clock=Clock(0.0))
    rates.check("steady")
    rates.check("steady")
    for number in range(10_000):
        rates.check(f"peer {number}")
        if number % 50 == 0:
            with pytest.raises(TooManyAttempts):
                rates.check("steady")
    assert rates.peer_count == 100
    with pytest.raises(ValueError, match="at least 1 peer"):
        ConnectionRates(1.0, 1, peers=0)


@pytest.mark.parametrize(
    ("client", "key"),
    [
        (("192.0.2.1", 5), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 5), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:ffff::1", 5), "2001:db8:1:2::/64"),
        (("::ffff:192.0.2.1", 5), "192.0.2.1"),
        (("testclient", 5), "testclient"),
        (("", 0), ""),
        (None, "unknown"),
    ],
)
def test_a_site_is_one_peer(client: tuple[str, int] | None, key: str) -> None:
    """Whoever has one IPv6 address has 2 to the 64."""
    assert peer_key({**websocket(), "client": client}) == key
