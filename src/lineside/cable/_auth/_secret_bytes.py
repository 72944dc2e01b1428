"""Secrets as bytes, long enough or refused, in objects that never show or copy them."""

from typing import Final, NoReturn

from lineside.exceptions import SecretError
from lineside.types import SupportsSecretValue

__all__ = ["Secret", "SecretHolder", "secret_bytes"]

Secret = str | bytes | SupportsSecretValue
"""A secret, plain or in a wrapper such as pydantic's ``SecretStr``."""

_GENERATE: Final = 'python -c "import secrets; print(secrets.token_urlsafe(48))"'


def secret_bytes(secret: Secret, *, least: int, name: str) -> bytes:
    """Return a secret's bytes.

    Args:
        secret: The secret.
        least: How many bytes it has at least.
        name: What the secret is for, as the error calls it.

    Raises:
        SecretError: It is shorter, or no secret at all. The message has its length and never the secret.
    """
    if not isinstance(secret, str | bytes) and not hasattr(secret, "get_secret_value"):
        raise SecretError(
            f"{name} is of the type {type(secret).__name__}; give text or bytes, and see that the setting it "
            f"comes from is set. Make one with: {_GENERATE}"
        )
    plain = secret if isinstance(secret, str | bytes) else secret.get_secret_value()
    raw = plain.encode() if isinstance(plain, str) else plain
    if len(raw) < least:
        raise SecretError(f"{name} has {len(raw)} bytes, {least} are the least. Make one with: {_GENERATE}")
    return raw


class SecretHolder:
    """What holds secrets: shown by its class alone, never pickled or copied."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} holds secrets and is never pickled or copied")
