"""Check the parity tables: every id once, and every named test exists.

A row of ``docs/reference/parity/*.md`` reads ``| id | there | here | proof |``. The proof is
``tests/path/test_x.py::test_name`` in backticks, several with ``<br>`` between them, or ``-`` when the row is
*planned*. Tests are looked up in the syntax tree, not run. Faulty rows are printed and the exit status is 1.

    python scripts/check_parity.py [FOLDER]
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
TABLES = ROOT / "docs" / "reference" / "parity"
PLANNED = "*planned*"

_ID = re.compile(r"[A-Z]+(-[A-Z]+)+-\d+")


@dataclass(frozen=True, slots=True)
class Row:
    """One feature: where it stands, and its four columns."""

    place: str
    id: str
    there: str
    here: str
    proof: str


def rows(page: Path) -> Iterator[Row]:
    """Read the rows of one page; headings and rules of its tables are left out."""
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == "id" or set(cells[0]) == {"-"}:
            continue
        # A row with too few or too many columns keeps its place, so that it can be named.
        padded = [*cells, "", "", ""][:4] if len(cells) <= 4 else [cells[0], "", "", ""]
        yield Row(f"{page.name}:{number}", *padded)


@cache
def tests_in(path: Path) -> frozenset[str]:
    """Name the test functions of a file, those of classes as ``Class::test_name``."""
    names: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        names.update(
            prefix + part.name
            for part in inside
            if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) and part.name.startswith("test")
        )
    return frozenset(names)


def faults_of_proof(proof: str, *, root: Path) -> Iterator[str]:
    """Say which tests of a proof do not exist."""
    for named in proof.split("<br>"):
        file, _, test = named.strip().strip("`").partition("::")
        if not (root / file).is_file():
            yield f"no such file: {file!r}"
        elif test not in tests_in(root / file):
            yield f"no such test in {file}: {test!r}"


def faults(pages: list[Path], *, root: Path = ROOT) -> list[str]:
    """List what is wrong with the tables, each with its place and id.

    Args:
        pages: The Markdown files.
        root: What the paths of tests are relative to.
    """
    found: list[str] = []
    seen: dict[str, str] = {}
    for row in (row for page in pages for row in rows(page)):
        where = f"{row.place}: {row.id}"
        if not _ID.fullmatch(row.id):
            found.append(f"{where}: not an id")
        if row.id in seen:
            found.append(f"{where}: already at {seen[row.id]}")
        seen.setdefault(row.id, row.place)
        if not (row.there and row.here and row.proof):
            found.append(f"{where}: a row has four columns")
        elif row.here == PLANNED:
            found += [f"{where}: planned, so its proof is '-'"] if row.proof != "-" else []
        else:
            found += [f"{where}: {fault}" for fault in faults_of_proof(row.proof, root=root)]
    if not seen:
        found.append("no rows were found")
    return found


def main(folder: Path) -> int:
    """Print the faults and a count; return the exit status."""
    pages = sorted(folder.glob("*.md"))
    found = faults(pages)
    for fault in found:
        print(fault, file=sys.stderr)
    for page in pages:
        all_rows = list(rows(page))
        done = sum(row.here != PLANNED for row in all_rows)
        print(f"{page.stem:10} {len(all_rows):4} features, {done} here, {len(all_rows) - done} planned")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else TABLES))
