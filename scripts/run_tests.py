"""Run every test, page snippet and example in two processes at once, and report the coverage of both.

The tests of the model layer take as long as all the others together, and two cores are not much to ask.
Whatever is given on the command line goes to both runs of pytest.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_MODELS = "tests/models"
# Every place whose code is executed.
_EVERYWHERE = ("README.md", "docs", "src", "examples", "tests")

# Without greenlet: with it coverage runs Python code while a thread's greenlets are freed, and CPython 3.11
# may then trace the same instruction for ever. A few lines behind a query count as missed instead.
_COVERAGE = (sys.executable, "-m", "coverage")
_RUN = (*_COVERAGE, "run", "--parallel-mode", "--concurrency=thread", "-m", "pytest")
# What pytest exits with when a filter on the command line leaves nothing for one of the two.
_NOTHING_TO_RUN = 5


def main(options: Sequence[str]) -> int:
    """Run both halves; the output of the models' half follows that of the others.

    Returns:
        What pytest exited with: 0 when both halves passed, 5 when neither had a test to run.
    """
    subprocess.run([*_COVERAGE, "erase"], cwd=_ROOT, check=True)
    with tempfile.TemporaryFile() as output:
        cache = ("-o", "cache_dir=.pytest_cache/models")
        models = subprocess.Popen(
            [*_RUN, _MODELS, *cache, *options], cwd=_ROOT, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            others = subprocess.run(
                [*_RUN, *_EVERYWHERE, f"--ignore={_MODELS}", *options], cwd=_ROOT, check=False
            )
            models.wait()
        finally:
            models.kill()
        output.seek(0)
        sys.stdout.flush()
        sys.stdout.buffer.write(output.read())
        sys.stdout.flush()
    subprocess.run([*_COVERAGE, "combine", "--quiet"], cwd=_ROOT, check=True)
    subprocess.run([*_COVERAGE, "report"], cwd=_ROOT, check=True)
    codes = {others.returncode, models.returncode}
    return next(iter(codes - {0, _NOTHING_TO_RUN}), min(codes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
