"""The real command, in a process and a folder of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environ() -> dict[str, str]:
    """Give the variables of the command, none of them ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LINESIDE_")}


@pytest.fixture
def run(tmp_path: Path, environ: dict[str, str]) -> Run:
    """Run ``lineside`` in the folder of the test, to its end."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).with_name("lineside"), *arguments],
            cwd=tmp_path,
            env={**environ, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run
