"""Real servers, started by the test session itself on free ports and stopped with it.

A missing binary skips its tests with the line that installs it; LINESIDE_REQUIRE_SERVICES=1 makes
that a failure.
"""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

_POSTGRES_INSTALL = "install it (Debian: apt-get install postgresql), or put its binaries on PATH"
_START_SECONDS = 60


def missing(what: str, install: str) -> NoReturn:
    """Skip a test whose server is not installed, or fail it where servers are required."""
    if os.environ.get("LINESIDE_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{what} is required and was not found; {install}", pytrace=False)
    pytest.skip(f"{what} was not found; {install}")


class Postgres:
    """One PostgreSQL server on 127.0.0.1, with a password, in a folder of its own.

    Args:
        binaries: The folder of ``initdb`` and ``pg_ctl``.
        folder: An empty folder; the server's user will own it.
    """

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self._data = folder / "data"
        self._password = secrets.token_urlsafe(16)
        self._user = _unprivileged_user()
        self.port = _free_port()

    @property
    def url(self) -> str:
        """The URL of its first database."""
        return f"postgresql://tester:{self._password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Make the cluster, start the server and wait until it accepts connections."""
        password = self._folder / "password"
        password.write_text(self._password)
        if self._user:
            for path in (self._folder, password):
                shutil.chown(path, self._user)
        self._run(
            "initdb",
            f"--pgdata={self._data}",
            "--username=tester",
            f"--pwfile={password}",
            *("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"),
        )
        # Nothing here outlives the session: waiting for a disk would be for nothing.
        settings = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run(
            "pg_ctl",
            *(f"--pgdata={self._data}", f"--log={self._folder / 'log'}", f"--options={settings}"),
            *("--wait", f"--timeout={_START_SECONDS}", "start"),
        )

    def stop(self) -> None:
        """End the server at once, open connections included."""
        self._run("pg_ctl", f"--pgdata={self._data}", "--mode=immediate", "--wait", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        # PostgreSQL refuses to be root.
        as_user: dict[str, Any] = (
            {"user": self._user, "group": _group_of(self._user), "extra_groups": []} if self._user else {}
        )
        result = subprocess.run(
            [self._binaries / program, *arguments],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the server inherits it: a pipe would never end
            stderr=subprocess.STDOUT,
            timeout=_START_SECONDS + 10,
            check=False,
            **as_user,
        )
        if result.returncode != 0:
            log = self._folder / "log"
            said = log.read_text()[-2_000:] if log.exists() else ""
            raise RuntimeError(f"{program} failed with {result.returncode}\n{said}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Start PostgreSQL for the session, with the first test that asks for it."""
    binaries = _postgres_binaries()
    if binaries is None:
        missing("PostgreSQL", _POSTGRES_INSTALL)
    # Not in pytest's folder: only its owner may enter that, and the server is another user.
    folder = Path(tempfile.mkdtemp(prefix="lineside-postgres-"))
    server = Postgres(binaries, folder)
    try:
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    """Give the URL of a running PostgreSQL."""
    return postgres.url


def _postgres_binaries() -> Path | None:
    on_path = shutil.which("initdb")
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]), reverse=True
    )
    candidates = [*([Path(on_path).resolve()] if on_path else []), *installed]
    return next((path.parent for path in candidates if (path.parent / "pg_ctl").exists()), None)


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _group_of(user: str) -> int:
    return pwd.getpwnam(user).pw_gid


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
