"""A ledger of the documentation: every Python block of every page is executed, or listed with a reason."""

import ast
import importlib
import pkgutil
import re
import subprocess
from pathlib import Path

import pytest
import yaml

import lineside
from lineside import exceptions

ROOT = Path(__file__).parent.parent

# Pages with Python blocks that are not executed, each with its reason.
NOT_EXECUTED: dict[str, str] = {}

# What `make test` hands to pytest; a page elsewhere is never run.
EXECUTED = ("README.md", "docs/", "examples/")

# Doors without an example in their docstring, each with its reason.
NO_EXAMPLE = {"lineside.exceptions": "errors are caught, not used; the docstring draws their tree"}

DOORS = [
    module.name for module in pkgutil.walk_packages(lineside.__path__, "lineside.") if "._" not in module.name
]

FENCE = re.compile(r"^[ \t>]*(?:`{3,}|~{3,})[ \t]*(?P<info>\S[^\n]*)$", re.MULTILINE)


def _pages() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.split("\n") if name and (ROOT / name).is_file()]
    # A source archive has no git; it has nothing but our own files either.
    return [page for page in ROOT.rglob("*.md") if ".venv" not in page.parts]


def _python_fences(page: Path) -> list[str]:
    infos = [match["info"].strip() for match in FENCE.finditer(page.read_text("utf-8"))]
    return [info for info in infos if re.match(r"\{?\.?(?:py|pycon)", info, re.IGNORECASE)]


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


PAGES = {_name(page): page for page in _pages()}


@pytest.mark.parametrize("name", PAGES)
def test_every_python_block_is_executed_or_listed(name: str) -> None:
    """A block that the runner would not recognise, or never see, is an unchecked promise."""
    fences = _python_fences(PAGES[name])
    if not fences or name in NOT_EXECUTED:
        return
    assert name.startswith(EXECUTED), f"{name} is not among the pages that are run"
    assert [info for info in fences if info != "python"] == [], "only plain ```python fences are run"


@pytest.mark.parametrize("name", PAGES)
def test_a_skipped_block_says_why(name: str) -> None:
    """A block may be left out only with a reason that a reader of the page's source can judge."""
    skips = re.findall(r"<!--+\s*skip:[^>]*", PAGES[name].read_text("utf-8"))
    assert [skip for skip in skips if '"' not in skip and "end" not in skip] == []


def test_the_list_of_exceptions_has_no_dead_entry() -> None:
    """A page that is executed or gone leaves the list."""
    assert [name for name in NOT_EXECUTED if name not in PAGES or not _python_fences(PAGES[name])] == []


def test_make_test_runs_what_the_ledger_counts_on() -> None:
    """The test command names README, docs, the doors' docstrings and the examples."""
    script = "scripts/run_tests.py"
    assert script in (ROOT / "Makefile").read_text("utf-8")
    tested = re.search(r"^_EVERYWHERE = (.*)$", (ROOT / script).read_text("utf-8"), re.MULTILINE)
    assert tested
    assert {"README.md", "docs", "src", "examples", "tests"} <= set(ast.literal_eval(tested[1]))


def _nav_pages(entry: object) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    children = entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else []
    return [page for child in children for page in _nav_pages(child)]


def test_every_page_is_in_the_navigation_and_the_other_way_round() -> None:
    """A reader can reach every page, and no entry leads nowhere."""
    nav = _nav_pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"])
    written = [name.removeprefix("docs/") for name in PAGES if name.startswith("docs/")]
    assert sorted(nav) == sorted(written)


def test_every_error_is_in_the_reference() -> None:
    """A developer who meets an error finds it on the page of errors."""
    page = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")
    assert [name for name in exceptions.__all__ if name not in page] == []


def test_every_door_has_a_reference() -> None:
    """The reference renders each door."""
    pages = "\n".join(page.read_text("utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))
    assert [door for door in DOORS if not re.search(rf"^::: {re.escape(door)}$", pages, re.MULTILINE)] == []


@pytest.mark.parametrize("door", DOORS)
def test_every_door_shows_an_example(door: str) -> None:
    """Each door's docstring has a block of Python, which the test command runs."""
    if door in NO_EXAMPLE:
        return
    docstring = importlib.import_module(door).__doc__ or ""
    assert "```python" in docstring or re.search(r"\n\n    \S", docstring)
