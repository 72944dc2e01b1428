"""The typed getters: conversions, defaults, and errors that say what to do."""

from datetime import timedelta
from typing import Any

import pytest

from lineside.config import Config, ConfigKeyError, ConfigTypeError, Secret

INT, FLOAT, BOOL, STR, LIST = "get_int", "get_float", "get_bool", "get_str", "get_list"


@pytest.mark.parametrize(
    ("getter", "value", "expected"),
    [
        (INT, 5, 5),
        (INT, "5", 5),
        (INT, " -5 ", -5),
        (FLOAT, 5, 5.0),
        (FLOAT, "1.5", 1.5),
        (BOOL, True, True),
        (BOOL, 0, False),
        (BOOL, "Yes", True),
        (BOOL, "off", False),
        (STR, "x", "x"),
        (STR, 5, "5"),
        (STR, "", ""),
        (LIST, [1, "a"], [1, "a"]),
        (LIST, "a, b,,c", ["a", "b", "c"]),
        (LIST, "", []),
        (LIST, 80, ["80"]),
    ],
)
def test_a_getter_converts(getter: str, value: object, expected: object) -> None:
    """Each getter takes what can only mean one thing."""
    found = getattr(Config.from_dict({"k": value}), getter)("k")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("30s", 30),
        ("5m", 300),
        ("1h", 3600),
        ("2d", 172_800),
        ("1h 30m", 5400),
        ("1.5h", 5400),
    ],
)
def test_a_duration_has_units(text: str, seconds: float) -> None:
    """Durations are written as people write them."""
    assert Config.from_dict({"k": text}).get_duration("k") == timedelta(seconds=seconds)


@pytest.mark.parametrize(("value", "seconds"), [(30, 30), (0.5, 0.5), ("30", 30), (timedelta(minutes=1), 60)])
def test_a_bare_duration_is_seconds(value: object, seconds: float) -> None:
    """A number without unit is seconds."""
    assert Config.from_dict({"k": value}).get_duration("k") == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("getter", "value"),
    [
        (INT, True),
        (INT, 1.0),
        (INT, "x"),
        (INT, "1" * 5000),
        (INT, [1]),
        (FLOAT, True),
        (FLOAT, "nan"),
        (FLOAT, 10**400),
        (BOOL, 2),
        (BOOL, "maybe"),
        (BOOL, 1.0),
        (STR, True),
        (STR, {"a": 1}),
        (LIST, True),
        (LIST, {"a": 1}),
        ("get_map", "x"),
        ("get_duration", "5 parsecs"),
        ("get_duration", "5m oops"),
        ("get_duration", -1),
        ("get_duration", True),
        ("get_duration", "999999999999d"),
    ],
)
def test_a_wrong_type_is_an_error(getter: str, value: object) -> None:
    """What could mean something else is refused, naming key and source."""
    with pytest.raises(ConfigTypeError, match=r"'k' should be .*, but from_dict\(\) sets it to ") as caught:
        getattr(Config.from_dict({"k": value}), getter)("k", None)
    assert caught.value.__context__ is None


def test_a_wrong_type_names_file_and_line(files: Any) -> None:
    """The place to change is in the message."""
    config = files.load("app:\n  port: many\n")
    with pytest.raises(
        ConfigTypeError, match=r"'app.port' should be a whole number, but .*config.yml:2 sets it"
    ):
        config.get_int("app.port")


def test_a_wrong_type_names_the_variable(files: Any) -> None:
    """A variable is named as a variable."""
    config = files.load(environ={"LINESIDE_APP__PORT": "many"})
    with pytest.raises(ConfigTypeError, match="environment variable LINESIDE_APP__PORT sets it to 'many'"):
        config.get_int("app.port")


@pytest.mark.parametrize(
    "getter",
    [
        "get",
        "get_int",
        "get_float",
        "get_bool",
        "get_str",
        "get_secret",
        "get_duration",
        "get_list",
        "get_map",
    ],
)
def test_a_missing_key(getter: str, files: Any) -> None:
    """Without default it is an error with likely keys, the variable and the files; with one, the default."""
    config = files.load("database: {pool: 5}")
    with pytest.raises(ConfigKeyError) as caught:
        getattr(config, getter)("database.pol")
    assert caught.value.nearest[0] == "database.pool"
    assert "LINESIDE_DATABASE__POL" in str(caught.value)
    assert "config.yml" in str(caught.value)
    marker = object()
    assert getattr(config, getter)("database.pol", marker) is marker


def test_null_is_missing_for_a_typed_getter(files: Any) -> None:
    """A layer may take a value away with null; ``get`` and ``has`` still see the key."""
    files.write("a: ~", "config.local.yml")
    config = files.load("a: 5")
    assert config.has("a")
    assert config.get("a", 7) is None
    assert config.get_int("a", 7) == 7
    with pytest.raises(ConfigKeyError, match=r"'a' is null in .*config.local.yml:1"):
        config.get_int("a")


def test_text_stays_as_it_was_written(files: Any) -> None:
    """A version is not a float and a date is not a date for who asks for a string."""
    config = files.load("v: 1.10\nd: 2024-01-01\nzip: 01234\n", {"LINESIDE_E": "1e3"})
    assert [config.get_str(key) for key in ("v", "d", "zip", "e")] == ["1.10", "2024-01-01", "01234", "1e3"]


def test_a_list_is_reached_by_index(files: Any) -> None:
    """``servers.0.host`` reads into a list."""
    config = files.load("servers: [{host: a}, {host: b}]")
    assert config.get_str("servers.1.host") == "b"
    assert not config.has("servers.2")


def test_values_are_read_only(files: Any) -> None:
    """What a reader gets cannot change the configuration."""
    config = files.load("db: {hosts: [a]}")
    with pytest.raises(TypeError):
        config.get("db")["hosts"] = []
    config.get_list("db.hosts").append("b")
    assert config.get("db.hosts") == ("a",)
    assert len(config.get_map("db")) == 1


def test_a_secret_is_wrapped(files: Any) -> None:
    """``get_secret`` gives a `Secret`, also of digits."""
    secret = files.load(environ={"LINESIDE_APP__SECRET_KEY": "0123456789"}).get_secret("app.secret_key")
    assert secret == Secret("0123456789")
    assert repr(secret) == "Secret('***')"


def test_a_secret_that_equals_its_default_is_wrapped() -> None:
    """A value that is the very string given as the default still comes back masked."""
    value = "from-the-file"
    config = Config.from_dict({"app": {"secret_key": value}})
    assert config.get_secret("app.secret_key", value) == Secret(value)
    assert config.get_secret("app.other_key", value) is value
