"""Real servers, started by the test session itself on free ports and stopped with it.

A missing binary skips its tests with the line that installs it; LINESIDE_REQUIRE_SERVICES=1 makes
that a failure.
"""

import os
import pwd
import secrets
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest

_POSTGRES_INSTALL = "install it (Debian: apt-get install postgresql), or put its binaries on PATH"
_REDIS_INSTALL = "install it (Debian: apt-get install redis-server), or put redis-server on PATH"
_NATS_INSTALL = "install it (Debian: apt-get install nats-server), or put nats-server on PATH"
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
        self.launch()

    def launch(self) -> None:
        """Start the server of a cluster that is there, and wait until it accepts connections."""
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

    def kill(self) -> None:
        """End every process of the server at once, as a machine that loses its power."""
        processes = self._processes()
        self._signal(processes, signal.SIGKILL)
        for process in processes:
            _wait_for_end(process)
        # Where nobody reaps it, the dead postmaster keeps its id, and its locks would count.
        for lock in (self._data / "postmaster.pid", self._folder / f".s.PGSQL.{self.port}.lock"):
            lock.unlink()

    def restart(self) -> None:
        """Bring a killed server back, which recovers what was committed."""
        self.launch()

    def start_empty(self) -> None:
        """Bring a killed server back without anything, as if its volume were lost."""
        shutil.rmtree(self._data)
        self.start()

    def pause(self) -> None:
        """Stop every process of the server where it is: connections stay open, and nobody answers."""
        self._signal(self._processes(), signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused server go on."""
        self._signal(self._processes(), signal.SIGCONT)

    def _processes(self) -> list[int]:
        # Each one is the leader of a process group of its own: there is no group to signal.
        postmaster = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]

    @staticmethod
    def _signal(processes: list[int], number: signal.Signals) -> None:
        for process in processes:
            with suppress(ProcessLookupError):  # a backend may end at any time
                os.kill(process, number)

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


class Server:
    """A server of one process on 127.0.0.1 that a test may kill, pause and bring back.

    Args:
        command: The program and its arguments; it stays in the foreground.
        port: Where it listens.
        data: What it keeps, which `start_empty` removes.
    """

    def __init__(self, command: Sequence[str], *, port: int, data: Path) -> None:
        self.port = port
        self.data = data
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it with what it has kept, and wait until it accepts connections."""
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data.parent / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.data, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self.data.parent / "log").read_text(errors="replace")[-2_000:]
                raise RuntimeError(f"{self._command[0]} did not start\n{said}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it, letting it write what it wants to keep."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Bring it back with what it has kept."""
        self.start()

    def start_empty(self) -> None:
        """Bring it back without anything, as if its volume were lost."""
        shutil.rmtree(self.data)
        self.start()

    def ensure_running(self) -> None:
        """Bring it back if a test has left it dead or paused."""
        if self._process is None:
            self.start()
        else:
            self.resume()

    def pause(self) -> None:
        """Stop it where it is: connections stay open, and nobody answers."""
        os.kill(self._running.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self._running.pid, signal.SIGCONT)

    @property
    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise RuntimeError(f"{self._command[0]} is not running")
        return self._process

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.send_signal(signal.SIGCONT)
        self._process.wait(_START_SECONDS)
        self._process = None

    def _accepts(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


class Redis(Server):
    """One Redis that writes each command to its file before a crash of its process could lose it.

    Args:
        folder: An empty folder.
        arguments: Further settings, as on its command line.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        program = shutil.which("redis-server")
        if program is None:
            missing("Redis", _REDIS_INSTALL)
        port = _free_port()
        listening = ("--bind", "127.0.0.1", "--port", str(port), "--daemonize", "no")
        kept = ("--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
        super().__init__((program, *listening, *kept, *arguments), port=port, data=folder / "data")

    @property
    def url(self) -> str:
        """Where its clients find it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _accepts(self) -> bool:
        # It listens before it has read its file, and answers LOADING till then.
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as client:
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        return False


class Nats(Server):
    """One NATS server with JetStream, on disk.

    Args:
        folder: An empty folder.
        arguments: Further settings, as on its command line.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        program = shutil.which("nats-server")
        if program is None:
            missing("NATS", _NATS_INSTALL)
        port = _free_port()
        data = folder / "data"
        listening = ("--addr", "127.0.0.1", "--port", str(port))
        kept = ("--jetstream", "--store_dir", str(data))
        super().__init__((program, *listening, *kept, *arguments), port=port, data=data)

    @property
    def url(self) -> str:
        """Where its clients find it."""
        return f"nats://127.0.0.1:{self.port}"


@contextmanager
def running_redis(*arguments: str) -> Iterator[Redis]:
    """Start a Redis for a block; a test that pauses or kills one has it for itself."""
    with tempfile.TemporaryDirectory(prefix="lineside-redis-", ignore_cleanup_errors=True) as folder:
        yield from _running(Redis(Path(folder), *arguments))


@contextmanager
def running_nats(*arguments: str) -> Iterator[Nats]:
    """Start a NATS server for a block; a test that pauses or kills one has it for itself."""
    with tempfile.TemporaryDirectory(prefix="lineside-nats-", ignore_cleanup_errors=True) as folder:
        yield from _running(Nats(Path(folder), *arguments))


_S = TypeVar("_S", bound=Server)


def _running(server: _S) -> Iterator[_S]:
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    """Start Redis for the session, with the first test that asks for it."""
    with running_redis() as server:
        yield server


@pytest.fixture(scope="session")
def redis_url(redis: Redis) -> str:
    """Give the URL of a running Redis."""
    return redis.url


@pytest.fixture(scope="session")
def nats() -> Iterator[Nats]:
    """Start a NATS server for the session, with the first test that asks for it."""
    with running_nats() as server:
        yield server


@pytest.fixture(scope="session")
def nats_url(nats: Nats) -> str:
    """Give the URL of a running NATS server."""
    return nats.url


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a PostgreSQL for a block; a test that pauses or kills one has it for itself."""
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
def postgres() -> Iterator[Postgres]:
    """Start PostgreSQL for the session, with the first test that asks for it."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    """Give the URL of a running PostgreSQL."""
    return postgres.url


def _wait_for_end(process: int) -> None:
    # Not our child: the kernel tells through a file descriptor when it is gone.
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(process)
        try:
            ended, _, _ = select.select([descriptor], [], [], _START_SECONDS)
            if not ended:
                raise RuntimeError(f"process {process} did not end")
        finally:
            os.close(descriptor)


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
