"""Log lines: the request id in each, one line per event, no secrets."""

import io
import json
import logging
import logging.config
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from lineside.exceptions import ConfigurationError
from lineside.instrumentation import JSONFormatter, RequestIdFilter, log_request_ids, using_request_id


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger that belongs to one test."""
    logger = logging.getLogger("tests.instrumentation")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield logger
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    logger.propagate = True


def listen(logger: logging.Logger, formatter: logging.Formatter) -> io.StringIO:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    return stream


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_line_of_every_logger_has_the_id(logger: logging.Logger) -> None:
    """A handler that was added later, with a plain format, has the id in its lines."""
    with log_request_ids():
        stream = listen(logger, logging.Formatter("%(request_id)s %(message)s"))
        logger.info("outside")
        with using_request_id("abc"):
            logger.info("inside")
            logger.getChild("library").warning("deeper")
    assert stream.getvalue() == "- outside\nabc inside\nabc deeper\n"


def test_an_app_that_logs_an_id_of_its_own_goes_on(logger: logging.Logger) -> None:
    """An extra with the same name is no error, and stays as the app wrote it."""
    stream = listen(logger, logging.Formatter("%(request_id)s %(message)s"))
    with log_request_ids(), using_request_id("abc"):
        logger.info("mine", extra={"request_id": "own"})
    assert stream.getvalue() == "own mine\n"


def test_it_lasts_until_everybody_has_stopped() -> None:
    """Of two apps in one process, the first that stops takes nothing from the other."""
    before = logging.Logger.makeRecord
    first, second = log_request_ids(), log_request_ids()
    first.stop()
    first.stop()
    assert _has_id(logging.getLogger("tests.instrumentation"))
    second.stop()
    assert logging.Logger.makeRecord is before
    assert not _has_id(logging.getLogger("tests.instrumentation"))


def test_it_respects_who_came_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another library's change of the same method is neither lost nor undone, and ours never piles up."""
    calls: list[str] = []
    original = logging.Logger.makeRecord

    def before(self: logging.Logger, *args: Any, **kwargs: Any) -> logging.LogRecord:
        calls.append("before")
        return original(self, *args, **kwargs)

    monkeypatch.setattr(logging.Logger, "makeRecord", before)
    logger = logging.getLogger("tests.instrumentation")
    ids = log_request_ids()
    ours = logging.Logger.makeRecord
    assert _has_id(logger)
    assert calls == ["before"]

    def after(self: logging.Logger, *args: Any, **kwargs: Any) -> logging.LogRecord:
        return ours(self, *args, **kwargs)

    monkeypatch.setattr(logging.Logger, "makeRecord", after)
    ids.stop()
    assert logging.Logger.makeRecord is after
    assert not _has_id(logger)
    with log_request_ids():
        assert logging.Logger.makeRecord is after
        assert _has_id(logger)
        monkeypatch.setattr(logging.Logger, "makeRecord", ours)
    assert logging.Logger.makeRecord is before


def _has_id(logger: logging.Logger) -> bool:
    return "request_id" in vars(logger.makeRecord("x", logging.INFO, "x", 1, "x", (), None))


def test_a_filter_serves_one_handler(logger: logging.Logger) -> None:
    """The filter can be named in dictConfig and puts the id into the lines of its handler."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "incremental": False,
            "filters": {"id": {"()": "lineside.instrumentation.RequestIdFilter"}},
        }
    )
    stream = listen(logger, logging.Formatter("%(request_id)s %(message)s"))
    logger.handlers[0].addFilter(RequestIdFilter())
    logger.info("outside")
    with using_request_id("abc"):
        logger.info("inside")
    assert stream.getvalue() == "- outside\nabc inside\n"


def test_a_json_line_has_the_facts(logger: logging.Logger) -> None:
    """Time, level, logger, request id, message and extras, without any other set-up."""
    stream = listen(logger, JSONFormatter())
    with using_request_id("abc"):
        logger.warning("hello %s", "you", extra={"user": 7, "tags": ("a", "b")})
    [line] = written(stream)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "WARNING",
        "logger": "tests.instrumentation",
        "request_id": "abc",
        "message": "hello you",
        "extra": {"user": 7, "tags": ["a", "b"]},
    }


FORGERIES = {
    "line feed": "user\nERROR forged",
    "carriage return": "user\rERROR forged",
    "both": 'user\r\n{"level": "ERROR"}',
    "vertical tab and form feed": "a\vb\fc",
    "file, group and record separators": "a\x1cb\x1dc\x1e",
    "next line": "a\x85b",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "ansi colour": "\x1b[31mred\x1b[0m",
    "ansi title": "\x1b]0;owned\x07",
    "one-byte csi": "\x9b31m",
    "backspaces": "abc\b\b\bxyz",
    "NUL": "a\0b",
    "DEL": "a\x7fb",
    "right-to-left override": "a\u202eb",
    "lone surrogate": "a\ud800b",
    "json": '", "level": "ERROR", "x": "',
}


@pytest.mark.parametrize("name", FORGERIES)
def test_one_event_is_one_line(logger: logging.Logger, name: str) -> None:
    """Whatever a user's text holds, and wherever it stands, one event is one line of printable ASCII."""
    text = FORGERIES[name]
    stream = listen(logger, JSONFormatter())
    try:
        raise ValueError(text)
    except ValueError:
        logger.exception("login of %s", text, extra={"agent": text, text: 1}, stack_info=True)
    output = stream.getvalue()
    assert output.count("\n") == 1
    assert output.endswith("\n")
    assert all(" " <= character <= "~" for character in output[:-1])
    [line] = written(stream)
    assert line["level"] == "ERROR"
    assert line["message"] == f"login of {text}"
    assert line["extra"] == {"agent": text, text: 1}
    assert text in line["exception"]


