"""``lineside server``: a real server on a free port."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

APP = """
import asyncio, os
from contextlib import asynccontextmanager
from fastapi import FastAPI

@asynccontextmanager
async def lifespan(app):
    yield
    print("stopped gracefully", flush=True)

app = FastAPI(lifespan=lifespan)
entered = asyncio.Event()

@app.get("/")
async def home() -> dict[str, object]:
    return {"pid": os.getpid(), "environment": os.environ.get("LINESIDE_ENV")}

@app.get("/slow")
async def slow() -> str:
    print("slow request entered", flush=True)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("slow request cancelled", flush=True)
        raise
    return "done"

@asynccontextmanager
async def refuses(app):
    raise RuntimeError("no database")
    yield

unstartable = FastAPI(lifespan=refuses)

def create_app():
    return app
"""


class Server:
    """A running command: its lines as they come, its end."""

    def __init__(self, command: list[str], *, folder: Path, environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def wait_for(self, text: str, *, times: int = 1) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self.text.count(text) >= times, timeout=30)
        assert self.text.count(text) >= times, self.text

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        self.process.send_signal(signal_number)
        status = self.process.wait(timeout=30)
        self._reader.join(timeout=10)
        return status


Start = Callable[..., Server]


@pytest.fixture
def port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


@pytest.fixture
def start(tmp_path: Path, environ: dict[str, str], port: int) -> Iterator[Start]:
    """Start servers, and end those that are left."""
    (tmp_path / "myapp.py").write_text(APP)
    servers: list[Server] = []

    def start(*arguments: str, **variables: str) -> Server:
        command = [
            str(Path(sys.executable).with_name("lineside")),
            *("server", "--port", str(port)),
            *arguments,
        ]
        servers.append(Server(command, folder=tmp_path, environ={**environ, **variables}))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait(timeout=10)
        if server.process.stdout is not None:
            server._reader.join(timeout=10)
            server.process.stdout.close()


def get(port: int, path: str = "/") -> dict[str, object]:
    """Ask the server, from the moment at which it listens."""
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
                answered: dict[str, object] = json.loads(response.read())
                return answered
        except urllib.error.URLError as error:
            # A child process listens a moment after its last line, and nothing tells when.
            if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > deadline:
                raise


@pytest.mark.parametrize("name", ["myapp:app", "myapp:create_app()"])
def test_it_serves_and_stops(start: Start, port: int, name: str) -> None:
    """A request is answered; SIGTERM ends the lifespan and exits with 0."""
    server = start(name)
    server.wait_for("Uvicorn running on http://127.0.0.1")
    assert get(port)["pid"] == server.process.pid
    assert server.stop() == 0
    assert "stopped gracefully" in server.text
    assert "Traceback" not in server.text


def test_ctrl_c_exits_with_0(start: Start) -> None:
    """A developer who stops the server sees no traceback."""
    server = start("myapp:app")
    server.wait_for("Uvicorn running")
    assert server.stop(signal.SIGINT) == 0
    assert "Traceback" not in server.text


def test_a_slow_request_ends_with_the_timeout(start: Start, port: int) -> None:
    """Open requests get --timeout-graceful-shutdown seconds, then they are cancelled."""
    server = start("myapp:app", "--timeout-graceful-shutdown", "0")
    server.wait_for("Uvicorn running")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        server.wait_for("slow request entered")
        assert server.stop() == 0
    assert "slow request cancelled" in server.text


def test_env_reaches_the_app(start: Start, port: int) -> None:
    """``--env`` is the app's LINESIDE_ENV."""
    start("myapp:app", "--env", "test").wait_for("Uvicorn running")
    assert get(port)["environment"] == "test"


def test_without_env_the_app_runs_in_development(start: Start, port: int) -> None:
    """The variable is set for the app also when nobody set it."""
    start("myapp:app").wait_for("Uvicorn running")
    assert get(port)["environment"] == "development"


def test_workers_serve_and_stop(start: Start, port: int) -> None:
    """Several processes answer on one port, in production too, and SIGTERM ends them all with 0."""
    server = start("myapp:create_app()", "--workers", "2", "--env", "production")
    server.wait_for("Application startup complete", times=2)
    answered = get(port)
    assert answered["pid"] != server.process.pid
    assert answered["environment"] == "production"
    assert server.stop() == 0
    assert server.text.count("stopped gracefully") == 2


def test_reload_serves_and_stops(start: Start, port: int) -> None:
    """In development a child process serves, and SIGTERM ends both with 0."""
    server = start("myapp:app", "--reload")
    server.wait_for("Application startup complete")
    assert get(port)["pid"] != server.process.pid
    assert server.stop() == 0


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_reload_is_refused_outside_development(start: Start, environment: str) -> None:
    """The environment is named; nothing listens."""
    server = start("myapp:app", "--reload", LINESIDE_ENV=environment)
    assert server.process.wait(timeout=30) == 1
    server.wait_for(f"the environment is '{environment}'")


