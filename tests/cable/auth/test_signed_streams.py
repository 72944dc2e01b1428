"""Signed stream names, as Rails, Turbo and AnyCable make them (T6)."""

import copy
import hmac
import random
from base64 import b64encode, urlsafe_b64encode
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.cable import SignedStreams
from lineside.cable._auth._bearer import derived_key
from lineside.cable._auth._signed_streams import turbo_key
from lineside.exceptions import SecretError, SignatureError
from tests.cable.auth.scopes import Clock

SECRET = "an example secret of 32 bytes or more"
OTHER = "another secret that has 32 bytes or more"
BEFORE = Clock(4_102_542_245.0 - 1)  # 2100-01-02T03:04:04Z

# Made by ActiveSupport 6.1.7.10 (Debian 12): MessageVerifier.new(SECRET, digest: "SHA256", serializer: JSON)
PLAIN = "ImNoYXQvNDIi--093688d3187b1829d6ff10cdf8f1b43ca056f296ee73de37bbf603565a15a9ae"
LETTERS = "IlrDvHJpY2ggPCY+IOKYgiI=--b9da8ddd3797f1344c635ba7afe9839643f61326d0fe1b59724e253bde1142ce"
PURPOSE = (
    "eyJfcmFpbHMiOnsibWVzc2FnZSI6IkltTm9ZWFF2TkRJaSIsImV4cCI6bnVsbCwicHVyIjoic3RyZWFtIn19"
    "--240275d97fe0964b63f763e59c6dbce52e45806bda8ddb57678904a65769fefe"
)
EXPIRING = (
    "eyJfcmFpbHMiOnsibWVzc2FnZSI6IkltTm9ZWFF2TkRJaSIsImV4cCI6IjIxMDAtMDEtMDJUMDM6MDQ6MDUuMDAwWiIsInB1ciI6bnVsbH19"
    "--6991fc74cb99f808d38eb7cd92c0b46470f723b735d8beccd186d8e5288ac0a7"
)
BOTH = (
    "eyJfcmFpbHMiOnsibWVzc2FnZSI6IkltTm9ZWFF2TkRJaSIsImV4cCI6IjIxMDAtMDEtMDJUMDM6MDQ6MDUuNjc4WiIsInB1ciI6InN0cmVh"
    "bSJ9fQ==--d0def9506beb45222c4013893a1152c42b50ae334dc7f88e4644d42e244aa9ab"
)
TURBO_SHA1 = (
    "dc0f0916fe96d8972e414715e34794e27117e442dad4cc4e2e6d2dc7bceded7f"
    "5105a1d45c46cbd2939c66b142bbb7c6908f8c63391f21cc099d660adab588a8"
)


def signed(body: bytes, secret: str = SECRET) -> str:
    """Sign anything, as who knows the secret could."""
    text = b64encode(body).decode()
    return f"{text}--{hmac.new(secret.encode(), text.encode(), 'sha256').hexdigest()}"


def test_names_are_signed_as_rails_does() -> None:
    """The same letters come out of ActiveSupport."""
    assert SignedStreams(SECRET).sign("chat/42") == PLAIN


def test_purpose_and_expiry_are_signed_as_rails_does() -> None:
    """In its envelope, to the millisecond."""
    streams = SignedStreams(SECRET, clock=BEFORE)
    assert streams.sign("chat/42", purpose="stream") == PURPOSE
    assert streams.sign("chat/42", expires_in=timedelta(seconds=1)) == EXPIRING
    assert streams.sign("chat/42", purpose="stream", expires_in=timedelta(seconds=1.678)) == BOTH


def test_names_that_rails_signed_are_verified() -> None:
    """Letters outside ASCII and of HTML included."""
    streams = SignedStreams(SECRET, clock=BEFORE)
    assert streams.verify(PLAIN) == streams.verify(EXPIRING) == "chat/42"
    assert streams.verify(LETTERS) == "Zürich <&> ☂"
    assert streams.verify(PURPOSE, purpose="stream") == streams.verify(BOTH, purpose="stream") == "chat/42"


