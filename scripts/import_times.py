"""Print, for each door, what importing it loads and how long it takes.

Each figure is the median of several fresh interpreters, and the bare interpreter is measured in
between, so that a busy machine slows both alike. With ``--check`` the script exits 1 when
``import lineside`` takes 20 ms or more over bare Python.

    python scripts/import_times.py [--check] [--runs 7] [DOOR ...]
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

HOUSE = Path(__file__).parent.parent / "src" / "lineside"
BOUND_MS = 20.0
LOADED = "import sys; before = set(sys.modules); import {door}; print(*sorted(set(sys.modules) - before))"


def doors() -> list[str]:
    """Name every door: each module that can be imported without writing an underscore."""
    found = {
        ".".join(("lineside", *path.relative_to(HOUSE).with_suffix("").parts)).removesuffix(".__init__")
        for path in HOUSE.rglob("*.py")
    }
    return sorted(name for name in found if "._" not in name)


def loaded_by(door: str) -> list[str]:
    """List the modules that importing a door adds to a fresh interpreter.

    Args:
        door: The dotted name to import.

    Returns:
        Names of ``sys.modules``, sorted; those of the start of Python left out.

    Raises:
        subprocess.CalledProcessError: When the import fails; its ``stderr`` says why.
    """
    command = [sys.executable, "-c", LOADED.format(door=door)]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()


def seconds_to_run(code: str) -> float:
    """Time a fresh interpreter that runs some code, start and end included."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def milliseconds_over_bare(door: str, *, runs: int) -> float:
    """Measure an import against an interpreter that imports nothing.

    Args:
        door: The dotted name to import.
        runs: How many interpreters of each kind; the medians are compared.
    """
    bare: list[float] = []
    with_door: list[float] = []
    for _ in range(runs):
        bare.append(seconds_to_run("pass"))
        with_door.append(seconds_to_run(f"import {door}"))
    return (statistics.median(with_door) - statistics.median(bare)) * 1000


def main() -> int:
    """Print one line per door; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("doors", nargs="*", help="dotted names; every door when left out")
    parser.add_argument("--runs", type=int, default=7, help="fresh interpreters per figure (default 7)")
    parser.add_argument("--check", action="store_true", help=f"exit 1 when lineside takes {BOUND_MS:.0f} ms")
    options = parser.parse_args()

    slow = False
    print(f"{'door':32} {'modules':>7} {'ms over bare':>13}  third-party packages")
    for door in options.doors or doors():
        modules = loaded_by(door)
        took = milliseconds_over_bare(door, runs=options.runs)
        packages = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names) - {"lineside"}
        print(f"{door:32} {len(modules):7} {took:13.1f}  {' '.join(sorted(packages)) or '-'}")
        slow = slow or (door == "lineside" and took >= BOUND_MS)
    if slow and options.check:
        print(f"import lineside takes {BOUND_MS:.0f} ms or more over bare Python", file=sys.stderr)
    return int(slow and options.check)


if __name__ == "__main__":
    sys.exit(main())
