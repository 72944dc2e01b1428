"""WEAK-HUB-22: reloads without effect, keys that are not read, partial files that give zeros."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from lineside.config import ConfigBindError


class Redis(BaseModel):
    pool_size: int = 10
    op_timeout: timedelta = timedelta(milliseconds=500)


class Cluster(BaseModel):
    enabled: bool = True
    bus_type: str = "nats"
    redis: Redis = Redis()


def test_weak_hub_22_a_partial_file_keeps_the_defaults(files: Any) -> None:
    """Keys that a file leaves out keep the model's defaults, nested ones too."""
    cluster = files.load("cluster: {bus_type: redis, redis: {op_timeout: 250ms}}").bind("cluster", Cluster)
    assert cluster == Cluster(bus_type="redis", redis=Redis(op_timeout=timedelta(milliseconds=250)))
    assert cluster.enabled
    assert cluster.redis.pool_size == 10


def test_weak_hub_22_a_partial_layer_keeps_the_keys_below(files: Any) -> None:
    """A file for one environment that sets one key keeps the others of config.yml."""
    files.write("log: {level: warning}\ncluster: {bus_type: redis}", "config.test.yml")
    config = files.load("cluster: {enabled: false, bus_type: nats}", environment="test")
    assert config.dump()["cluster"] == {"enabled": False, "bus_type": "redis"}


def test_weak_hub_22_a_reload_has_effect(files: Any) -> None:
    """The one object that everybody holds shows the new values after a reload."""
    config = files.load("cluster: {bus_type: redis}")
    holder = {"config": config}
    files.write("cluster: {bus_type: noop}")
    assert config.reload() == ("cluster.bus_type",)
    assert holder["config"].bind("cluster", Cluster).bus_type == "noop"


def test_weak_hub_22_a_key_that_nobody_reads_is_refused(files: Any) -> None:
    """A misspelt key is an error with its file and line instead of being ignored."""
    config = files.load("cluster:\n  bus_type: redis\n  redis:\n    op_time_out: 5s\n")
    with pytest.raises(
        ConfigBindError, match=r"'cluster.redis.op_time_out' \(.*config.yml:4\) is not a known"
    ):
        config.bind("cluster", Cluster)


def test_weak_hub_22_a_variable_needs_no_key_in_a_file(files: Any) -> None:
    """A variable sets a key that no file mentions."""
    config = files.load(environ={"LINESIDE_CLUSTER__REDIS__POOL_SIZE": "30"})
    assert config.bind("cluster", Cluster).redis.pool_size == 30