def test_the_envelope_of_rails_7_is_read() -> None:
    """It has the value itself under ``data``."""
    token = signed(b'{"_rails":{"data":"chat/42","pur":"stream"}}')
    assert SignedStreams(SECRET).verify(token, purpose="stream") == "chat/42"


def test_url_safe_base64_is_read() -> None:
    """As a Rails verifier with ``url_safe: true`` writes it, without padding, even with ``--`` inside."""
    body = urlsafe_b64encode('"Zürich ☂ûïûïþ"'.encode()).decode().rstrip("=")
    digest = hmac.new(SECRET.encode(), body.encode(), "sha256").hexdigest()
    assert SignedStreams(SECRET).verify(f"{body}--{digest}") == "Zürich ☂ûïûïþ"
    body = urlsafe_b64encode(b'"a?>' + "ϻ﻾".encode() + b'"').decode().rstrip("=")
    digest = hmac.new(SECRET.encode(), body.encode(), "sha256").hexdigest()
    assert SignedStreams(SECRET).verify(f"{body}--{digest}").startswith("a?>")


@given(st.text(min_size=1, max_size=60).filter(lambda text: "\0" not in text))
def test_any_name_comes_back(name: str) -> None:
    """With a purpose and without; names that look like subjects of a bus are data (T6)."""
    streams = SignedStreams(SECRET)
    assert streams.verify(streams.sign(name)) == name
    assert streams.verify(streams.sign(name, purpose="p"), purpose="p") == name


@pytest.mark.parametrize("name", ["a.>", "a\r\n", "*", "a:b", '{"_rails":{"data":"x"}}'])
def test_names_are_data(name: str) -> None:
    """Nothing in a name is syntax."""
    streams = SignedStreams(SECRET)
    assert streams.verify(streams.sign(name)) == name


def test_a_purpose_is_exact() -> None:
    """None is a purpose of its own."""
    streams = SignedStreams(SECRET, clock=BEFORE)
    for token, purpose in (
        (PURPOSE, None),
        (PURPOSE, "streams"),
        (PLAIN, "stream"),
        (BOTH, ""),
        (EXPIRING, "x"),
    ):
        with pytest.raises(SignatureError) as caught:
            streams.verify(token, purpose=purpose)
        assert caught.value.reason == "forged"


def test_a_name_expires() -> None:
    """In its last millisecond, not behind it."""
    clock = Clock(4_102_542_244.999)
    streams = SignedStreams(SECRET, clock=clock)
    assert streams.verify(EXPIRING) == "chat/42"
    clock.now = 4_102_542_245.0
    with pytest.raises(SignatureError) as caught:
        streams.verify(EXPIRING)
    assert caught.value.reason == "expired"


def test_no_mutated_token_is_accepted() -> None:
    """Of 10,000 tokens with one to three changed characters none is accepted."""
    streams = SignedStreams([OTHER, SECRET], clock=BEFORE)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0é"
    dice = random.Random(1)
    accepted = tried = 0
    while tried < 10_000:
        genuine = dice.choice((PLAIN, LETTERS, EXPIRING))
        mutant = list(genuine)
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
        if forged == genuine:
            continue
        tried += 1
        try:
            streams.verify(forged)
        except SignatureError:
            continue
        accepted += 1
    assert accepted == 0


@given(st.text())
def test_any_text_is_refused(token: str) -> None:
    """No text at all gives another error than the documented one."""
    with pytest.raises(SignatureError):
        SignedStreams(SECRET).verify(token)


