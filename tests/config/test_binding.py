"""Sections as pydantic models."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from lineside.config import Config, ConfigBindError, Secret


class Database(BaseModel):
    host: str
    pool: int = Field(default=5, ge=1, le=100)
    timeout: timedelta = timedelta(seconds=5)
    password: Secret | None = None


class App(BaseModel):
    version: str = "0"
    allowed_hosts: list[str] = []
    ports: set[int] = set()
    level: Literal["1.10", "2"] = "2"
    home: Path = Path()
    credentials: str = ""
    databases: list[Database] = []


def test_a_section_is_validated(files: Any) -> None:
    """Values are converted as pydantic does, durations as our getters do."""
    config = files.load("db: {host: a, pool: '7', timeout: 250ms, password: p}")
    database = config.bind("db", Database)
    assert database == Database(host="a", pool=7, timeout=timedelta(milliseconds=250), password=Secret("p"))
    assert isinstance(database.password, Secret)


def test_text_is_read_as_the_model_wants_it(files: Any) -> None:
    """A number becomes the string it was written as, a comma list becomes a list."""
    environ = {
        "LINESIDE_APP__ALLOWED_HOSTS": "a.com, b.com",
        "LINESIDE_APP__PORTS": "80,443",
        "LINESIDE_APP__CREDENTIALS": '{"user": "u"}',
        "LINESIDE_APP__HOME": "7",
    }
    app = files.load("app: {version: 1.10, level: 1.10, debug: ~}", environ).bind("", Everything).app
    assert app.version == "1.10"
    assert app.level == "1.10"
    assert app.allowed_hosts == ["a.com", "b.com"]
    assert app.ports == {80, 443}
    assert app.credentials == '{"user": "u"}'
    assert app.home == Path("7")


class AppIn(App):
    debug: bool | None = None


class Everything(BaseModel):
    model_config = ConfigDict(extra="ignore")
    app: AppIn


def test_every_problem_is_listed_with_its_source(files: Any) -> None:
    """One error names all keys that do not fit, where each was set, and what is missing."""
    config = files.load("app:\n  databases:\n    - pool: 500\n", {"LINESIDE_APP__HOME": "[1]"})
    with pytest.raises(ConfigBindError) as caught:
        config.bind("app", AppOnly)
    text = str(caught.value)
    assert "'app.databases.0.host' is missing" in text
    assert "config.yml:3): Input should be less than or equal to 100" in text
    assert "'app.home' (environment variable LINESIDE_APP__HOME)" not in text  # its text is a fine path
    assert len(caught.value.problems) == 2


class AppOnly(App):
    debug: bool = False


def test_an_unknown_key_is_refused(files: Any) -> None:
    """A misspelt key is found, unless the model says that more keys are welcome."""
    config = files.load("db: {host: a, pol: 5}")
    with pytest.raises(ConfigBindError, match=r"'db.pol' \(.*config.yml:1\) is not a known key"):
        config.bind("db", Database)

    class Loose(Database):
        model_config = ConfigDict(extra="ignore")

    assert config.bind("db", Loose).pool == 5


def test_a_missing_section_is_empty() -> None:
    """A section that is not there, or null, gives the defaults, or names the missing keys."""
    config = Config.from_dict({"nothing": None})
    assert config.bind("app2", App) == App()
    assert config.bind("nothing", App) == App()
    with pytest.raises(ConfigBindError, match=r"'db.host' is missing"):
        config.bind("db", Database)


def test_a_plain_value_is_no_section(files: Any) -> None:
    """Binding a string names who set it."""
    with pytest.raises(ConfigBindError, match=r"config.yml:1 sets it to a plain value"):
        files.load("db: x").bind("db", Database)


def test_a_bad_duration_keeps_pydantics_word(files: Any) -> None:
    """A duration that neither we nor pydantic understand is a problem of that key."""
    with pytest.raises(ConfigBindError, match=r"'db.timeout'"):
        files.load("db: {host: a, timeout: soon}").bind("db", Database)


def test_a_set_that_breaks_a_bound_model_is_refused(files: Any) -> None:
    """After binding, the model guards its section."""
    config = files.load("db: {host: a}")
    config.bind("db", Database)
    with pytest.raises(ConfigBindError, match=r"'db.pool' \(set\(\)\)"):
        config.set("db.pool", 1000)
    assert not config.has("db.pool")
    config.set("db.pool", 10)
    assert config.bind("db", Database).pool == 10


def test_a_model_that_is_gone_no_longer_guards(files: Any) -> None:
    """Models are held weakly: one made in a function does not pile up."""
    config = files.load("db: {host: a}")
    assert len(config._models) == 0
    for _ in range(3):
        config.bind("db", type("Again", (Database,), {"__module__": __name__}))
    import gc

    gc.collect()
    assert len(config._models) == 0


def test_a_validator_cannot_tell_a_secret(files: Any) -> None:
    """What a validator of the user's own says about a secret is not repeated."""

    class Strict(BaseModel):
        password: SecretStr
        note: str

        @field_validator("password", "note")
        @classmethod
        def refuse(cls, value: Any) -> Any:
            raise ValueError(
                f"bad value {value.get_secret_value() if hasattr(value, 'get_secret_value') else value}"
            )

    config = files.load("db: {password: pw1, note: 'see hunter2hunter2', token: hunter2hunter2}")
    with pytest.raises(ConfigBindError) as caught:
        config.bind("db", Strict)
    assert "pw1" not in str(caught.value)
    assert "its validator refuses it" in str(caught.value)
    assert "see ***" in str(caught.value)
    assert caught.value.__context__ is None
