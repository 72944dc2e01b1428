"""Signed, expiring, purpose-bound values."""

import base64
import copy
import hmac
import json
import logging
import pickle  # noqa: TID251 - only to show that it is refused
import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from lineside.exceptions import SecretError, SignatureError
from lineside.signing import MAX_TOKEN_CHARS, Signer, check_secret

OLD = "an old secret that has 32 bytes or more"
NEW = b"a new secret that has 32 bytes or more"
HOUR = timedelta(hours=1)


class Clock:
    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("value", [None, 7, "é", [1, [2]], {"user": 7, "mail": "a@example.com"}])
def test_a_value_comes_back(value: Any) -> None:
    """What was signed is verified to the same value."""
    signer = Signer([OLD])
    assert signer.verify(signer.sign(value, purpose="p", expires_in=HOUR), purpose="p") == value


def test_a_token_is_safe_in_urls_and_cookies() -> None:
    """A token is made of unreserved characters, whatever the value is."""
    token = Signer([OLD]).sign("~?>ÿ" * 50, purpose="p", expires_in=None)
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


def test_a_token_is_good_for_one_purpose() -> None:
    """Another purpose cannot be told from a forgery."""
    signer = Signer([OLD])
    token = signer.sign(7, purpose="reset", expires_in=HOUR)
    with pytest.raises(SignatureError) as caught:
        signer.verify(token, purpose="login")
    assert caught.value.reason == "forged"
    assert caught.value.status_hint == 400


def test_a_salt_keeps_signers_apart() -> None:
    """The same secret and purpose under another salt is another key."""
    token = Signer([OLD], salt="a").sign(7, purpose="p", expires_in=None)
    with pytest.raises(SignatureError):
        Signer([OLD], salt="b").verify(token, purpose="p")


def test_salt_and_purpose_cannot_trade_letters() -> None:
    """Salt "ab" with purpose "c" is not salt "a" with purpose "bc"."""
    token = Signer([OLD], salt="ab").sign(7, purpose="c", expires_in=None)
    with pytest.raises(SignatureError):
        Signer([OLD], salt="a").verify(token, purpose="bc")


def test_a_token_expires() -> None:
    """A token is good until its last second, and not in it."""
    clock = Clock()
    signer = Signer([OLD], clock=clock)
    token = signer.sign(7, purpose="p", expires_in=timedelta(seconds=60))
    clock.now += 59.9
    assert signer.verify(token, purpose="p") == 7
    clock.now += 0.1
    with pytest.raises(SignatureError, match="has expired") as caught:
        signer.verify(token, purpose="p")
    assert caught.value.reason == "expired"


def test_none_means_for_ever() -> None:
    """A token without an expiry is good in a hundred years."""
    clock = Clock()
    signer = Signer([OLD], clock=clock)
    token = signer.sign(7, purpose="p", expires_in=None)
    clock.now += 100 * 365 * 86_400
    assert signer.verify(token, purpose="p") == 7


def test_secrets_rotate() -> None:
    """The first secret signs, all verify, a dropped one verifies no longer."""
    before, during, after = Signer([OLD]), Signer([NEW, OLD]), Signer([NEW])
    old_token = before.sign(7, purpose="p", expires_in=None)
    new_token = during.sign(8, purpose="p", expires_in=None)
    assert during.verify(old_token, purpose="p") == 7
    assert after.verify(new_token, purpose="p") == 8
    with pytest.raises(SignatureError):
        before.verify(new_token, purpose="p")
    with pytest.raises(SignatureError):
        after.verify(old_token, purpose="p")


def test_no_mutated_token_is_accepted() -> None:
    """Of 10,000 tokens with one to three changed characters none is accepted."""
    signer = Signer([OLD, NEW])
    token = signer.sign({"user": 7, "admin": False}, purpose="p", expires_in=HOUR)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0é"
    dice = random.Random(1)
    accepted = tried = 0
    while tried < 10_000:
        mutant = list(token)
        for _ in range(dice.randint(1, 3)):
            place = dice.randrange(len(mutant))
            match dice.randrange(3):
                case 0:
                    mutant[place] = dice.choice(letters)
                case 1:
                    mutant.insert(place, dice.choice(letters))
                case _:
                    del mutant[place]
        forged = "".join(mutant)
        if forged == token:
            continue
        tried += 1
        try:
            signer.verify(forged, purpose="p")
        except SignatureError:
            continue
        accepted += 1
    assert accepted == 0


def test_another_spelling_of_the_same_signature_is_refused() -> None:
    """Base64 has unused bits at the end: changing them is a forgery like any other."""
    signer = Signer([OLD])
    token = signer.sign(7, purpose="p", expires_in=None)
    body, signature = token.split(".")
    raw = base64.urlsafe_b64decode(signature + "=")
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        other = signature[:-1] + last
        if other != signature and base64.urlsafe_b64decode(other + "=") == raw:
            with pytest.raises(SignatureError):
                signer.verify(f"{body}.{other}", purpose="p")
            return
    pytest.fail("no other spelling was found")