def test_another_spelling_of_a_signature_is_refused() -> None:
    """Hexadecimal has capitals too."""
    body, digest = PLAIN.split("--")
    for other in (digest.upper(), digest + "00", digest[:-2], " " + digest, ""):
        with pytest.raises(SignatureError):
            SignedStreams(SECRET).verify(f"{body}--{other}")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"7",
        b'""',
        b"null",
        b'["chat"]',
        b'{"stream":"chat"}',
        b'"a',
        b"\xff",
        b'{"_rails":7}',
        b'{"_rails":{}}',
        b'{"_rails":{"message":"?"}}',
        b'{"_rails":{"message":"Nw=="}}',
        b'{"_rails":{"data":"chat","exp":"soon"}}',
        b'{"_rails":{"data":"chat","exp":7}}',
        b'{"_rails":{"data":"chat","exp":"2100-01-02T03:04:05"}}',
        b'"' + b"x" * 256 + b'"',
    ],
)
def test_a_genuine_token_that_is_no_name_is_refused(body: bytes) -> None:
    """Another part of the Rails app signs other things with the same key."""
    with pytest.raises(SignatureError) as caught:
        SignedStreams(SECRET).verify(signed(body))
    assert caught.value.reason == "malformed"


def test_a_long_token_is_not_even_looked_at() -> None:
    """Over 4 KiB it is refused before any work is done with it."""
    with pytest.raises(SignatureError) as caught:
        SignedStreams(SECRET).verify(signed(b'"' + b"x" * 4_096 + b'"'))
    assert caught.value.reason == "too long"


def test_secrets_rotate() -> None:
    """The first one signs, each verifies, a dropped one no longer."""
    both = SignedStreams([OTHER, SECRET])
    assert both.verify(PLAIN) == "chat/42"
    assert SignedStreams(OTHER).verify(both.sign("chat")) == "chat"
    with pytest.raises(SignatureError):
        SignedStreams(OTHER).verify(PLAIN)


def test_turbo_has_a_key_of_its_own() -> None:
    """A name for one channel is none for the other, unless they share the key."""
    streams = SignedStreams(SECRET, turbo_secret=turbo_key(OTHER))
    assert streams.turbo.verify(streams.turbo.sign("posts")) == "posts"
    with pytest.raises(SignatureError):
        streams.verify(streams.turbo.sign("posts"))
    with pytest.raises(SignatureError):
        streams.turbo.verify(PLAIN)
    assert SignedStreams(SECRET).turbo.verify(PLAIN) == "chat/42"


def test_turbos_key_is_derived_as_rails_does() -> None:
    """The SHA-1 form came out of ActiveSupport 6.1; Rails 7 does the same with SHA-256."""
    assert turbo_key(SECRET, digest="sha1").hex() == TURBO_SHA1
    assert len(turbo_key(SECRET)) == 64
    assert turbo_key(SECRET) != turbo_key(SECRET, digest="sha1")


def test_anycables_keys_are_derived_from_the_secret() -> None:
    """As ``openssl dgst -sha256 -hmac`` does, in hexadecimal; each label has its own."""
    expected = hmac.new(SECRET.encode(), b"broadcast-cable", "sha256").hexdigest()
    assert derived_key(SECRET, "broadcast-cable") == expected
    assert derived_key(SECRET, "api-cable") != expected
    with pytest.raises(SecretError):
        derived_key("short", "broadcast-cable")


@pytest.mark.parametrize("secret", ["", "x" * 31, []])
def test_a_short_secret_refuses_to_start(secret: str | list[str]) -> None:
    """Guessing it would be cheaper than forging."""
    with pytest.raises(SecretError):
        SignedStreams(secret)
    with pytest.raises(SecretError):
        SignedStreams(SECRET, turbo_secret="short")


def test_names_have_a_length() -> None:
    """As the bus wants them, and expiries lie ahead."""
    for name in ("", "x" * 256, "é" * 128):
        with pytest.raises(ValueError, match="1 to 255 bytes"):
            SignedStreams(SECRET).sign(name)
    with pytest.raises(ValueError, match="positive"):
        SignedStreams(SECRET).sign("chat", expires_in=timedelta(0))


def test_secrets_are_never_shown_or_copied() -> None:
    """Not in a repr, not by copying."""
    assert repr(SignedStreams(SECRET)) == "<SignedStreams>"
    with pytest.raises(TypeError):
        copy.copy(SignedStreams(SECRET))
