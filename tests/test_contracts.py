"""The import contracts of .importlinter hold, and are really switched on."""

import configparser
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Not called in this process: it configures logging, which would silence the loggers of other tests.
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def _contract(name: str) -> configparser.SectionProxy:
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    return config[f"importlinter:contract:{name}"]


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LINT, "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_imports_only_go_down() -> None:
    """No module imports a floor above its own, no engine a web framework, no door an extra."""
    result = _lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_room_stands_on_a_floor() -> None:
    """A new room without a floor is a mistake, not an exception."""
    assert _contract("floors").getboolean("exhaustive")


def test_every_engine_is_forbidden_the_web() -> None:
    """Each room below the web floor that exists is a source of the contract about web frameworks."""
    floors = _contract("floors")["layers"].strip().splitlines()
    below = floors[next(number for number, floor in enumerate(floors) if "_accept" in floor) + 1 :]
    rooms = {room.strip("() ") for floor in below for room in floor.replace(":", "|").split("|")}
    package = ROOT / "src" / "lineside"
    built = {
        f"lineside.{room}"
        for room in rooms
        if (package / room).is_dir() or (package / f"{room}.py").is_file()
    }
    assert built <= set(_contract("no-web-below")["source_modules"].split())