def _jwt(header: dict[str, Any], secret: bytes) -> str:
    def part(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    text = f"{part(json.dumps(header).encode())}.{part(json.dumps([7, None]).encode())}"
    return f"{text}.{part(hmac.digest(secret, text.encode(), 'sha256'))}"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", "HS256", "HS512", "RS256", "hmac"])
@pytest.mark.parametrize("kid", [None, "", "../../dev/null", "https://evil.example/jwks.json", "0"])
def test_a_token_cannot_choose_its_algorithm_or_key(alg: str, kid: str | None) -> None:
    """40 tokens in the shape of a JWT, each naming an algorithm or a key, are all refused."""
    token = _jwt({"alg": alg, "kid": kid, "typ": "JWT"}, OLD.encode())
    with pytest.raises(SignatureError):
        Signer([OLD]).verify(token, purpose="p")


@pytest.mark.parametrize("token", ["", ".", "a", "a.b.c", "é.é", "\ud800.", "\0", "." * MAX_TOKEN_CHARS])
def test_nonsense_is_refused(token: str) -> None:
    """What never was a token gives the same error."""
    with pytest.raises(SignatureError):
        Signer([OLD]).verify(token, purpose="p")


@given(st.text())
def test_any_text_is_refused(token: str) -> None:
    """No text at all gives another error than the documented one."""
    with pytest.raises(SignatureError):
        Signer([OLD]).verify(token, purpose="p")


def test_a_long_token_is_not_even_looked_at() -> None:
    """Over 4 KiB a token is refused before any work is done with it."""
    with pytest.raises(SignatureError) as caught:
        Signer([OLD]).verify("a" * (MAX_TOKEN_CHARS + 1), purpose="p")
    assert caught.value.reason == "too long"


def test_a_genuine_token_of_another_form_is_refused() -> None:
    """A body that another program signed with the same key is no server fault."""
    key = hmac.digest(hmac.digest(OLD.encode(), b"lineside", "sha256"), b"p", "sha256")
    for raw in (b"", b"7", b"[7]", b'[7, "soon"]', b"[7, 1, 2]", b"nonsense", b"\xff"):
        body = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        signature = base64.urlsafe_b64encode(hmac.digest(key, body.encode(), "sha256")).rstrip(b"=").decode()
        with pytest.raises(SignatureError) as caught:
            Signer([OLD]).verify(f"{body}.{signature}", purpose="p")
        assert caught.value.reason == "malformed"


def test_mistakes_of_the_caller_are_value_errors() -> None:
    """Signing what cannot be a token says what to do instead."""
    signer = Signer([OLD])
    with pytest.raises(ValueError, match="store the value and sign its key"):
        signer.sign("a" * 4_000, purpose="p", expires_in=None)
    with pytest.raises(ValueError, match="positive"):
        signer.sign(7, purpose="p", expires_in=timedelta(0))
    with pytest.raises(ValueError, match="purpose"):
        signer.sign(7, purpose="", expires_in=None)
    with pytest.raises(ValueError, match="purpose"):
        signer.verify("a.b", purpose="")
    with pytest.raises(TypeError):
        signer.sign(object(), purpose="p", expires_in=None)


@pytest.mark.parametrize("secret", ["", "short", "x" * 31, b"x" * 31, SecretStr("short")])
def test_a_short_secret_is_refused(secret: Any) -> None:
    """A secret under 32 bytes is refused with the command that makes a better one."""
    with pytest.raises(SecretError, match="python -c") as caught:
        Signer([OLD, secret])
    assert "short" not in str(caught.value)


def test_secrets_come_in_a_list() -> None:
    """A bare string and an empty list are refused with the form that is meant."""
    with pytest.raises(SecretError, match=r"Signer\(\[secret\]\)"):
        Signer(OLD)
    with pytest.raises(SecretError, match="at least one"):
        Signer([])


def test_text_bytes_and_wrapped_secrets_are_the_same() -> None:
    """The form of a secret does not matter."""
    token = Signer([OLD]).sign(7, purpose="p", expires_in=None)
    assert Signer([OLD.encode()]).verify(token, purpose="p") == 7
    assert Signer([SecretStr(OLD)]).verify(token, purpose="p") == 7


def test_a_signer_shows_and_copies_nothing() -> None:
    """Neither repr nor pickle nor copy gives a secret away."""
    signer = Signer([OLD, NEW])
    assert repr(signer) == "<Signer with 2 secrets>"
    assert not hasattr(signer, "__dict__")
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never pickled"):
            leak(signer)


@pytest.mark.parametrize("secret", [None, "", "only seventeen b.", SecretStr("")])
def test_production_refuses_to_start_without_a_secret(secret: Any) -> None:
    """In production a missing or short secret stops the start and names the variable."""
    with pytest.raises(SecretError, match="LINESIDE_APP__SECRET_KEY") as caught:
        check_secret(secret, environment="production", name="LINESIDE_APP__SECRET_KEY")
    assert "seventeen" not in str(caught.value)


@pytest.mark.parametrize("secret", [None, "only seventeen b."])
def test_development_warns_and_signs_with_a_random_secret(
    secret: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """In development the app runs, a line in the log says what is missing, and nothing weak signs."""
    with caplog.at_level(logging.WARNING, logger="lineside.signing"):
        first = check_secret(secret, environment="development", name="LINESIDE_APP__SECRET_KEY")
    assert "LINESIDE_APP__SECRET_KEY" in caplog.text
    assert "seventeen" not in caplog.text
    assert first != check_secret(secret, environment="development", name="LINESIDE_APP__SECRET_KEY")
    Signer([first])


@pytest.mark.parametrize("environment", ["production", "development"])
def test_a_good_secret_is_handed_through(environment: str, caplog: pytest.LogCaptureFixture) -> None:
    """A secret of 32 bytes is used as it is, without a word."""
    secret = SecretStr(OLD)
    assert check_secret(secret, environment=environment, name="X") is secret
    assert caplog.text == ""
