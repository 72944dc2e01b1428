"""What must hold before an app may start in production."""

from collections.abc import Callable, Iterable

from lineside.config._reader import Reader
from lineside.exceptions import ConfigurationError
from lineside.signing import MIN_SECRET_BYTES

Check = Callable[[Reader], str | None]
"""A check: None when all is well, else one sentence that names what to set."""

_TALKATIVE = {"debug", "trace", "notset", "all"}


def debug_is_off(config: Reader) -> str | None:
    """``app.debug`` is off: debug pages show internals to anyone."""
    if config.get_bool("app.debug", default=False):
        return f"'app.debug' is on; set {config.variable('app.debug')}=false"
    return None


def secret_key_is_long(config: Reader) -> str | None:
    """``app.secret_key`` has at least 32 bytes: a shorter one can be guessed from a signed value."""
    variable = config.variable("app.secret_key")
    make = 'python -c "import secrets; print(secrets.token_urlsafe(48))"'
    secret = config.get_str("app.secret_key", "")
    if not secret:
        return f"'app.secret_key' is missing; set {variable}, for instance to the output of {make}"
    if (size := len(secret.encode())) < MIN_SECRET_BYTES:
        return (
            f"'app.secret_key' has {size} of {MIN_SECRET_BYTES} bytes; set {variable} to the output of {make}"
        )
    return None


def allowed_hosts_are_set(config: Reader) -> str | None:
    """``app.allowed_hosts`` names the hosts: any Host header would be trusted without it."""
    hosts = config.get_list("app.allowed_hosts", [])
    if not hosts or "*" in hosts:
        state = "allows every host" if hosts else "is empty"
        return (
            f"'app.allowed_hosts' {state}; set {config.variable('app.allowed_hosts')}=example.com,example.org"
        )
    return None


def log_level_is_quiet(config: Reader) -> str | None:
    """``log.level`` is not debug: debug lines carry what users sent."""
    if config.get_str("log.level", "info").strip().lower() in _TALKATIVE:
        return f"'log.level' is debug; set {config.variable('log.level')}=info or higher"
    return None


DEFAULT_CHECKS: tuple[Check, ...] = (
    debug_is_off,
    secret_key_is_long,
    allowed_hosts_are_set,
    log_level_is_quiet,
)


def production_checks(config: Reader, *, checks: Iterable[Check] = DEFAULT_CHECKS) -> list[str]:
    """Run every check, in any environment.

    Args:
        config: The configuration.
        checks: The checks; add your own to `DEFAULT_CHECKS`.

    Returns:
        Every failure, in the order of the checks; empty when it is fit for production.
    """
    return [failure for check in checks if (failure := _outcome(check, config)) is not None]


def _outcome(check: Check, config: Reader) -> str | None:
    try:
        return check(config)
    except ConfigurationError as error:
        return error.message  # a value of the wrong type is one failure among the others
