"""``explain``: who set a value and what it overrode."""

from typing import Any

import pytest

from lineside.config import ConfigKeyError


def test_the_whole_story_of_a_value(files: Any) -> None:
    """Variable, files with lines, and defaults, nearest first."""
    files.write("a: 1\napp:\n  debug: true\n")
    files.write("app: {debug: false}", "config.test.yml")
    config = files.load(environ={"LINESIDE_APP__DEBUG": "true", "LINESIDE_ENV": "test"})
    config.set("app.debug", value=False)
    told = config.explain("app.debug")
    assert told.value is False
    assert told.set_by.source == "set()"
    assert [(layer.source.rpartition("/")[2], layer.line, layer.value) for layer in told.overrode] == [
        ("environment variable LINESIDE_APP__DEBUG", None, True),
        ("config.test.yml", 1, False),
        ("config.yml", 3, True),
        ("the defaults for test", None, False),
    ]


def test_it_reads_well_in_a_terminal(files: Any) -> None:
    """``str`` gives the value, who set it and the rest, line by line."""
    config = files.load("db:\n  pool: 5\n  host: ${HOST}\n", {"LINESIDE_DB__POOL": "77", "HOST": "h"})
    path = files.directory / "config.yml"
    assert str(config.explain("db.pool")) == (
        f"db.pool = 77\n  set by environment variable LINESIDE_DB__POOL\n  overrode {path}:2 = 5"
    )
    assert str(config.explain("db.host")) == f"db.host = 'h'\n  set by {path}:3 (reads HOST)"
    assert f"merged with {path}:2 = {{'pool': 5, 'host': 'h'}}" in str(config.explain("db"))


def test_secrets_are_masked_in_every_layer(files: Any) -> None:
    """An overridden secret is shown as little as the one in force."""
    text = "app: {secret_key: first-secret, url: 'x://u:second-secret@h', header: 'Bearer ${API_TOKEN}'}"
    config = files.load(text, {"LINESIDE_APP__SECRET_KEY": "third-secret", "API_TOKEN": "fourth-secret"})
    config.set("app.header", "plain")
    config.set("app.url", "y")
    told = "".join(str(config.explain(key)) for key in ("app", "app.secret_key", "app.url", "app.header"))
    assert "-secret" not in told
    assert "(reads API_TOKEN) = '***'" in told


def test_keys_with_dots_and_lists_are_explained(files: Any) -> None:
    """A logger's name and an element of a list have a source too."""
    config = files.load("log:\n  uvicorn.access: warning\nhosts:\n  - a\n  - [b]\n")
    assert config.explain("log.uvicorn.access").set_by.line == 2
    assert config.explain("hosts.0").set_by.line == 4
    assert config.explain("hosts").value == ["a", ["b"]]


def test_an_unknown_key_is_an_error(files: Any) -> None:
    """It names the nearest keys."""
    with pytest.raises(ConfigKeyError, match=r"Did you mean 'app.debug'"):
        files.load().explain("app.debgu")
