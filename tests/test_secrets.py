"""The words of secret names, and that no place which hides secrets knows fewer of them."""

import re

import pytest

from lineside._secrets import NAMES_OF_SECRETS
from lineside.config._redaction import is_secret_name
from lineside.instrumentation._redaction import Redactor
from lineside.models._secret_fields import looks_secret

NAMES = [
    "secret",
    "client_secret",
    "SECRET_KEY_BASE",
    "password",
    "db_password",
    "passwd",
    "passw",
    "PGPASSWORD",
    "passphrase",
    "token",
    "refresh_token",
    "api_key",
    "apiKey",
    "access_key",
    "private_key",
    "auth_key",
    "signing_key",
    "encryption_key",
    "credential",
    "credentials",
    "dsn",
    "SENTRY_DSN",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_place_hides_the_same_names(name: str) -> None:
    """Settings, extras and texts of log lines, and the fields of derived schemas."""
    assert re.search(NAMES_OF_SECRETS, name, re.IGNORECASE)
    assert is_secret_name(name)
    assert Redactor().value("x", key=name) == "***"
    assert Redactor().text(f"{name}=hunter2x") == f"{name}=***"
    assert looks_secret(name)


@pytest.mark.parametrize("name", ["name", "key", "passage", "monkey", "title", "author_id"])
def test_ordinary_names_are_left_alone(name: str) -> None:
    """What hides everything helps nobody."""
    assert not is_secret_name(name)
    assert Redactor().value("x", key=name) == "x"
    assert not looks_secret(name)
