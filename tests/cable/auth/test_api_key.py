"""The key of the HTTP API (T39)."""

import logging

import pytest
from pydantic import SecretStr

from lineside.cable import BearerKey, InvalidToken, MissingToken
from lineside.exceptions import SecretError
from tests.cable.auth.scopes import http

KEY = "an api key of 16 bytes or more"


def bearer(text: str) -> dict[str, object]:
    return http({"authorization": text})


@pytest.mark.parametrize("key", [KEY, KEY.encode(), SecretStr(KEY), [KEY], ["another key of 16 bytes", KEY]])
def test_the_key_opens(key: object) -> None:
    """In any of the forms in which settings hold it; of several each is good."""
    BearerKey(key).check(bearer(f"Bearer {KEY}"))  # type: ignore[arg-type]
    BearerKey(key).check(bearer(f"bearer {KEY}"))  # type: ignore[arg-type]


def test_a_key_with_other_letters_opens() -> None:
    """Headers are bytes; a key in UTF-8 is compared by its own."""
    key = "schlüssel-mit-umlauten"
    BearerKey(key).check(bearer("Bearer " + key.encode().decode("latin-1")))


@pytest.mark.parametrize("wrong", [KEY[:-1], KEY + "x", KEY.upper(), "x", "é" * 20, "x" * 5_000, ""])
def test_another_key_does_not(wrong: str) -> None:
    """And is not repeated in the refusal."""
    with pytest.raises(InvalidToken) as caught:
        BearerKey(KEY).check(bearer(f"Bearer {wrong}"))
    assert caught.value.status_hint == 401
    assert KEY not in str(caught.value) + caught.value.detail


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": f"Basic {KEY}"}, {"x-api-key": KEY}, {"cookie": f"key={KEY}"}]
)
def test_the_key_is_nowhere_else(headers: dict[str, str]) -> None:
    """No cookie, no query string: no browser sends it by itself."""
    with pytest.raises(MissingToken):
        BearerKey(KEY).check(http(headers, query=f"key={KEY}&token={KEY}"))


def test_two_authorization_headers_are_refused() -> None:
    """Two programs could take one each."""
    with pytest.raises(InvalidToken):
        BearerKey(KEY).check(http([("authorization", f"Bearer {KEY}"), ("authorization", "Bearer x")]))


@pytest.mark.parametrize("key", ["", "x" * 15, SecretStr(""), []])
def test_a_short_key_refuses_to_start(key: object) -> None:
    """128 bits at least."""
    with pytest.raises(SecretError):
        BearerKey(key)  # type: ignore[arg-type]


def test_a_key_is_never_shown() -> None:
    """Neither it nor its digest."""
    assert repr(BearerKey(KEY)) == "<BearerKey>"


PLANTED = "planted-secret-7f3a"


def test_nothing_here_logs(caplog: pytest.LogCaptureFixture) -> None:
    """Refusals are the answer of who asked; a token has no way into a log from here."""
    with caplog.at_level(logging.DEBUG), pytest.raises(InvalidToken):
        BearerKey(KEY).check(bearer(f"Bearer {PLANTED}"))
    assert caplog.text == ""
