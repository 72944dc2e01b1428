"""`python -m examples.cluster`, which starts a server and three nodes and stops them again."""

import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import missing

ROOT = Path(__file__).parent.parent.parent
TIMEOUT_SECONDS = 100
PROGRAMS = {"redis": "redis-server", "nats": "nats-server"}


def command(bus: str, *options: str) -> list[str]:
    """Return the command of one cluster, where its server is installed."""
    program = PROGRAMS[bus]
    if shutil.which(program) is None:
        missing(program, f"install it (Debian: apt-get install {program})")
    return [sys.executable, "-u", "-m", "examples.cluster", bus, *options]


def still_listening(said: str) -> list[str]:
    """Return the ports among those that were printed on which somebody still answers."""
    ports = re.findall(r"//127\.0\.0\.1:(\d+)", said)
    assert len(ports) == 4
    found = []
    for port in ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                found.append(port)
    return found


@pytest.mark.parametrize("bus", PROGRAMS)
def test_three_nodes_are_one_and_a_client_moves_without_a_gap(bus: str) -> None:
    """The story ends well, and nothing that was started stays."""
    ended = subprocess.run(
        command(bus, "--once"), cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("heard on all 3") == 3
    assert "tells its client: server_restart" in ended.stdout
    assert "missed: meanwhile 1, meanwhile 2, meanwhile 3\n" in ended.stdout
    assert still_listening(ended.stdout) == []


def test_a_signal_stops_everything_that_was_started() -> None:
    """SIGTERM, as from a supervisor, while the pages are served."""
    process = subprocess.Popen(command("redis"), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("Nodes 2 and 3 stay"):
                break
        assert len(still_listening(said)) == 3
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=TIMEOUT_SECONDS)
        assert (process.returncode, rest) == (0, "")
        assert still_listening(said) == []
    finally:
        process.kill()
        process.wait()
