"""Events, captured for one test."""

from fastapi import FastAPI

from lineside.application import Lineside
from lineside.instrumentation import instrument
from lineside.testing import EventLog, TestApp, capture_events


def test_the_events_of_one_app_are_collected() -> None:
    """Another app in the process is not heard."""
    one, two = FastAPI(), FastAPI()
    Lineside(one, {})
    Lineside(two, {})
    with capture_events(one) as events:
        TestApp(one).get("/here")
        TestApp(two).get("/there")
    assert [event.payload["path"] for event in events.named("request.lineside")] == ["/here"]


def test_without_an_app_the_process_is_heard() -> None:
    """``instrument`` of the package is collected, of a pattern, until the block ends."""
    with capture_events(pattern="render.*") as events:
        with instrument("render.page", rows=3):
            pass
        with instrument("query.sql"):
            pass
    with instrument("render.late"):
        pass
    assert events.names == ["render.page"]
    assert repr(events) == "EventLog(['render.page'])"
    assert [event.payload for event in events] == [{"rows": 3}]


def test_the_log_has_a_bound() -> None:
    """Older events give way, so that a long test cannot fill the memory."""
    log = EventLog(max_events=2)
    with capture_events() as events:
        for name in ("a.one", "a.two", "a.three"):
            with instrument(name):
                pass
    for event in events:
        log.add(event)
    assert log.names == ["a.two", "a.three"]
    assert len(log) == 2
