"""Secrets: which values are, and how any text is cleaned of them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn
from urllib.parse import quote

from pydantic import SecretStr

from lineside._secrets import NAMES_OF_SECRETS

MASK = "***"
# Not a bare "pwd": that variable is the shell's working directory.
_WORDS = rf"{NAMES_OF_SECRETS}|\wpwd"
_SECRET_NAME = re.compile(_WORDS, re.IGNORECASE)
# Greedy up to the last "@": a password that nobody escaped may hold "/" or "@" itself.
_URL_USER = re.compile(r"(\b[a-z][a-z0-9+.-]*://)([^\s\"'<>]*)@", re.IGNORECASE)
_PAIR = re.compile(rf"(\b[\w.-]*(?:{_WORDS})[\w.-]*=)('[^']*'|\"[^\"]*\"|[^\s&;,]+)", re.IGNORECASE)
# A shorter secret is masked under its own key only: replacing "1" everywhere would hide everything.
_MIN_KNOWN = 6


class Secret(SecretStr):
    """A string that shows itself as ``***`` and refuses to be pickled.

    A pydantic type: use it as a field of a model that is bound to a section. Read it with
    ``get_secret_value()``.
    """

    def _display(self) -> str:
        return MASK if self.get_secret_value() else ""

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Secret":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled; pass the name of its key and read it where it is needed")


def is_secret_name(name: str) -> bool:
    """Tell whether a key or variable of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None


def url_credentials(text: str) -> list[str]:
    """Return the passwords, or lone tokens, that URLs in a text carry."""
    users = [match.group(2) for match in _URL_USER.finditer(text)]
    return [user.partition(":")[2] or user for user in users]


class Redactor:
    """Masks the secrets of one snapshot.

    Args:
        paths: Dotted keys whose values are secret although their names do not say so.
        known: Secret texts, masked wherever they occur.
    """

    def __init__(self, *, paths: Iterable[str], known: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        spellings = {form for text in known for form in (text, repr(text)[1:-1], quote(text, safe=""))}
        longest_first = sorted((form for form in spellings if len(form) >= _MIN_KNOWN), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def is_secret(self, key: str) -> bool:
        """Tell whether the value of this dotted key is a secret."""
        return key in self._paths or is_secret_name(key)

    def text(self, text: str) -> str:
        """Mask known secrets, credentials in URLs and ``password=...`` in any text."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        return _PAIR.sub(rf"\1{MASK}", _URL_USER.sub(rf"\1{MASK}@", text))

    def value(self, key: str, value: object) -> Any:
        """Return a value as it may be shown: plain maps and lists, secrets masked."""
        if isinstance(value, Mapping):
            prefix = f"{key}." if key else ""
            return {name: self.value(f"{prefix}{name}", value[name]) for name in value}
        if isinstance(value, tuple):
            return [self.value(f"{key}.{index}", item) for index, item in enumerate(value)]
        if value is not None and self.is_secret(key):
            return MASK
        return self.text(value) if isinstance(value, str) else value

    def shown(self, key: str, value: object) -> str:
        """Return the repr of a value, masked and cut to 80 characters."""
        text = repr(self.value(key, value))
        return text if len(text) <= 80 else f"{text[:77]}..."
