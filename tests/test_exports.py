"""What a door promises in ``__all__``: sorted, complete, importable and documented."""

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import TypeVar

import pytest

import lineside

# Every module that can be imported without writing an underscore. The package itself exports its
# version only: concepts are imported from their own doors.
DOORS = sorted(
    module.name for module in pkgutil.walk_packages(lineside.__path__, "lineside.") if "._" not in module.name
)


def _order(name: str) -> tuple[int, str]:
    """Order names as ruff's RUF022 does: CONSTANTS, then Classes, then functions."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name


def _defined_here(door: ModuleType, value: object) -> bool:
    # A package's door only imports, so that all it has is meant for the outside; a single file
    # also imports what it needs itself.
    return hasattr(door, "__path__") or getattr(value, "__module__", None) == door.__name__


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> ModuleType:
    """Give each door in turn."""
    return importlib.import_module(request.param)


def test_exports_are_sorted_and_unique(door: ModuleType) -> None:
    """A reader finds a name where the alphabet puts it, once."""
    assert list(door.__all__) == sorted(set(door.__all__), key=_order)


def test_exports_can_be_imported(door: ModuleType) -> None:
    """Every promised name exists."""
    assert [name for name in door.__all__ if not hasattr(door, name)] == []


def test_exports_are_complete(door: ModuleType) -> None:
    """No public name is reachable without being promised."""
    public = {
        name
        for name, value in vars(door).items()
        if not name.startswith(("_", "pytest_"))  # a hook is pytest's to call, and nobody's to import
        and not inspect.ismodule(value)
        and not isinstance(value, TypeVar)  # plumbing of annotations, of no use outside
        and _defined_here(door, value)
    }
    assert public - set(door.__all__) == set()


def test_exports_are_documented(door: ModuleType) -> None:
    """Every promised class and function says what it is, and so does the door."""
    promised = {name: getattr(door, name) for name in door.__all__}
    silent = [
        name
        for name, value in promised.items()
        if (inspect.isclass(value) or inspect.isroutine(value)) and not value.__doc__
    ]
    assert silent == []
    assert door.__doc__


def test_the_package_exports_only_its_version() -> None:
    """Concepts are imported from their own doors, so that one costs nothing of another."""
    public = [
        name for name, value in vars(lineside).items() if name[0] != "_" and not inspect.ismodule(value)
    ]
    assert public == []
    assert lineside.__version__
