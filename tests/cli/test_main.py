"""The entry of the command line: version, help, exit status, a missing extra."""

import subprocess
import sys

import pytest

import lineside
from lineside.cli import main


def test_version(run) -> None:
    """``lineside --version`` prints the version."""
    result = run("--version")
    assert (result.returncode, result.stdout) == (0, f"lineside {lineside.__version__}\n")


def test_help_names_the_commands(run) -> None:
    """Without a command, and with --help, the commands are listed."""
    assert run("--help").returncode == 0
    assert all(command in run().stdout + run().stderr for command in ("routes", "server", "config"))


def test_an_unknown_command_is_wrong_usage(run) -> None:
    """It exits with 2 and names what was not understood."""
    result = run("rotues")
    assert result.returncode == 2
    assert "rotues" in result.stderr


def test_python_m_works_too() -> None:
    """``python -m lineside.cli`` is the same command."""
    command = [sys.executable, "-m", "lineside.cli", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("lineside")


def test_main_returns_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    """In process it returns, and never ends the interpreter."""
    assert main(["--version"]) == 0
    assert main(["routes", "no-name"]) == 1
    assert main(["rotues"]) == 2
    assert "module:app" in capsys.readouterr().err


def test_without_typer_the_pip_command_is_printed() -> None:
    """A missing extra is one line and exit 1, not a traceback."""
    code = "import sys; sys.modules['typer'] = None; from lineside.cli import main; sys.exit(main())"
    result = subprocess.run(
        [sys.executable, "-c", code, "routes"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr == "lineside: 'typer' is not installed. Run: pip install 'lineside[cli]'\n"


def test_the_door_loads_nothing_heavy() -> None:
    """Importing the door imports no typer, no FastAPI: commands do."""
    code = "import sys, lineside.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert {"typer", "fastapi", "uvicorn", "pydantic"} & set(loaded.split()) == set()
