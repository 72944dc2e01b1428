"""A limit that would be none is refused where it is written."""

from typing import Any

import pytest

from lineside.cable import CableConfigurationError, CableLimits


@pytest.mark.parametrize(
    "wrong",
    [
        {"ping_seconds": -1},
        {"ping_seconds": 0},
        {"outbox_bytes": float("nan")},
        {"frame_bytes": "64 KiB"},
        {"messages_per_second": None},
        {"pong_seconds": -0.5},
        {"slow_client": "drop"},
    ],
)
def test_a_limit_that_cannot_be_is_refused_by_its_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(CableConfigurationError, match=next(iter(wrong))):
        CableLimits(**wrong)


def test_a_limit_that_may_be_absent_says_so() -> None:
    assert CableLimits(pong_seconds=None).pong_seconds is None
    with pytest.raises(CableConfigurationError, match="None for no limit"):
        CableLimits(idle_seconds=-1)
