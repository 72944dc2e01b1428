"""`python -m examples.blog`, as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

ROOT = Path(__file__).parent.parent.parent
TIMEOUT_SECONDS = 60


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Take a port that the demo can find taken, or free when this is closed."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken


class Demo:
    """The running demo: what it printed, and where it serves."""

    def __init__(self, port: int) -> None:
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("BLOG_", "LINESIDE_"))
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "examples.blog"],
            cwd=ROOT,
            env={**environ, "PORT": str(port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.text = ""
        self.url = ""
        # Reading would wait for ever if it never said where it serves.
        watchdog = threading.Timer(TIMEOUT_SECONDS, self.process.kill)
        watchdog.start()
        self._read_until("lineside config explain")
        watchdog.cancel()
        self.url = self.text.partition("is served on ")[2].split()[0]

    def _read_until(self, last: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.text += line
            if last in line:
                return
        raise AssertionError(self.text)

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Ask for a path; gives the status and the text."""
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def stop(self, number: int) -> tuple[int, str]:
        """Send a signal; gives the exit status, and what was printed since the start."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=TIMEOUT_SECONDS)
        return self.process.returncode, rest


@pytest.fixture
def demos() -> Iterator[list[Demo]]:
    """End the demos that a failed test leaves."""
    started: list[Demo] = []
    yield started
    for demo in started:
        if demo.process.poll() is None:
            demo.process.kill()
            demo.process.communicate(timeout=TIMEOUT_SECONDS)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_demo_serves_and_ends_well(listener: socket.socket, demos: list[Demo], number: int) -> None:
    """The page, /docs and each kind of refusal that it tells to try, the chat; a signal ends all with 0."""
    port = listener.getsockname()[1]
    listener.close()
    demos.append(demo := Demo(port))
    assert demo.url == f"http://127.0.0.1:{port}"
    assert "House rules" in demo.get("/")[1]
    assert "Not your post" in demo.get("/permissions")[1]
    assert demo.get("/docs")[0] == 200
    assert "<title>Chat</title>" in demo.get("/chat")[1]
    assert '"status":"ok"' in demo.get("/chat/cable/health")[1]
    assert demo.get("/my/posts")[0] == 401
    assert demo.get("/stats", Authorization="Bearer ben-token")[0] == 403
    assert demo.get("/posts/1", Accept="image/png")[0] == 406
    assert '"title":"Unprocessable' in demo.get("/posts?limit=0", Accept="application/problem+json")[1]
    with connect(demo.url.replace("http", "ws") + "/chat/cable") as socket:
        status, rest = demo.stop(number)
        assert (status, rest.strip()) == (0, "")
        with suppress(ConnectionClosedError):
            for frame in socket:
                assert "server_restart" in frame
        # RFC 6455's registry calls 1012 "service restart": clients come back by themselves.
        assert socket.close_code == 1012


def test_a_port_that_is_taken_is_told(listener: socket.socket, demos: list[Demo]) -> None:
    """The next free port is used, and the demo says so."""
    port = listener.getsockname()[1]
    demos.append(demo := Demo(port))
    assert f"Port {port} is taken" in demo.text
    assert demo.url != f"http://127.0.0.1:{port}"
    assert demo.get("/health") == (200, '{"status":"ok"}')
    assert demo.stop(signal.SIGTERM)[0] == 0


@pytest.mark.parametrize("port", ["http", "70000", "-1"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    """A wrong PORT is one sentence and no traceback."""
    ended = subprocess.run(
        [sys.executable, "-m", "examples.blog"],
        cwd=ROOT,
        env={**os.environ, "PORT": port},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (1, f"PORT={port} is no port; give a number below 65536.\n")
