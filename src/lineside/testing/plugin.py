"""The pytest plugin: fixtures that are there without an import.

Write one fixture of your own, named ``app``, and ask for ``test_app``:

    import pytest
    from fastapi import FastAPI
    from lineside.testing import TestApp

    @pytest.fixture
    def app() -> FastAPI:
        return FastAPI()

    def test_nothing_is_there(test_app: TestApp) -> None:
        test_app.get("/nothing").assert_status(404)

pytest loads this module in every project of the environment, so it imports nothing heavy: FastAPI
comes with the first test that wants it. ``pytest -p no:lineside`` turns it off.

The environment of a run is ``test``, unless ``LINESIDE_ENV`` says another: an app that a test imports reads
the settings for tests, and not those of the developer's own database.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from lineside.testing._app import TestApp
from lineside.testing._events import EventLog
from lineside.testing._events import capture_events as _capturing

__all__ = ["capture_events", "current_user_dependency", "test_app", "use_transactional_tests"]


def pytest_load_initial_conftests() -> None:
    """Name the environment before a ``conftest.py`` imports the app (as Rails' ``test_helper.rb``)."""
    if not os.environ.get("LINESIDE_ENV"):
        os.environ["LINESIDE_ENV"] = "test"


@pytest.fixture
def current_user_dependency() -> Any:
    """Give the dependency that ``login_as`` replaces; write your own to use ``login_as``."""
    return None


@pytest.fixture
def use_transactional_tests() -> bool:
    """Tell whether what a test writes by ``test_app`` is undone at its end; write your own to say yes."""
    return False


@pytest.fixture
def test_app(app: Any, current_user_dependency: Any, use_transactional_tests: bool) -> Iterator[TestApp]:  # noqa: FBT001 - a fixture, not an argument
    """Start the app of your fixture ``app`` for one test, lifespan included."""
    with TestApp(
        app, current_user=current_user_dependency, use_transactional_tests=use_transactional_tests
    ) as started:
        yield started


@pytest.fixture
def capture_events(app: Any) -> Iterator[EventLog]:
    """Collect the events of your fixture ``app`` during one test."""
    with _capturing(app) as events:
        yield events