SECRET = "Tr0ub4dor&3 zebra/é"

PLANTED: dict[str, tuple[str, tuple[object, ...], dict[str, object]]] = {
    "in the message": (f"login with {SECRET} failed", (), {}),
    "as an argument": ("login with %s failed", (SECRET,), {}),
    "by repr": ("login with %r failed", (SECRET,), {}),
    "in a dict argument": ("login %s", ({"any": SECRET},), {}),
    "in a list extra": ("login", (), {"tried": ["a", SECRET]}),
    "in a nested extra": ("login", (), {"tried": {"a": {"b": (SECRET,)}}}),
    "as a key of an extra": ("login", (), {"tried": {SECRET: 1}}),
    "in an object": ("login", (), {"tried": ValueError(SECRET)}),
    "as bytes": ("login %s", (SECRET.encode(),), {}),
    "quoted for a path": ("GET /x/Tr0ub4dor%263%20zebra/%C3%A9", (), {}),
    "quoted for a query": ("GET /x?a=Tr0ub4dor%263+zebra%2F%C3%A9", (), {}),
}


@pytest.mark.parametrize("place", PLANTED)
def test_a_known_secret_is_never_written(logger: logging.Logger, place: str) -> None:
    """A secret value is masked in messages, arguments, extras and the ways they are quoted."""
    message, arguments, extra = PLANTED[place]
    stream = listen(logger, JSONFormatter(secrets=[SecretStr(SECRET)]))
    logger.error(message, *arguments, extra=extra)
    text = json.dumps(written(stream), ensure_ascii=False)
    assert "***" in text
    for piece in ("Tr0ub4dor", "zebra"):
        assert piece not in text


def test_a_known_secret_is_masked_in_tracebacks(logger: logging.Logger) -> None:
    """The text of an exception, of its cause and of the stack are masked like the message."""
    stream = listen(logger, JSONFormatter(secrets=[SECRET.encode()]))
    try:
        try:
            raise ValueError(SECRET)
        except ValueError as cause:
            raise RuntimeError(f"after {SECRET}") from cause
    except RuntimeError:
        logger.exception("failed")
    assert "RuntimeError: after ***" in written(stream)[0]["exception"]
    assert "Tr0ub4dor" not in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2x",
        "password = 'hunter2x'",
        "{'password': 'hunter2x', 'user': 'ann'}",
        '{"db_password": "hunter2x"}',
        "api_key: hunter2x",
        "API-KEY=hunter2x&user=ann",
        "client_secret=hunter2x",
        "secret_key_base=hunter2x",
        "SECRET_ACCESS_KEY=hunter2x",
        "private_key='hunter2x y hunter2x'",
        "encryption_key=hunter2x auth-key=hunter2x",
        "GET /reset?token=hunter2x HTTP/1.1",
        "access_token=hunter2x;",
        "Authorization: Bearer hunter2x",
        "authorization: Basic hunter2x",
        "sent Bearer hunter2x.hunter2x",
        "Cookie: session=hunter2x; theme=hunter2x",
        "Set-Cookie: remember=hunter2x; HttpOnly",
        "[(b'authorization', b'Bearer hunter2x'), (b'host', b'a')]",
        "[(b'cookie', b'a=hunter2x; b=hunter2x')]",
        "postgresql://ann:hunter2x@db.example/app",
        "redis://:hunter2x@cache.example:6379/0",
        "x-csrf-token: hunter2x",
        "dsn=hunter2x",
        "PGPASSWORD=hunter2x",
        "pwd=hunter2x",
        "passw=hunter2x",
        "password_of_the_customer_in_the_old_shop=hunter2x",
        "login_credential=hunter2x",
        "session_id=hunter2x",
    ],
)
def test_what_stands_under_a_secret_name_is_masked(logger: logging.Logger, text: str) -> None:
    """Passwords, tokens, cookies and credentials in a text are masked without being known."""
    stream = listen(logger, JSONFormatter())
    logger.info("%s", text)
    assert "***" in stream.getvalue()
    assert "hunter2x" not in stream.getvalue()


