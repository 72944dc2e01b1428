"""Run every test, page snippet and example in four processes at once, and report the coverage of all.

The tests of the model layer take as long as all the others together, and those of the bus and of the cable
mostly wait for servers. Two cores are not much to ask. Whatever is given on the command line goes to every
run of pytest.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

_ROOT = Path(__file__).parent.parent
# What runs beside the rest, by the name of its run.
_BESIDE = {
    "models": ("tests/models",),
    "cable": ("tests/cable",),
    "bus": ("tests/bus", "tests/faults", "tests/browser"),
}
# Every place whose code is executed.
_EVERYWHERE = ("README.md", "docs", "src", "examples", "tests")

# Without greenlet: with it coverage runs Python code while a thread's greenlets are freed, and CPython 3.11
# may then trace the same instruction for ever. A few lines behind a query count as missed instead.
_COVERAGE = (sys.executable, "-m", "coverage")
_RUN = (*_COVERAGE, "run", "--parallel-mode", "--concurrency=thread", "-m", "pytest")
# What pytest exits with when a filter on the command line leaves nothing for one of them.
_NOTHING_TO_RUN = 5


def main(options: Sequence[str]) -> int:
    """Run every part; the output of the others follows that of the last.

    Returns:
        What pytest exited with: 0 when every part passed, 5 when none had a test to run.
    """
    subprocess.run([*_COVERAGE, "erase"], cwd=_ROOT, check=True)
    with ExitStack() as stack:
        beside = [_begin(stack, name, paths, options) for name, paths in _BESIDE.items()]
        rest = [f"--ignore={path}" for paths in _BESIDE.values() for path in paths]
        last = subprocess.run([*_RUN, *_EVERYWHERE, *rest, *options], cwd=_ROOT, check=False)
        codes = {last.returncode, *(_show(process, output) for process, output in beside)}
    subprocess.run([*_COVERAGE, "combine", "--quiet"], cwd=_ROOT, check=True)
    subprocess.run([*_COVERAGE, "report"], cwd=_ROOT, check=True)
    return next(iter(codes - {0, _NOTHING_TO_RUN}), min(codes))


def _begin(
    stack: ExitStack, name: str, paths: Sequence[str], options: Sequence[str]
) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    output = tempfile.TemporaryFile()  # noqa: SIM115 - the stack closes it
    stack.push(output)
    cache = ("-o", f"cache_dir=.pytest_cache/{name}")
    process = subprocess.Popen(
        [*_RUN, *paths, *cache, *options], cwd=_ROOT, stdout=output, stderr=subprocess.STDOUT
    )
    # Whatever happens to the last one, none of the others is left behind.
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process, output


def _show(process: subprocess.Popen[bytes], output: IO[bytes]) -> int:
    code = process.wait()
    output.seek(0)
    sys.stdout.flush()
    sys.stdout.buffer.write(output.read())
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