def test_reload_is_refused_by_the_apps_own_environment(start: Start, tmp_path: Path) -> None:
    """An app that was made for another environment than the variable says is not reloaded either."""
    (tmp_path / "staged.py").write_text(
        "from fastapi import FastAPI\nfrom lineside.application import Lineside\n"
        "from lineside.config import Config\n"
        "app = FastAPI()\nLineside(app, Config.from_dict({}, environment='staging'))\n"
    )
    server = start("staged:app", "--reload")
    assert server.process.wait(timeout=30) == 1
    server.wait_for("the environment is 'staging'")


def test_reload_and_workers_exclude_each_other(start: Start) -> None:
    """Neither is left out silently."""
    server = start("myapp:app", "--reload", "--workers", "2")
    assert server.process.wait(timeout=30) == 1
    server.wait_for("leave out --workers")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_busy_port_is_one_clear_line(start: Start, port: int, host: str) -> None:
    """The port is named and the exit status is 1, whichever address of the host is taken."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", port))
        busy.listen()
        server = start("myapp:app", "--host", host)
        assert server.process.wait(timeout=30) == 1
    server.wait_for(f"cannot listen on {host} port {port}: Address already in use")
    assert len(server.lines) == 1


def test_a_host_that_does_not_exist_is_one_clear_line(start: Start) -> None:
    """A name that cannot be resolved is no traceback."""
    server = start("myapp:app", "--host", "nowhere.invalid")
    assert server.process.wait(timeout=30) == 1
    server.wait_for("cannot listen on nowhere.invalid")
    assert "Traceback" not in server.text


def test_a_start_that_the_app_refuses_is_a_failure(start: Start) -> None:
    """The exit status is not 0, and the reason is printed."""
    server = start("myapp:unstartable")
    assert server.process.wait(timeout=30) != 0
    server.wait_for("no database")


def test_production_settings_are_checked_before_it_listens(start: Start, tmp_path: Path) -> None:
    """A missing secret refuses the start with the variable's name and exit 1."""
    (tmp_path / "guarded.py").write_text(
        "from fastapi import FastAPI\nfrom lineside.application import Lineside\n"
        "app = FastAPI()\nLineside(app)\n"
    )
    server = start("guarded:app", "--env", "production")
    assert server.process.wait(timeout=30) == 1
    server.wait_for("LINESIDE_APP__SECRET_KEY")
    assert "Traceback" not in server.text


def test_a_log_config_is_passed_on(start: Start, tmp_path: Path) -> None:
    """A logging file replaces uvicorn's own."""
    (tmp_path / "log.json").write_text(
        json.dumps(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "formatters": {"own": {"format": "OWN %(message)s"}},
                "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "own"}},
                "root": {"handlers": ["out"], "level": "INFO"},
            }
        )
    )
    server = start("myapp:app", "--log-config", "log.json")
    server.wait_for("OWN Uvicorn running")
    assert server.stop() == 0


def test_the_log_config_of_the_guide_shows_request_ids(start: Start, tmp_path: Path, port: int) -> None:
    """Its lines are JSON, and those of a request have the id that the client got."""
    guide = Path(__file__).parents[2] / "docs" / "guides" / "instrumentation.md"
    (tmp_path / "log.json").write_text(guide.read_text("utf-8").split("```json\n")[1].split("```")[0])
    (tmp_path / "logged.py").write_text(
        "from fastapi import FastAPI\nfrom lineside.application import Lineside\n"
        "app = FastAPI()\nlineside = Lineside(app, {})\n"
        "@app.get('/')\nasync def home() -> dict[str, str]:\n"
        "    lineside.logger.info('at home')\n    return {}\n"
    )
    server = start("logged:app", "--log-config", "log.json")
    server.wait_for("Uvicorn running")
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"X-Request-ID": "id-of-the-client"})
    urllib.request.urlopen(asked, timeout=10).close()
    server.wait_for("id-of-the-client", times=2)
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.lines]
    of_the_request = {
        line["logger"]: line["message"] for line in lines if line["request_id"] == "id-of-the-client"
    }
    assert of_the_request["lineside.app"] == "at home"
    assert "GET / HTTP/1.1" in of_the_request["uvicorn.access"]


def test_a_log_config_that_is_missing_is_wrong_usage(start: Start) -> None:
    """It exits with 2 before anything is imported."""
    server = start("myapp:app", "--log-config", "nothing.json")
    assert server.process.wait(timeout=30) == 2
