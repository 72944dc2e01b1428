"""Each concept works alone: importing its door loads nothing heavy and nothing of another system."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What a door may bring along, by top-level package; the standard library always may.
ANYIO = {"anyio", "sniffio", "typing_extensions"}
PYDANTIC = {"annotated_types", "pydantic", "pydantic_core", "typing_extensions", "typing_inspection"}
DATABASE = PYDANTIC | {"greenlet", "sqlalchemy", "sqlmodel"}
WEB = ANYIO | PYDANTIC | {"annotated_doc", "fastapi", "opentelemetry", "python_multipart", "starlette"}
# The client tries for its own optional companions.
REDIS = {
    "_cffi_backend",
    "cryptography",
    "hiredis",
    "jwt",
    "opentelemetry",
    "async_timeout",  # redis-py's, on Python before 3.11.3
    "psutil",
    "redis",
    "typing_extensions",
}
NATS = {"nats", "nkeys"}
UVICORN = {
    "__mp_main__",
    "click",
    "colorama",
    "h11",
    "httptools",
    "uvicorn",
    "watchfiles",
    "websockets",
    "wsproto",
}
PYTEST = {"_pytest", "py", "iniconfig", "packaging", "pluggy", "pygments", "pytest"}

# One line per door. A door that is not here fails test_every_door_has_a_row.
DOORS: dict[str, set[str]] = {
    "lineside": set(),
    "lineside.abilities": set(),
    "lineside.abilities.fastapi": WEB,
    "lineside.application": WEB,
    "lineside.bus": set(),
    "lineside.bus.broadcaster": {"broadcaster"},
    "lineside.bus.memory": set(),
    "lineside.bus.nats": NATS,
    "lineside.bus.postgres": {"asyncpg"},
    "lineside.bus.redis": REDIS,
    "lineside.cable": ANYIO | PYDANTIC,
    "lineside.cable.asgi": ANYIO | PYDANTIC,
    "lineside.cable.codecs": ANYIO | PYDANTIC,
    "lineside.cable.codecs.actioncable": ANYIO | PYDANTIC,
    "lineside.cable.codecs.actioncable_ext": ANYIO | PYDANTIC,
    "lineside.cable.codecs.gohub": ANYIO | PYDANTIC,
    "lineside.cable.codecs.gor": ANYIO | PYDANTIC,
    "lineside.cable.codecs.msgpack": ANYIO | PYDANTIC,
    "lineside.cable.fastapi": WEB,
    "lineside.cable.uvicorn": ANYIO | PYDANTIC | UVICORN,
    "lineside.callbacks": ANYIO,
    "lineside.cli": set(),
    "lineside.config": ANYIO | PYDANTIC,
    "lineside.controllers": WEB,
    "lineside.controllers.endpoints": WEB,
    "lineside.controllers.resource": WEB | DATABASE,
    "lineside.exceptions": set(),
    "lineside.instrumentation": set(),
    "lineside.instrumentation.asgi": WEB,
    "lineside.instrumentation.fastapi": WEB,
    "lineside.models": ANYIO | DATABASE,
    "lineside.models.fastapi": WEB | DATABASE,
    "lineside.models.migrations": ANYIO | DATABASE,
    "lineside.problems": WEB,
    "lineside.routing": WEB,
    "lineside.signing": set(),
    "lineside.strict_json": set(),
    "lineside.testing": set(),
    "lineside.testing.plugin": WEB | PYTEST,
    "lineside.types": set(),
    "lineside.views": WEB,
}

# Modules that compiled packages and the platform put in sys.modules under names of their own.
NAMELESS = ("_cython_", "_sysconfigdata", "cython_runtime")


def _import_times() -> object:
    spec = importlib.util.spec_from_file_location("import_times", ROOT / "scripts" / "import_times.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError("scripts/import_times.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


import_times = _import_times()


@pytest.mark.parametrize("door", DOORS)
def test_a_door_loads_only_what_it_may(door: str) -> None:
    """A fresh interpreter that imports the door has only allowed packages in sys.modules."""
    loaded = {name.partition(".")[0] for name in import_times.loaded_by(door)}
    foreign = {
        name for name in loaded - set(sys.stdlib_module_names) - {"lineside"} if not name.startswith(NAMELESS)
    }
    assert foreign <= DOORS[door]


def test_every_door_has_a_row() -> None:
    """A new public module or package is added to the table with what it may load."""
    assert set(import_times.doors()) == set(DOORS)


def test_importing_lineside_loads_no_concept() -> None:
    """The package itself is a version and a docstring; doors are opened one by one."""
    loaded = import_times.loaded_by("lineside")
    assert [name for name in loaded if name.startswith("lineside")] == ["lineside"]


def test_importing_lineside_is_quick() -> None:
    """The package costs under 20 ms over a bare interpreter."""
    assert import_times.milliseconds_over_bare("lineside", runs=5) < import_times.BOUND_MS
