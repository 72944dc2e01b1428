"""A server that is not installed: skipped loudly, or failed where it is required."""

import pytest

from tests.services import missing


def test_a_missing_server_skips_with_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a developer's machine the tests go on, and say what they would need."""
    monkeypatch.delenv("LINESIDE_REQUIRE_SERVICES", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install postgresql"):
        missing("PostgreSQL", "apt-get install postgresql")


def test_a_missing_server_fails_where_it_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    """With LINESIDE_REQUIRE_SERVICES=1 nothing is left out silently."""
    monkeypatch.setenv("LINESIDE_REQUIRE_SERVICES", "1")
    with pytest.raises(pytest.fail.Exception, match="is required"):
        missing("PostgreSQL", "apt-get install postgresql")
