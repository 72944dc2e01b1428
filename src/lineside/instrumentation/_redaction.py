"""Takes secrets out of what is about to be written down."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

from lineside._secrets import NAMES_OF_SECRETS
from lineside.exceptions import ConfigurationError
from lineside.types import SupportsSecretValue

_HIDDEN: Final = "***"
_MAX_DEPTH: Final = 8
_MAX_ITEMS: Final = 100
# A shorter secret would blank out ordinary words; a secret that short is none.
_MIN_SECRET_CHARS: Final = 4

_WORDS: Final = rf"{NAMES_OF_SECRETS}|pwd|authorization|cookie|session[-_]?id|csrf"
# One of these is in every text that the patterns below could find something in: a quick look
# spares most lines the slow one.
_STEMS: Final = (
    *("secret", "pass", "pwd", "token", "key", "credential"),
    *("authorization", "cookie", "dsn", "session", "csrf", "bearer"),
)
_SECRET_KEY: Final = re.compile(_WORDS, re.IGNORECASE)
# "password=x", "password: 'x'", '"api_key": "x"', "(b'token', b'x')", "Authorization: Basic x".
_ASSIGNED: Final = re.compile(
    rf"((?:{_WORDS})[\w-]{{0,32}}(?:[\"']?[ ]{{0,3}}[=:]|[\"'][ ]{{0,3}},)[ ]{{0,3}}"
    r"(?:b(?=[\"']))?(?:(?:basic|token)[ ]{1,3})?)"
    r"(\"[^\"\r\n]*+\"?|'[^'\r\n]*+'?|[^\s\"',;&)}\]]++)",
    re.IGNORECASE,
)
_COOKIES: Final = re.compile(r"(cookie[ ]{0,3}[=:])[^\r\n\"']++", re.IGNORECASE)
_BEARER: Final = re.compile(r"(\bbearer[ ]{1,3})[\w.~+/=-]{8,}", re.IGNORECASE)
_URL_PASSWORD: Final = re.compile(r"(://[^\s/?#@:]{0,256}):[^\s/?#@]{1,1024}@")


class Redactor:
    """Masks secrets by the name they stand under and by their value.

    Args:
        secrets: Values that are masked wherever they occur, also when they were quoted for a
            URL or by ``repr``. At least 4 characters each.

    Raises:
        ConfigurationError: A secret is too short to be told from an ordinary word.
    """

    __slots__ = ("_values",)

    def __init__(self, secrets: Iterable[str | bytes | SupportsSecretValue] = ()) -> None:
        spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
        # The longest first: a secret that begins with another one is masked whole.
        ordered = sorted(spellings, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str) -> str:
        """Return a text with every secret in it masked."""
        if self._values is not None:
            text = self._values.sub(_HIDDEN, text)
        lowered = text.lower()
        if any(stem in lowered for stem in _STEMS):
            for pattern in (_COOKIES, _BEARER, _ASSIGNED):
                text = pattern.sub(rf"\1{_HIDDEN}", text)
        return _URL_PASSWORD.sub(rf"\1:{_HIDDEN}@", text) if "://" in text else text

    def value(self, value: Any, *, key: str = "", depth: int = 0) -> Any:
        """Return a value that JSON can write, with every secret in it masked.

        Args:
            value: Anything. Objects become their text.
            key: The name it stands under; a name like "password" hides it whole.
            depth: How deep it lies; 8 levels and 100 items of a collection are kept.
        """
        if _SECRET_KEY.search(key):
            return _HIDDEN
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return value if math.isfinite(value) and abs(value) < 2**63 else printable(value)
        if depth < _MAX_DEPTH and isinstance(value, Mapping):
            return self._mapping(value, depth=depth)
        if depth < _MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
            items = list(value)
            cut = ["..."] if len(items) > _MAX_ITEMS else []
            return [self.value(item, depth=depth + 1) for item in items[:_MAX_ITEMS]] + cut
        return self.text(printable(value))

    def _mapping(self, mapping: Mapping[Any, Any], *, depth: int) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for index, (key, value) in enumerate(mapping.items()):
            if index == _MAX_ITEMS:
                shown["..."] = f"{len(mapping) - _MAX_ITEMS} more"
                break
            name = printable(key)
            shown[self.text(name)] = self.value(value, key=name, depth=depth + 1)
        return shown


def printable(value: object) -> str:
    """Return the text of anything, also of an object whose own text fails."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a broken __str__ must not cost the whole line
        return f"<{type(value).__name__} that cannot be printed>"


def _spellings(secret: str | bytes | SupportsSecretValue) -> set[str]:
    if not isinstance(secret, str | bytes):
        secret = secret.get_secret_value()
    plain = secret.decode("utf-8", "replace") if isinstance(secret, bytes) else secret
    if len(plain) < _MIN_SECRET_CHARS:
        raise ConfigurationError(
            f"a secret of {len(plain)} characters cannot be masked in texts: "
            f"{_MIN_SECRET_CHARS} are the least, and far too few"
        )
    quoted = {quote(plain), quote(plain, safe=""), quote_plus(plain)}
    return quoted | {plain, repr(plain)[1:-1], repr(plain.encode())[2:-1]}
