"""T38: no secret in a dump, a repr, an error, a log line or a traceback."""

import copy
import logging
import pickle  # noqa: TID251 - to show that nothing here can be pickled
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from lineside.config import Config, Secret
from lineside.exceptions import LinesideError

# Twenty secrets, each in a place of its own; every one contains "pl4nted".
FILE = """
app:
  secret_key: pl4nted-01-secret
  name: shop
database:
  password: pl4nted-02-secret
  url: postgresql://shop:pl4nted-03-secret@db/shop
  replica: postgresql://shop:pl4nted/04@secret@db/shop
  conninfo: host=db password=pl4nted-05-secret user=shop
  options: "sslmode=require&sslpassword='pl4nted 06 secret'"
cache:
  url: redis://:pl4nted-07-secret@cache:6379/0
  nodes: ["redis://a:pl4nted-08-secret@a", {"passwd": pl4nted-09-secret}]
mail:
  apiKey: pl4nted-10-secret
  api-key: pl4nted-11-secret
  privateKey: "-----BEGIN\\npl4nted-12-secret\\n-----END"
  dsn: https://pl4nted-13-secret@errors.example.com/1
  credentials: {user: pl4nted-14-secret, nested: [pl4nted-15-secret]}
  header: "Bearer ${MAIL_TOKEN}"
  copy: see pl4nted-02-secret there
  pin_token: 123456789
note: ${VAULT_PASSPHRASE}
"""
VARIABLES = {
    "MAIL_TOKEN": "pl4nted-16-secret",
    "VAULT_PASSPHRASE": '{"a": "pl4nted-17-secret"}',
    "LINESIDE_AUTH__TOKEN": "pl4nted-18-secret",
    "LINESIDE_AUTH__CREDENTIALS": '{"key": "pl4nted-19-secret"}',
    "LINESIDE_SENTRY": "https://pl4nted-20-secret@errors.example.com/1",
}


class Wrong(BaseModel):
    """Fits nothing: every value is a problem."""

    secret_key: int
    name: int


class Bad(BaseModel):
    password: int
    url: int
    replica: bool
    conninfo: float
    options: list[int]


def errors_of(config: Config) -> Iterator[BaseException]:
    """Provoke every error that a wrong use of these values gives."""
    actions: list[Any] = [lambda: config.bind("app", Wrong), lambda: config.bind("database", Bad)]
    for getter in ("get_int", "get_float", "get_bool", "get_duration", "get_map"):
        read = getattr(config, getter)
        keys = [key for key in config._state.values if key]
        actions += [lambda read=read, key=key: read(key) for key in keys]
    actions += [
        lambda: config.get_str("mail"),
        lambda: config.get_list("mail"),
        lambda: config.get_str("database"),
    ]
    actions += [lambda: config.bind("mail.apiKey", Wrong), lambda: pickle.dumps(config)]
    for action in actions:
        try:
            action()
        except (LinesideError, TypeError) as error:
            yield error


