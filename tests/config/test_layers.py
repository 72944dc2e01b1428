"""Layers: files, variables, their order and how they merge."""

import os
from pathlib import Path
from typing import Any

import pytest

from lineside.config import Config, ConfigFileError
from lineside.exceptions import ConfigurationError


def test_later_layers_win(files: Any) -> None:
    """config.yml < config.<env>.yml < config.local.yml < variables < set."""
    files.write("k: {a: 1, b: 1, c: 1, d: 1, e: 1}")
    files.write("k: {b: 2, c: 2, d: 2, e: 2}", "config.staging.yml")
    files.write("k: {c: 3, d: 3, e: 3}", "config.local.yml")
    config = files.load(environ={"LINESIDE_K__D": "4", "LINESIDE_K__E": "4"}, environment="staging")
    config.set("k.e", 5)
    assert config.get("k") == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}
    assert [Path(name).name for name in config.files] == [
        "config.yml",
        "config.staging.yml",
        "config.local.yml",
    ]


def test_lists_are_replaced(files: Any) -> None:
    """A list of an upper layer replaces the lower one instead of being added to it."""
    files.write("hosts: [c]", "config.development.yml")
    assert files.load("hosts: [a, b]").get_list("hosts") == ["c"]


def test_a_scalar_and_a_map_replace_each_other(files: Any) -> None:
    """Where one layer has a map and the other has none, the upper one counts."""
    files.write("cache: {driver: redis}\nqueue: memory", "config.local.yml")
    config = files.load("cache: memory\nqueue: {driver: redis}")
    assert config.get("cache") == {"driver": "redis"}
    assert config.get("queue") == "memory"


def test_one_element_of_a_list_cannot_be_set(files: Any) -> None:
    """A variable that reaches into a list is refused, with both places."""
    with pytest.raises(ConfigurationError, match=r"LINESIDE_SERVERS__0__HOST.*'servers'.*config.yml:1"):
        files.load("servers: [{host: a}]", {"LINESIDE_SERVERS__0__HOST": "b"})


def test_no_file_at_all_gives_the_defaults(tmp_path: Path) -> None:
    """An empty directory is fine: the defaults hold."""
    config = Config.load(tmp_path, environ={})
    assert config.files == ()
    assert config.dump() == {"app": {"debug": True, "allowed_hosts": []}, "log": {"level": "debug"}}


