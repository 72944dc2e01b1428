"""Counters, gauges and histograms."""

import subprocess
import sys
import threading
import tracemalloc

import prometheus_client
import pytest

from lineside.exceptions import ConfigurationError
from lineside.instrumentation import Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def shown(metrics: Metrics) -> dict[str, float]:
    """What the page of metrics shows, without comments and creation times."""
    lines = prometheus_client.generate_latest(metrics.registry).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs if "_created" not in name}


def test_a_counter_counts(metrics: Metrics) -> None:
    """GOR-MON-02: a dotted name becomes one that Prometheus knows; counting starts at zero."""
    signups = metrics.counter("user.signup", "People who signed up")
    assert shown(metrics)["user_signup_total"] == 0
    signups.inc()
    metrics.counter("user.signup").inc(2)
    assert shown(metrics)["user_signup_total"] == 3


def test_a_gauge_goes_up_and_down(metrics: Metrics) -> None:
    """GOR-MON-03: a gauge is set, raised and lowered."""
    users = metrics.gauge("active.users")
    users.set(123)
    users.inc()
    users.dec(4)
    assert shown(metrics)["active_users"] == 120


def test_a_histogram_sorts_into_buckets(metrics: Metrics) -> None:
    """GOR-MON-04: figures are counted, summed and sorted into the given buckets."""
    size = metrics.histogram("request.size", "Bytes", buckets=(100, 1_000))
    size.observe(1_024)
    size.observe(50)
    figures = shown(metrics)
    assert figures["request_size_count"] == 2
    assert figures["request_size_sum"] == 1_074
    assert figures['request_size_bucket{le="100.0"}'] == 1
    assert figures['request_size_bucket{le="+Inf"}'] == 2


def test_a_request_is_recorded(metrics: Metrics) -> None:
    """GOR-MON-01: a request counts under its route, method and class of status, and is timed."""
    metrics.record_request("/posts/{id}", "GET", 200, 0.02)
    metrics.record_request("/posts/{id}", "GET", 204, 0.2)
    metrics.record_request("/posts/{id}", "GET", 404, 0.01)
    metrics.record_request("/posts/{id}", "BREW", 405, 0.01)
    figures = shown(metrics)
    assert figures['http_requests_total{handler="/posts/{id}",method="GET",status="2xx"}'] == 2
    assert figures['http_requests_total{handler="/posts/{id}",method="GET",status="4xx"}'] == 1
    assert figures['http_requests_total{handler="/posts/{id}",method="other",status="4xx"}'] == 1
    assert figures['http_request_duration_seconds_count{handler="/posts/{id}",method="GET"}'] == 3
    assert figures['http_request_duration_seconds_sum{handler="/posts/{id}",method="GET"}'] == pytest.approx(
        0.23
    )


def test_labels_make_series(metrics: Metrics) -> None:
    """Each set of label values has a figure of its own; values may be of any type."""
    mails = metrics.counter("mails", labels=("kind", "retry"))
    mails.inc(kind="welcome", retry=0)
    mails.inc(retry=1, kind="welcome")
    assert shown(metrics) == {
        'mails_total{kind="welcome",retry="0"}': 1,
        'mails_total{kind="welcome",retry="1"}': 1,
    }


@pytest.mark.parametrize("labels", [{}, {"kind": "a", "user": 1}, {"user": 1}])
def test_other_labels_than_declared_are_an_error(metrics: Metrics, labels: dict[str, object]) -> None:
    """A missing or unknown label is named."""
    mails = metrics.counter("mails", labels=("kind",))
    with pytest.raises(ConfigurationError, match="has the labels kind"):
        mails.inc(**labels)
    with pytest.raises(ConfigurationError, match="has the labels none"):
        metrics.counter("plain").inc(kind="a")


def test_the_same_name_is_the_same_metric(metrics: Metrics) -> None:
    """Asking again gives the same object, also by another spelling of the name."""
    assert metrics.counter("a.b") is metrics.counter("a_b") is metrics.counter("a-b")