def test_twenty_planted_secrets_are_never_shown(files: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Dumps, reprs, explanations, errors with their tracebacks and logs are searched: no hit."""
    caplog.set_level(logging.DEBUG)
    config = files.load(FILE, VARIABLES)
    shown = [repr(config), str(config.dump()), repr(config.get("")), repr(config.get("mail.credentials"))]
    shown += [repr(config.get("cache.nodes.1")), repr(config.get_map("database"))]
    shown += [str(config.explain(key)) + repr(config.explain(key)) for key in config._state.values if key]
    errors = list(errors_of(config))
    assert len(errors) > 50
    for error in errors:
        shown.append("".join(traceback.format_exception(error)))
        shown += [repr(error), str(vars(error)), str(error.__context__), str(error.__cause__)]

    def leaky(old: Any, new: Any) -> None:
        raise RuntimeError(
            f"{config.get('app.secret_key')} {config.get_str('mail.privateKey')!r} {old} {new}"
        )

    config.watch("database.url", leaky)
    config.set("database.url", "postgresql://shop:pl4nted-21-secret@db/shop")
    files.write(FILE.replace("note:", "note: ["))
    with pytest.raises(LinesideError) as broken:
        config.reload()
    shown += [
        str(broken.value),
        config.redact("sent pl4nted-18-secret and pl4nted%2F04%40secret"),
        caplog.text,
    ]
    assert "watcher of 'database.url' failed" in caplog.text
    assert [text for text in shown if "pl4nted" in text or "123456789" in text] == []


def test_the_secrets_can_still_be_read(files: Any) -> None:
    """Masking is for showing: the app itself gets the values."""
    config = files.load(FILE, VARIABLES)
    assert config.get_str("app.secret_key") == "pl4nted-01-secret"
    assert config.get_str("database.url") == "postgresql://shop:pl4nted-03-secret@db/shop"
    assert config.get_secret("auth.token").get_secret_value() == "pl4nted-18-secret"


@pytest.mark.parametrize("key", ["passw", "user_passwd", "PASSPHRASE", "sentry-dsn", "userpwd", "auth_key"])
def test_a_secret_is_known_by_its_name(files: Any, key: str) -> None:
    """Whatever the value looks like, and wherever the word stands in the name."""
    assert files.load(f"{key}: plain").dump()[key] == "***"


@pytest.mark.parametrize("key", ["pwd", "private", "key", "hash", "pass_rate"])
def test_a_setting_with_an_ordinary_name_is_shown(files: Any, key: str) -> None:
    """A working directory is no password, and a switch called "private" no key."""
    assert files.load(f"{key}: plain").dump()[key] == "plain"


def test_what_is_no_secret_is_shown(files: Any) -> None:
    """A dump stays useful: names, hosts and numbers are there, and an empty key shows as empty."""
    config = files.load("db: {url: 'postgresql://u:p@host:5432/shop?sslmode=require', pool: 5, password: ~}")
    assert config.dump()["db"] == {
        "url": "postgresql://***@host:5432/shop?sslmode=require",
        "pool": 5,
        "password": None,
    }


@pytest.mark.parametrize(
    "text",
    [
        "a: *pl4nted-secret",
        "a: 'x\npl4nted: b",
        "pl4nted: [}",
        'a: "\\qpl4nted"',
        "token: pl4nted: x",
        "a: !pl4nted x",
    ],
)
def test_a_broken_file_is_not_quoted(files: Any, text: str) -> None:
    """An error about a file never repeats its text."""
    with pytest.raises(LinesideError) as caught:
        files.load(text)
    assert "pl4nted" not in "".join(traceback.format_exception(caught.value))


def test_a_secret_shows_itself_as_stars() -> None:
    """repr, str, format and a model around it show no value."""

    class Model(BaseModel):
        key: Secret

    model = Model(key=Secret("hunter2"))
    shown = [
        repr(model.key),
        str(model.key),
        f"{model.key}",
        repr(model),
    ]
    shown += [model.model_dump_json(), str(model.model_dump())]
    assert all("hunter2" not in text for text in shown)
    assert repr(model.key) == "Secret('***')"
    assert Model.model_validate({"key": "hunter2"}) == model


def test_a_secret_is_never_pickled(files: Any) -> None:
    """Neither a secret, nor a section, nor the configuration; a copy is the same object."""
    config = files.load("db: {password: x}")
    for value in (Secret("x"), config, config.get("db")):
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(value)
    secret = Secret("x")
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_a_secret_that_was_set_is_masked() -> None:
    """A `Secret` handed to ``set`` is one whatever its key is called."""
    config = Config.from_dict({"plain": Secret("hunter2hunter2")})
    config.set("other", Secret("swordfish9"))
    config.set("copy", "say swordfish9")
    assert config.dump()["plain"] == "***"
    assert config.dump()["other"] == "***"
    assert config.dump()["copy"] == "say ***"
    assert config.get_str("other") == "swordfish9"


def test_an_overridden_secret_is_masked(files: Any) -> None:
    """The password of a lower layer may still be in use elsewhere: it is masked in any text."""
    config = files.load("db: {password: from-the-file}", {"LINESIDE_DB__PASSWORD": "from-the-variable"})
    assert config.redact("from-the-file from-the-variable") == "*** ***"


def test_a_secret_that_a_reload_replaced_is_masked(files: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A watcher that quotes the old value of a rotated secret does not log it."""
    config = files.load("db: {password: pl4nted-old}")

    def broken(old: Any, new: Any) -> None:
        raise RuntimeError(f"cannot rotate {old} to {new}")

    config.watch("db.password", broken)
    files.write("db: {password: pl4nted-new}")
    config.reload()
    assert "cannot rotate *** to ***" in caplog.text
