"""An app with plain SQLModel classes and a sync session makes one of them a record.

The app and its tests are copied into a folder and run there, by an interpreter of their own: once as they
were, and once with the other module of models. Nothing else changes.
"""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BEFORE, AFTER = HERE / "app" / "models.py", HERE / "adopted_models.py"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'app.sqlite3'}"
    url: str = request.getfixturevalue("postgres_url")
    return url.replace("postgresql://", "postgresql+psycopg://")


def run(folder: Path, models: Path, tests: Path, database_url: str) -> str:
    """Run tests of the app with one of the modules of models; return pytest's last line."""
    shutil.copytree(HERE / "app", folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(models, folder / "app" / "models.py")
    shutil.copy(tests, folder / f"test_{tests.stem}.py")
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:lineside", "."]
    environment = {**os.environ, "DATABASE_URL": database_url}
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize("models", [BEFORE, AFTER], ids=["before", "after"])
def test_the_apps_own_tests_pass_before_and_after(tmp_path: Path, models: Path, database_url: str) -> None:
    """All of them, without a change."""
    line = run(tmp_path / "copy", models, HERE / "tests_of_the_app.py", database_url)
    assert line.startswith("10 passed")


def test_the_adopted_class_validates_and_calls_back(tmp_path: Path, database_url: str) -> None:
    """Through the same plain session."""
    line = run(tmp_path / "copy", AFTER, HERE / "tests_of_the_adopted_class.py", database_url)
    assert line.startswith("6 passed")


def test_no_other_class_is_touched() -> None:
    """What differs is one class and what it imports."""

    def classes(path: Path) -> dict[str, str]:
        text = path.read_text()
        return {
            node.name: ast.get_source_segment(text, node) or ""
            for node in ast.parse(text).body
            if isinstance(node, ast.ClassDef)
        }

    before, after = classes(BEFORE), classes(AFTER)
    assert list(before) == list(after)
    assert [name for name in before if before[name] != after[name]] == ["Item"]
