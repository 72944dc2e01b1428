"""Reloading: all of the new values, or all of the old ones."""

import asyncio
import logging
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from lineside.config import Config, ConfigReloadError, ProductionCheckError
from lineside.exceptions import ConfigurationError, MissingDependencyError


class Database(BaseModel):
    pool: int = 5


def test_a_reload_reads_files_and_variables_again(files: Any) -> None:
    """Changed, new and removed keys are returned; what was set in code stays."""
    config = files.load("a: 1\nb: {c: 1}\ngone: 1", {"LINESIDE_V": "1"})
    config.set("kept", 1)
    files.write("a: 2\nb: {c: 1, d: 2}")
    files.environ["LINESIDE_V"] = "2"
    assert config.reload() == ("a", "b.d", "gone", "v")
    assert (config.get("a"), config.get("v"), config.get("kept")) == (2, 2, 1)
    assert not config.has("gone")
    assert config.reload() == ()


def test_a_broken_file_keeps_the_old_values(files: Any) -> None:
    """The error names file and line, no watcher is called, and a repaired file loads."""
    config = files.load("a: 1")
    seen: list[Any] = []
    config.watch("a", lambda _old, new: seen.append(new))
    files.write("a: 2\nb: [\n")
    with pytest.raises(ConfigReloadError, match="old values stay") as caught:
        config.reload()
    assert caught.value.file == str(files.directory / "config.yml")
    assert caught.value.line == 3
    assert caught.value.__context__ is None
    assert config.get("a") == 1
    files.write("a: 3")
    config.reload()
    assert seen == [3]


def test_a_bound_model_refuses_a_reload(files: Any) -> None:
    """Values that no longer fit a bound model are not taken, not even the good ones beside them."""
    config = files.load("db: {pool: 5}\na: 1")
    config.bind("db", Database)
    files.write("db: {pool: many}\na: 2")
    with pytest.raises(ConfigReloadError, match=r"'db.pool' \(.*config.yml:1\)"):
        config.reload()
    assert (config.get("db.pool"), config.get("a")) == (5, 1)


def test_production_checks_guard_a_reload(files: Any, production: Any) -> None:
    """A reload or a set cannot switch debug on in production."""
    config = files.load("a: 1", production())
    files.write("app: {debug: true}")
    with pytest.raises(ConfigReloadError, match=r"'app.debug' is on"):
        config.reload()
    with pytest.raises(ProductionCheckError):
        config.set("app.debug", value=True)
    assert config.get_bool("app.debug") is False


def test_readers_never_see_half_a_reload(files: Any) -> None:
    """While reloads go on, a section is always of one file."""
    config = files.load("pair: {x: 0, y: 0}")
    torn: list[Any] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            pair = config.get("pair")
            if pair["x"] != pair["y"]:
                torn.append(pair)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 30):
        files.write(f"pair: {{x: {number}, y: {number}}}")
        config.reload()
    done.set()
    reader.join(timeout=10)
    assert torn == []


@pytest.mark.anyio
async def test_a_changed_file_is_loaded(files: Any) -> None:
    """While files are watched a write reaches the watchers, on the event loop's thread."""
    config = files.load("a: 1")
    changed: asyncio.Queue[Any] = asyncio.Queue()
    here = threading.current_thread()
    config.watch("a", lambda old, new: changed.put_nowait((old, new, threading.current_thread() is here)))
    async with config.watch_files():
        files.write("a: 2")
        assert await asyncio.wait_for(changed.get(), 20) == (1, 2, True)
        files.write("a: 3", "config.local.yml")
        assert await asyncio.wait_for(changed.get(), 20) == (2, 3, True)
        # As an editor or a deployment replaces a file:
        files.write("a: 4", "new.tmp").rename(files.directory / "config.local.yml")
        assert await asyncio.wait_for(changed.get(), 20) == (3, 4, True)


@pytest.mark.anyio
async def test_a_change_before_the_watching_is_loaded(files: Any) -> None:
    """What changed between the load and the watching is not missed."""
    config = files.load("a: 1")
    files.write("a: 2")
    async with config.watch_files():
        assert config.get("a") == 2


@pytest.mark.anyio
async def test_a_broken_file_is_logged_and_watching_goes_on(
    files: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names file and line; the old values stay until the file is repaired."""
    config = files.load("a: 1")
    changed, logged = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            loop.call_soon_threadsafe(logged.set)

    listener = Listener(logging.ERROR)
    logging.getLogger("lineside.config").addHandler(listener)
    config.watch("a", lambda _old, _new: changed.set())
    async with config.watch_files():
        files.write("password: hunter2hunter2\na: [")
        await asyncio.wait_for(logged.wait(), 20)
        assert f"{files.directory / 'config.yml'}:2: broken YAML" in caplog.text
        assert "hunter2" not in caplog.text
        assert config.get("a") == 1
        files.write("a: 2")
        await asyncio.wait_for(changed.wait(), 20)
    logging.getLogger("lineside.config").removeHandler(listener)


@pytest.mark.anyio
async def test_a_validator_that_crashes_does_not_end_the_watching(
    files: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of the user's own code in a reload is logged."""

    class Fragile(BaseModel):
        pool: int

        @field_validator("pool")
        @classmethod
        def crash(cls, pool: int) -> int:
            if pool > 1:
                raise RuntimeError("crashed in the validator")
            return pool

    config = files.load("db: {pool: 1}")
    config.bind("db", Fragile)
    files.write("db: {pool: 2}")
    async with config.watch_files():
        assert "crashed in the validator" in caplog.text
        assert config.get("db.pool") == 1


@pytest.mark.anyio
async def test_an_error_of_the_block_leaves_it_unchanged(files: Any) -> None:
    """The block's own error is not wrapped, and the watching ends with it."""
    config = files.load("a: 1")
    before = asyncio.all_tasks()
    with pytest.raises(ZeroDivisionError):
        async with config.watch_files():
            _ = 1 / 0
    assert asyncio.all_tasks() == before


@pytest.mark.anyio
async def test_a_directory_that_cannot_be_watched_is_logged(
    files: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """When the directory goes away before the watching starts, the app goes on and the log says so."""
    config = files.load("a: 1")
    watching = config.watch_files()
    (files.directory / "config.yml").unlink()
    files.directory.rmdir()
    async with watching:
        assert "no longer watched" in caplog.text


def test_there_must_be_files_to_watch() -> None:
    """A configuration without directory says so."""
    with pytest.raises(ConfigurationError, match="no directory of files"):
        Config.from_dict({}).watch_files()


@pytest.mark.anyio
async def test_the_missing_extra_is_named(files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without watchfiles the error types the pip command."""
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    config = files.load("a: 1")
    with pytest.raises(MissingDependencyError, match=r"lineside\[watch\]"):
        async with config.watch_files():
            pass


def test_a_directory_that_vanished_is_an_error_free_reload(files: Any, tmp_path: Path) -> None:
    """Files that are gone are skipped at a reload as they are at a load."""
    config = files.load("a: 1")
    (tmp_path / "config.yml").unlink()
    assert config.reload() == ("a",)