def test_the_default_directory_may_be_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``config/`` an app starts on defaults and variables."""
    monkeypatch.chdir(tmp_path)
    assert Config.load(environ={"LINESIDE_A": "1"}).get_int("a") == 1


def test_a_directory_that_was_named_must_exist(tmp_path: Path) -> None:
    """A misspelt directory is an error, not an empty configuration."""
    with pytest.raises(ConfigurationError, match="no directory"):
        Config.load(tmp_path / "confg", environ={})


def test_a_yaml_suffix_is_pointed_out(files: Any) -> None:
    """config.yaml would never be read, so it is refused."""
    files.write("a: 1", "config.yaml")
    with pytest.raises(ConfigFileError, match=r"rename it to config.yml"):
        files.load()


@pytest.mark.parametrize(
    ("environment", "debug", "level"),
    [("development", True, "debug"), ("test", False, "warning"), ("staging", False, "info")],
)
def test_each_environment_has_its_defaults(environment: str, debug: bool, level: str) -> None:
    """Debug is on in development only, and an unknown environment is treated with care."""
    config = Config.from_dict({}, environment=environment)
    assert config.get_bool("app.debug") is debug
    assert config.get_str("log.level") == level


def test_the_environment_comes_from_its_variable(files: Any) -> None:
    """``LINESIDE_ENV`` names the environment, and sets no key."""
    config = files.load(environ={"LINESIDE_ENV": "Test"})
    assert (config.environment, config.is_test, config.is_development, config.is_production) == (
        "test",
        True,
        False,
        False,
    )
    assert not config.has("env")


def test_the_environment_is_development_by_default(files: Any) -> None:
    """Neither argument nor variable means development."""
    assert files.load().is_development


@pytest.mark.parametrize("name", ["prod", "dev", "local", "../etc", "a b", "x" * 65])
def test_a_doubtful_environment_is_refused(files: Any, name: str) -> None:
    """``prod`` would skip the production checks, ``local`` is a file of every environment."""
    with pytest.raises(ConfigurationError):
        files.load(environ={"LINESIDE_ENV": name})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("77", 77),
        ("-1", -1),
        ("1.5", 1.5),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("1e3", 1000.0),
        ("yes", "yes"),
        ("", ""),
        ("  ", "  "),
        ("nan", "nan"),
        ("12e999", "12e999"),
        ("2024-01-01", "2024-01-01"),
        ("a,b", "a,b"),
        ("'1'", "1"),
        ('"a" and "b"', '"a" and "b"'),
        ("abc # def", "abc # def"),
        ("5 # five", "5 # five"),
        ("1\nb = 2", "1\nb = 2"),
        ("9" * 5000, "9" * 5000),
        ("@read_file /etc/hostname", "@read_file /etc/hostname"),
        ("[1, 2]", (1, 2)),
        ('["a", "b"]', ("a", "b")),
        ('{"pool": 5}', {"pool": 5}),
        ("{pool = 5}", {"pool": 5}),
        ("[abc", "[abc"),
        ("[" * 5000, "[" * 5000),
        ("${HOME}", "${HOME}"),
    ],
)
def test_a_variable_is_typed(files: Any, text: str, value: object) -> None:
    """Numbers, booleans, lists and maps are recognised; the rest stays the text it is."""
    found = files.load(environ={"LINESIDE_X": text}).get("x")
    assert found == value
    assert type(found) is type(value) or not isinstance(value, bool | int | float | str)


def test_a_huge_variable_stays_text(files: Any) -> None:
    """Text over 64 KiB is data, not a list to be parsed."""
    text = "[" + "1," * 40_000 + "1]"
    assert files.load(environ={"LINESIDE_X": text}).get("x") == text


def test_a_map_in_a_variable_merges(files: Any) -> None:
    """A JSON map in a variable joins the keys of the files."""
    config = files.load("db: {host: a, pool: 1}", {"LINESIDE_DB": '{"pool": 5}'})
    assert config.get("db") == {"host": "a", "pool": 5}


def test_a_variable_finds_the_spelling_of_the_file(files: Any) -> None:
    """Variables are upper case: they reach ``maxConn`` and ``api-url`` all the same."""
    environ = {"LINESIDE_DB__MAXCONN": "5", "LINESIDE_API_URL": "u"}
    config = files.load("db: {maxConn: 1}\napi-url: x", environ)
    assert config.get("db") == {"maxConn": 5}
    assert config.get("api-url") == "u"


@pytest.mark.parametrize("name", ["LINESIDE_A____B", "LINESIDE_A__", "LINESIDE___A", "LINESIDE_A___B"])
def test_a_variable_with_an_empty_part_is_refused(files: Any, name: str) -> None:
    """A misspelt variable is named instead of setting a key that nobody reads."""
    with pytest.raises(ConfigurationError, match=name):
        files.load(environ={name: "1"})


def test_variables_that_contradict_each_other_are_refused(files: Any) -> None:
    """One variable sets a plain value where the other needs a map."""
    with pytest.raises(ConfigurationError, match="LINESIDE_DB sets a plain value, but LINESIDE_DB__POOL"):
        files.load(environ={"LINESIDE_DB": "x", "LINESIDE_DB__POOL": "5"})


def test_another_prefix(files: Any) -> None:
    """The prefix is the app's choice, for the environment's name too."""
    environ = {"SHOP_ENV": "test", "SHOP_A": "1", "LINESIDE_A": "2"}
    config = files.load(environ=environ, env_prefix="shop")
    assert config.is_test
    assert config.get("a") == 1
    assert config.variable("app.secret_key") == "SHOP_APP__SECRET_KEY"


@pytest.mark.parametrize("prefix", ["", "_", "A-B", "1"])
def test_a_prefix_that_is_no_name_is_refused(files: Any, prefix: str) -> None:
    """An empty prefix would let every variable of the machine set keys."""
    with pytest.raises(ConfigurationError, match="not a prefix"):
        files.load(env_prefix=prefix)


def test_the_process_environment_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``environ`` the variables of the process count."""
    monkeypatch.setenv("LINESIDE_FROM_PROCESS", "7")
    assert Config.load(tmp_path, environment="test").get_int("from_process") == 7
    assert "LINESIDE_FROM_PROCESS" in os.environ


def test_a_key_with_a_dot_is_found(files: Any) -> None:
    """A logger's name keeps its dots."""
    assert (
        files.load("log: {loggers: {uvicorn.access: warning}}").get("log.loggers.uvicorn.access") == "warning"
    )


def test_two_spellings_of_one_key_are_refused(files: Any) -> None:
    """``a.b: 1`` beside ``a: {b: 2}`` has no clear meaning."""
    with pytest.raises(ConfigurationError, match="keep one"):
        files.load("a.b: 1\na: {b: 2}")


def test_from_dict_refuses_what_it_cannot_hold() -> None:
    """An object, a key that is no string and a bottomless nesting are errors with the key."""
    with pytest.raises(ConfigurationError, match=r"'a.b' cannot hold a object"):
        Config.from_dict({"a": {"b": object()}})
    with pytest.raises(ConfigurationError, match="not a non-empty string"):
        Config.from_dict({"a": {1: 2}})
    deep: dict[str, Any] = {}
    deep["a"] = deep
    with pytest.raises(ConfigurationError, match="nested deeper"):
        Config.from_dict(deep)


@pytest.mark.parametrize("values", [5, "config", None, ["app"]])
def test_from_dict_refuses_what_is_no_mapping(values: Any) -> None:
    """An empty configuration in silence would be worse."""
    with pytest.raises(ConfigurationError, match="nested mapping"):
        Config.from_dict(values)
