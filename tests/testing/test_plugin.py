"""The pytest plugin, in runs of pytest of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = """
import pytest
from fastapi import Depends, FastAPI
from lineside.application import Lineside

async def get_user():
    return None

@pytest.fixture
def app():
    app = FastAPI()
    Lineside(app, {})

    @app.get("/me")
    async def me(user = Depends(get_user)):
        return user

    return app

@pytest.fixture
def current_user_dependency():
    return get_user

def test_a_user(test_app):
    test_app.login_as("ada").get("/me").assert_json("ada")

def test_nobody(test_app):
    test_app.get("/me").assert_json(None)

def test_events(test_app, capture_events):
    test_app.get("/me")
    assert capture_events.names == ["request.lineside"]
"""

BY_HAND = """
from fastapi import FastAPI
from lineside.testing import TestApp, TestDatabase, TestResponse

def test_by_hand():
    TestApp(FastAPI()).get("/").assert_status(404)
"""


ENVIRONMENT = """
from lineside.config import Config

environment = Config.load("config").environment
"""


def run_pytest(folder: Path, text: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on one file; a warning fails it, as collecting TestApp by its name would."""
    (folder / "test_suite.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *options]
    # Plugins of other packages are none of this test's business.
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    environment = {**environment, "LINESIDE_ENV": "", **variables}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_fixtures_are_there(tmp_path: Path) -> None:
    """``test_app`` starts the fixture ``app``, ``login_as`` works, events are captured."""
    result = run_pytest(tmp_path, SUITE, "-p", "lineside.testing.plugin")
    assert "3 passed" in result.stdout, result.stdout + result.stderr


def test_without_the_plugin_everything_can_be_made_by_hand(tmp_path: Path) -> None:
    """The classes need no plugin, and pytest does not take them for tests."""
    result = run_pytest(tmp_path, BY_HAND)
    assert "1 passed" in result.stdout, result.stdout + result.stderr


def test_the_plugin_is_registered_and_can_be_turned_off(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    """Pytest finds it by its entry point, and ``-p no:lineside`` blocks it."""
    assert pytestconfig.pluginmanager.has_plugin("lineside")
    (tmp_path / "test_suite.py").write_text("def test_it(test_app): ...", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:lineside", "-p", "no:cacheprovider"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert "fixture 'test_app' not found" in result.stdout


def test_the_plugin_loads_nothing_heavy() -> None:
    """Pytest starts as fast as before in projects that do not use it."""
    code = "import sys, lineside.testing.plugin; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = {"anyio", "fastapi", "httpx2", "pydantic", "sqlalchemy", "sqlmodel", "starlette"}
    assert heavy & set(loaded.split()) == set()


class TestEnvironment:
    """The environment of a run is test, before the app is imported."""

    SUITE = "from conftest import environment\ndef test_it(): assert environment == {!r}"

    @pytest.fixture(autouse=True)
    def app_imported_by_conftest(self, tmp_path: Path) -> None:
        (tmp_path / "conftest.py").write_text(ENVIRONMENT, encoding="utf-8")
        (tmp_path / "config").mkdir()

    def test_is_test(self, tmp_path: Path) -> None:
        """So a ``conftest.py`` that imports the app gets the settings for tests."""
        result = run_pytest(tmp_path, self.SUITE.format("test"), "-p", "lineside.testing.plugin")
        assert "1 passed" in result.stdout, result.stdout + result.stderr

    def test_is_what_the_variable_says(self, tmp_path: Path) -> None:
        """Who names another one wants it."""
        result = run_pytest(
            tmp_path, self.SUITE.format("staging"), "-p", "lineside.testing.plugin", LINESIDE_ENV="staging"
        )
        assert "1 passed" in result.stdout, result.stdout + result.stderr

    def test_is_left_alone_without_the_plugin(self, tmp_path: Path) -> None:
        """``-p no:lineside`` turns all of it off."""
        result = run_pytest(tmp_path, self.SUITE.format("development"))
        assert "1 passed" in result.stdout, result.stdout + result.stderr
