"""Switch off each control of the cable in turn: the test that stands for it has to fail.

A copy of the library with one line changed is tested; a test that stays green shows nothing, and neither does
one that is red with everything switched on.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
_SECONDS = 100


@dataclass(frozen=True, slots=True)
class Control:
    """A control and the test that fails without it.

    Attributes:
        threat: What it stands against.
        file: Where it is, below ``src/lineside``.
        line: What it is there.
        off: What takes its place.
        test: The test.
    """

    threat: str
    file: str
    line: str
    off: str
    test: str


CONTROLS = (
    Control(
        "T1 another page opens a socket",
        "cable/_auth/_origins.py",
        "        if not self._allows(origin, scope):",
        "        if False:",
        "tests/cable/auth/test_origins.py::test_another_page_is_refused",
    ),
    Control(
        "T3 a ticket is used twice",
        "cable/_auth/_tickets.py",
        "self._open.pop(key, (0.0, None))",
        "self._open.get(key, (0.0, None))",
        "tests/cable/auth/test_tickets.py::test_a_ticket_is_good_once",
    ),
    Control(
        "T4 a channel decides nothing",
        "cable/_channel/_run.py",
        "        state.subscription.reject()",
        "        pass",
        "tests/cable/channels/test_subscribing.py::test_a_subscribed_that_decides_nothing_rejects",
    ),
    Control(
        "T5 a session that was ended for good",
        "cable/_core/_connection.py",
        "self.resumable and reconnect",
        "self.resumable",
        "tests/cable/threats/test_t05_revocation.py::test_a_session_that_was_ended_for_good_cannot_be_resumed",
    ),
    Control(
        "T6 a stream's name is forged",
        "cable/_auth/_signed_streams.py",
        "        if not any(matches):",
        "        if False:",
        "tests/cable/auth/test_signed_streams.py::test_no_mutated_token_is_accepted",
    ),
    Control(
        "T7 a position from before the right began",
        "cable/_core/_replay.py",
        '        raise _Impossible("forbidden")',
        "        pass",
        "tests/cable/threats/test_t07_positions.py::test_a_position_from_before_the_right_began_brings_nothing",
    ),
    Control(
        "T13 a compressed bomb",
        "cli/_server.py",
        "        ws_per_message_deflate=ws_per_message_deflate,",
        "        ws_per_message_deflate=True,",
        "tests/cable/server/test_runner.py::test_compression_is_not_agreed_on_unless_it_is_asked_for",
    ),
    Control(
        "T15 JSON that is too deep",
        "cable/codecs/_json.py",
        "max_depth=self.max_depth)",
        "max_depth=10_000)",
        "tests/cable/codecs/test_malformed.py",
    ),
    Control(
        "T17 a client that does not read",
        "cable/_core/_outbox.py",
        "        self._owner.outbox_overflowed()",
        "        pass",
        "tests/cable/core/test_outbox.py::test_a_slow_client_is_disconnected_and_the_others_are_served",
    ),
    Control(
        "T18 names without end",
        "cable/_core/_hub.py",
        "            await self._forget_empty(name)",
        "            pass",
        "tests/cable/threats/test_t18_growth.py::test_thousands_of_random_names_leave_nothing",
    ),
    Control(
        "T19 more connections than there is room for",
        "cable/_server/_front_door.py",
        "if max(self._seats, len(self.cable.connections)) >= self.cable.limits.connections:",
        "if max(self._seats, len(self.cable.connections)) < 0:",
        "tests/cable/server/test_endpoint.py::test_a_full_node_answers_503_and_takes_again_when_somebody_left",
    ),
    Control(
        "T39 another key for the HTTP API",
        "cable/_auth/_bearer.py",
        "        if not any(matches):",
        "        if False:",
        "tests/cable/fastapi/test_http_api.py::test_another_key_opens_nothing",
    ),
    Control(
        "T40 an unsigned message on the bus",
        "bus/_envelope.py",
        "            if not any(hmac.compare_digest",
        "            if False and any(hmac.compare_digest",
        "tests/bus/test_envelope.py",
    ),
    Control(
        "T48 a client floods",
        "cable/_core/_connection.py",
        "        if not self._buckets.messages.take():",
        "        if False:",
        "tests/cable/threats/test_t48_floods.py"
        "::test_a_client_that_whispers_without_end_is_ended_and_its_neighbour_is_served",
    ),
    Control(
        "T48 somebody is present as somebody else",
        "cable/_core/_presence.py",
        'str(attachment.presence["id"])',
        '"ann"',
        "tests/cable/threats/test_t48_floods.py::test_nobody_is_present_as_somebody_else",
    ),
)


def main() -> int:
    """Switch everything off in turn.

    Returns:
        0 when each test fails without its control, and passes with it.
    """
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="lineside-controls-") as folder:
        for control in CONTROLS:
            source = Path(folder) / "src"
            shutil.rmtree(source, ignore_errors=True)
            shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
            changed = source / "lineside" / control.file
            text = changed.read_text("utf-8")
            if control.line not in text:
                said = f"MISSING in {control.file}: {control.line.strip()}"
            elif not _passes(control.test, source):
                said = "RED with everything switched on"
            else:
                changed.write_text(text.replace(control.line, control.off), "utf-8")
                said = "GREEN without it" if _passes(control.test, source) else "ok"
            wrong += said != "ok"
            print(f"{control.threat:45} {said}", flush=True)
    return int(bool(wrong))


def _passes(test: str, source: Path) -> bool:
    with tempfile.TemporaryFile() as output:
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--timeout", "60", test],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        )
    return run.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
