"""Production checks: the start is refused, with everything that is wrong."""

from typing import Any

import pytest

from lineside.config import DEFAULT_CHECKS, Config, ProductionCheckError, Reader, production_checks


def test_every_failure_is_listed_at_once(files: Any) -> None:
    """One error names all of them and the variables that repair them."""
    text = "app: {debug: true}\nlog: {level: DEBUG}"
    with pytest.raises(ProductionCheckError, match="start refused") as caught:
        files.load(text, environment="production")
    assert len(caught.value.failures) == 4
    for variable in ("APP__DEBUG", "APP__SECRET_KEY", "APP__ALLOWED_HOSTS", "LOG__LEVEL"):
        assert f"LINESIDE_{variable}=" in str(caught.value) or f"LINESIDE_{variable}," in str(caught.value)


def test_a_safe_configuration_starts(files: Any, production: Any) -> None:
    """With a secret and hosts the defaults of production pass."""
    config = files.load(environ=production())
    assert config.is_production
    assert production_checks(config) == []


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("APP__DEBUG", "true", "'app.debug' is on"),
        ("APP__DEBUG", "1", "'app.debug' is on"),
        ("APP__DEBUG", "maybe", "'app.debug' should be true or false"),
        ("APP__SECRET_KEY", "", "'app.secret_key' is missing"),
        ("APP__SECRET_KEY", "short-secret-of-31-bytes-xxxxxx", "'app.secret_key' has 31 of 32 bytes"),
        ("APP__ALLOWED_HOSTS", "", "'app.allowed_hosts' is empty"),
        ("APP__ALLOWED_HOSTS", "*", "'app.allowed_hosts' allows every host"),
        ("LOG__LEVEL", "Debug", "'log.level' is debug"),
    ],
)
def test_each_check_refuses_alone(
    files: Any, production: Any, variable: str, value: str, complaint: str
) -> None:
    """Each check fails the start by itself, and never shows the secret."""
    with pytest.raises(ProductionCheckError) as caught:
        files.load(environ=production() | {f"LINESIDE_{variable}": value})
    assert len(caught.value.failures) == 1
    assert complaint in caught.value.failures[0]
    assert "short-secret" not in str(caught.value)


def test_thirty_two_bytes_are_enough(files: Any, production: Any) -> None:
    """The length counts in bytes, and digits are no number."""
    assert files.load(environ=production() | {"LINESIDE_APP__SECRET_KEY": "é" * 16}).is_production
    assert files.load(environ=production() | {"LINESIDE_APP__SECRET_KEY": "1" * 32}).is_production


@pytest.mark.parametrize("environment", ["development", "test", "staging"])
def test_other_environments_are_not_refused(files: Any, environment: str) -> None:
    """Only production refuses; anywhere the checks can be asked for."""
    config = files.load(environment=environment)
    assert "app.secret_key" in production_checks(config)[0 if environment != "development" else 1]


def test_the_message_has_the_apps_prefix(files: Any) -> None:
    """With another prefix the messages name that variable."""
    with pytest.raises(ProductionCheckError, match="SHOP_APP__SECRET_KEY"):
        files.load(environment="production", env_prefix="SHOP")


def test_own_checks_are_added(files: Any, production: Any) -> None:
    """A check is a function; it joins the others."""

    def has_mail(config: Reader) -> str | None:
        return None if config.has("mail.url") else "'mail.url' is missing"

    with pytest.raises(ProductionCheckError, match=r"'mail.url' is missing"):
        files.load(environ=production(), checks=[*DEFAULT_CHECKS, has_mail])


def test_from_dict_is_checked_too() -> None:
    """Production is production, also without files."""
    with pytest.raises(ProductionCheckError):
        Config.from_dict({}, environment="production")