@pytest.mark.parametrize(
    "key",
    ["password", "apiKey", "X-Api-Key", "Authorization", "refresh_token", "cookies", "DSN", "passw", "pwd"],
)
def test_an_extra_with_a_secret_name_is_masked_whole(logger: logging.Logger, key: str) -> None:
    """The name of an extra hides its value, at any depth and of any type."""
    stream = listen(logger, JSONFormatter())
    logger.info("x", extra={key: {"deep": ["hunter2x"]}, "request": {"headers": {key: 12345678}}})
    assert written(stream)[0]["extra"] == {key: "***", "request": {"headers": {key: "***"}}}


@pytest.mark.parametrize(
    "text", ["the key is under the mat", "passed 3 tests: ok", "https://example.com/a:b@c", "a: b"]
)
def test_ordinary_texts_stay_as_they_are(logger: logging.Logger, text: str) -> None:
    """A text without secrets is not changed."""
    stream = listen(logger, JSONFormatter(secrets=[SECRET]))
    logger.info("%s", text)
    assert written(stream)[0]["message"] == text


def test_a_line_is_never_lost() -> None:
    """Objects that cannot be printed, wrong arguments and odd numbers still give a line."""

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    logger = logging.Logger("detached")  # no other handler, whose formatter would fail
    circle: list[Any] = []
    circle.append(circle)
    stream = listen(logger, JSONFormatter())
    logger.info("%s %s", "one")
    logger.info("%s", Broken())
    logger.info("x", extra={"a": Broken(), "b": float("nan"), "c": 2**70, "d": circle, "e": {Broken(): 1}})
    lines = written(stream)
    assert lines[0]["message"] == "%s %s (its arguments do not fit)"
    assert "arguments do not fit" in lines[1]["message"]
    assert lines[2]["extra"]["a"] == "<Broken that cannot be printed>"
    assert lines[2]["extra"]["b"] == "nan"
    assert lines[2]["extra"]["c"] == str(2**70)


def test_a_line_has_an_end(logger: logging.Logger) -> None:
    """Huge messages, tracebacks and extras are cut, and say so."""
    stream = listen(logger, JSONFormatter(max_chars=1_000))
    try:
        raise ValueError("y" * 1_000_000)
    except ValueError:
        logger.exception(
            "x" * 1_000_000,
            extra={"a": "z" * 1_000_000, "b": list(range(100_000)), "c": {str(n): n for n in range(10_000)}},
        )
    assert len(stream.getvalue()) < 6_000
    assert "more)" in written(stream)[0]["message"]


def test_cutting_leaves_no_half_of_a_secret(logger: logging.Logger) -> None:
    """A secret across the cut is masked before the text is cut."""
    stream = listen(logger, JSONFormatter(secrets=["hunter2xhunter2x"], max_chars=100))
    logger.info("%s", "a" * 95 + "hunter2xhunter2x")
    logger.info("%s", "a" * 195 + "hunter2xhunter2x")
    assert "hunter" not in stream.getvalue()


def test_a_secret_too_short_to_mask_is_refused() -> None:
    """Masking "a" would leave no word readable; the secret itself is the fault."""
    with pytest.raises(ConfigurationError, match="4 are the least"):
        JSONFormatter(secrets=["abc"])


def test_the_longer_of_two_secrets_is_masked_whole(logger: logging.Logger) -> None:
    """A secret that begins with another secret leaves nothing behind."""
    stream = listen(logger, JSONFormatter(secrets=["hunter", "hunter2x"]))
    logger.info("it is hunter2x")
    assert written(stream)[0]["message"] == "it is ***"


def test_no_text_makes_masking_slow() -> None:
    """Texts made to confuse the patterns cost time in proportion to their length."""
    formatter = JSONFormatter(secrets=["hunter2x"])
    for piece in ("token", "cookie ", "://a:", "password= ", "bearer ", "token'", "'", "secret-"):
        record = logging.makeLogRecord({"msg": piece * 100_000})
        started = time.perf_counter()
        formatter.format(record)
        assert time.perf_counter() - started < 2
