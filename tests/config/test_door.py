"""What importing the door costs."""

import subprocess
import sys


def test_the_door_loads_no_framework_and_no_reader() -> None:
    """A fresh interpreter has neither FastAPI nor dynaconf nor watchfiles after the import."""
    code = "import sys, lineside.config; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(run.stdout.split())
    assert "pydantic" in loaded
    assert not loaded & {"fastapi", "starlette", "dynaconf", "watchfiles", "anyio", "sqlmodel"}
