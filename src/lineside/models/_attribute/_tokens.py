"""Random tokens in a column: `has_secure_token`, as in Rails."""

import secrets
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Self, TypeVar

from pydantic_core import PydanticUndefined
from sqlalchemy.orm import Session
from sqlmodel import SQLModel

from lineside.exceptions import ConfigurationError
from lineside.models._connection._ambient import AnySession
from lineside.models._exceptions import UnknownAttributeError
from lineside.models._lifecycle import _persistence
from lineside.models._lifecycle._running import RecordT, Running, SyncRunning
from lineside.models._per_class import keep_on

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_SHORTEST: Final = 24
_TOKENS: Final = "__lineside_tokens__"

_Model = TypeVar("_Model", bound=SQLModel)


def has_secure_token(*names: str, length: int = _SHORTEST) -> Callable[[type[_Model]], type[_Model]]:
    """Give columns a random token when a record is built; a class decorator (Rails' ``has_secure_token``).

        @has_secure_token("auth_token")
        class User(Model, table=True):
            auth_token: str = Field(unique=True)

    58 letters and digits that nobody mistakes for each other, from the system's source of randomness: 24
    of them are 140 bits, and two alike will not happen; the unique index makes the look-up fast. Tokens
    are left out of ``repr``.

    ``User.find_by(auth_token=...)`` is a search in an index: it tells an attacker nothing useful by its
    time. Compare a token that you have loaded otherwise with `hmac.compare_digest`.

    Args:
        names: The columns.
        length: How many characters; 24 or more.

    Raises:
        ConfigurationError: A name is no field, or the length is under 24.
    """
    if length < _SHORTEST:
        raise ConfigurationError(f"a secure token has at least {_SHORTEST} characters, not {length}")

    def declare(model: type[_Model]) -> type[_Model]:
        for name in names:
            field = model.model_fields.get(name)
            if field is None:
                known = ", ".join(sorted(model.model_fields))
                raise ConfigurationError(
                    f"{model.__name__} has no field {name!r} for a token; it has {known}"
                )
            field.default, field.default_factory = PydanticUndefined, partial(new_token, length)
            field.repr = False
        keep_on(model, _TOKENS, token_names(model) | set(names))
        return model

    return declare


def new_token(length: int = _SHORTEST) -> str:
    """Make a random token of letters and digits."""
    return "".join(secrets.choice(_BASE58) for _ in range(length))


def token_names(model: type) -> frozenset[str]:
    """Return the columns of a class that have tokens."""
    names: frozenset[str] = getattr(model, _TOKENS, frozenset())
    return names


class Tokens(Running):
    """What a record with tokens can do."""

    async def regenerate_token(self, name: str, *, session: AnySession | None = None) -> Self:
        """Give a column a new token and save (as Rails' ``regenerate_auth_token``); the old one is void.

        Args:
            name: The column.
            session: The session to use; default: the record's own, else the ambient one.

        Raises:
            UnknownAttributeError: `has_secure_token` does not name it.
            RecordInvalid: The record breaks its validations.
        """
        await self._run(lambda found: regenerate(found, self, name), session, "regenerate_token")
        return self


class SyncTokens(SyncRunning[RecordT]):
    """The same for ``user.sync``."""

    __slots__ = ()

    def regenerate_token(self, name: str, *, session: Session | None = None) -> RecordT:
        """Give a column a new token and save; see `Tokens.regenerate_token`."""
        regenerate(self._session(session, "regenerate_token"), self._record, name)
        return self._record


def regenerate(session: Session, record: Any, name: str) -> None:
    """See `Tokens.regenerate_token`."""
    model = type(record)
    if name not in token_names(model):
        raise UnknownAttributeError(model.__name__, name, known=token_names(model))
    setattr(record, name, model.model_fields[name].get_default(call_default_factory=True))
    _persistence.save(session, record)
