"""The parity tables name tests that exist, and the script that says so would notice if they did not."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """Load scripts/check_parity.py, which is no package."""
    spec = importlib.util.spec_from_file_location("check_parity", ROOT / "scripts" / "check_parity.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_right(script: ModuleType) -> None:
    """Every id is unique and every named test exists."""
    assert script.faults(sorted(script.TABLES.glob("*.md"))) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("| GOR-X-01 | a | b | `tests/test_here.py::test_gone` |", "no such test"),
        ("| GOR-X-01 | a | b | `tests/test_here.py` |", "no such test"),
        ("| GOR-X-01 | a | b | `tests/test_gone.py::test_there` |", "no such file"),
        ("| GOR-X-01 | a | b | - |", "no such file"),
        ("| GOR-X-01 | a | *planned* | `tests/test_here.py::test_there` |", "planned"),
        ("| GOR-X-01 | a | b |", "four columns"),
        ("| GOR-X-01 | a | b | - | more |", "four columns"),
        ("| whatever | a | *planned* | - |", "not an id"),
        ("| GOR-X-01 | a | *planned* | - |\n| GOR-X-01 | a | *planned* | - |", "already at"),
        ("", "no rows"),
    ],
)
def test_a_faulty_row_is_named(script: ModuleType, tmp_path: Path, line: str, fault: str) -> None:
    """Each kind of mistake is found and says what it is."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_here.py").write_text("def test_there(): ...\n")
    page = tmp_path / "table.md"
    page.write_text(f"| id | there | here | proof |\n|---|---|---|---|\n{line}\n")
    found = script.faults([page], root=tmp_path)
    assert len(found) == 1
    assert fault in found[0]


def test_a_row_with_proof_is_accepted(script: ModuleType, tmp_path: Path) -> None:
    """Functions, coroutines and methods count, several of them too."""
    (tmp_path / "test_here.py").write_text(
        "def test_a(): ...\nasync def test_b(): ...\nclass TestC:\n    def test_d(self): ...\n"
    )
    page = tmp_path / "table.md"
    proof = "<br>".join(f"`test_here.py::{name}`" for name in ("test_a", "test_b", "TestC::test_d"))
    page.write_text(f"| GOR-X-01 | a | b | {proof} |")
    assert script.faults([page], root=tmp_path) == []


def test_the_command_fails_on_a_fault(script: ModuleType, tmp_path: Path) -> None:
    """The exit status carries the verdict, for the docs command."""
    (tmp_path / "table.md").write_text("| GOR-X-01 | a | b | - |")
    assert script.main(tmp_path) == 1
    assert script.main(script.TABLES) == 0
