"""WEAK-GOR-07: the six ways in which Gor's configuration goes wrong, done right here."""

import threading
from typing import Any


def test_weak_gor_07_a_variable_in_a_value_is_expanded(files: Any) -> None:
    """``${VAR}`` gives the variable's value, at the end and in the middle of a string."""
    config = files.load("database: {host: '${DB_HOST}', url: 'pg://${DB_HOST}/app'}", {"DB_HOST": "db1"})
    assert config.get_str("database.host") == "db1"
    assert config.get_str("database.url") == "pg://db1/app"


def test_weak_gor_07_a_variable_sets_a_key_with_an_underscore(files: Any) -> None:
    """``LINESIDE_APP__SECRET_KEY`` is app.secret_key, not app.secret.key."""
    config = files.load("app: {secret_key: old}", {"LINESIDE_APP__SECRET_KEY": "new"})
    assert config.get_str("app.secret_key") == "new"
    assert not config.has("app.secret")


def test_weak_gor_07_the_text_1_is_a_number(files: Any) -> None:
    """``LINESIDE_APP__PORT=1`` is the port 1, not true."""
    config = files.load(environ={"LINESIDE_APP__PORT": "1"})
    assert config.get_int("app.port") == 1
    assert config.get("app.port") is not True


def test_weak_gor_07_nothing_is_below_a_string(files: Any) -> None:
    """``has`` is false for a key below a string."""
    config = files.load("app: {name: MyApp}")
    assert config.has("app.name")
    assert not config.has("app.name.zzz")


def test_weak_gor_07_a_watcher_may_read_and_set(files: Any) -> None:
    """A watcher that reads and sets the configuration does not deadlock."""
    config = files.load("a: 1\nb: 1")
    seen = []

    def watcher(_old: Any, new: Any) -> None:
        seen.append((new, config.get("a")))
        config.set("b", 20)

    config.watch("a", watcher)
    setter = threading.Thread(target=config.set, args=("a", 2), daemon=True)
    setter.start()
    setter.join(timeout=10)
    assert not setter.is_alive()
    assert seen == [(2, 2)]
    assert config.get("b") == 20


def test_weak_gor_07_a_reload_notifies(files: Any) -> None:
    """``reload`` tells the watchers what changed."""
    config = files.load("a: 1")
    seen = []
    config.watch("a", lambda old, new: seen.append((old, new)))
    files.write("a: 2")
    config.reload()
    assert seen == [(1, 2)]