def test_a_name_has_one_meaning(metrics: Metrics) -> None:
    """Another type or other labels under the same name are an error."""
    metrics.counter("hits", labels=("page",))
    with pytest.raises(ConfigurationError, match="hits is a counter with the labels page"):
        metrics.gauge("hits", labels=("page",))
    with pytest.raises(ConfigurationError, match="name of its own"):
        metrics.counter("hits")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        metrics.gauge("hits_total")


@pytest.mark.parametrize("name", ["", "1st", "a b\n", "größe", "a{b}"])
def test_an_impossible_name_is_refused(metrics: Metrics, name: str) -> None:
    """A name that no page of metrics could show is an error at once."""
    with pytest.raises(ConfigurationError, match="no name for a metric"):
        metrics.counter(name)


def test_apps_do_not_mix() -> None:
    """Two Metrics have registries of their own, unless they are given one."""
    first, second = Metrics(), Metrics(namespace="shop")
    first.counter("hits").inc()
    second.counter("hits").inc(5)
    assert shown(first) == {"hits_total": 1}
    assert shown(second) == {"shop_hits_total": 5}
    registry = prometheus_client.CollectorRegistry()
    assert Metrics(registry).registry is registry


def test_labels_from_outside_stay_bounded(metrics: Metrics) -> None:
    """T32: of 100,000 label values 999 are kept, the rest is counted as "other", and memory is flat."""
    rooms = metrics.counter("rooms", labels=("room", "kind"))
    for number in range(2_000):
        rooms.inc(room=f"room {number}", kind="x")
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(2_000, 100_000):
        rooms.inc(room=f"room {number}", kind="x")
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    figures = shown(metrics)
    assert len(figures) == 1_000
    assert figures['rooms_total{kind="other",room="other"}'] == 99_001
    assert sum(figures.values()) == 100_000
    assert after - before < 100_000
    rooms.inc(room="room 5", kind="x")
    assert shown(metrics)['rooms_total{kind="x",room="room 5"}'] == 2


def test_one_label_value_stays_bounded(metrics: Metrics) -> None:
    """A value of a megabyte is cut, and half a surrogate pair does not break the page."""
    hits = metrics.counter("hits", labels=("path",))
    hits.inc(path="x" * 1_000_000)
    hits.inc(path="\ud800")
    hits.inc(path='a"\n\\')
    assert max(map(len, shown(metrics))) < 250
    assert len(shown(metrics)) == 3


def test_the_limit_can_be_chosen() -> None:
    """A limit of one set counts everything as "other"."""
    metrics = Metrics(max_label_sets=1)
    metrics.counter("hits", labels=("path",)).inc(path="/a")
    assert shown(metrics) == {'hits_total{path="other"}': 1}
    with pytest.raises(ConfigurationError, match="at least 1"):
        Metrics(max_label_sets=0)


def test_names_from_outside_stay_bounded(metrics: Metrics) -> None:
    """A program that puts data into names is told to use a label."""
    for number in range(1_000):
        metrics.counter(f"user.{number}")
    with pytest.raises(ConfigurationError, match="put what varies into a label"):
        metrics.counter("user.1000")


def test_threads_count_together() -> None:
    """Threads that meet a new label set at once lose nothing and break no limit."""
    metrics = Metrics(max_label_sets=50)
    hits = metrics.counter("hits", labels=("page",))
    start = threading.Barrier(4)

    def count() -> None:
        start.wait(5)
        for number in range(500):
            hits.inc(page=number)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    figures = shown(metrics)
    assert len(figures) == 50
    assert sum(figures.values()) == 2_000


def test_a_missing_package_is_named_with_its_extra() -> None:
    """Without prometheus-client the rest of the door works, and Metrics says what to install."""
    code = """
import sys
sys.modules["prometheus_client"] = None
from lineside.instrumentation import Metrics, instrument
from lineside.exceptions import MissingDependencyError
try:
    Metrics()
except MissingDependencyError as error:
    print(error)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "pip install 'lineside[metrics]'" in result.stdout
