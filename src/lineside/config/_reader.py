"""The typed getters; each reads one dictionary of the current snapshot."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, Final, TypeVar, overload

from lineside.config._environment import variable_for
from lineside.config._errors import ConfigKeyError, ConfigTypeError
from lineside.config._explain import Explanation, explain
from lineside.config._redaction import Secret
from lineside.config._snapshot import ConfigMap, Snapshot
from lineside.config._typing import split_list, to_bool, to_duration, to_float, to_int

T = TypeVar("T")
D = TypeVar("D")


class _Missing(Enum):
    MISSING = "no value"


MISSING: Final = _Missing.MISSING


class Reader:
    """Reading by dotted key; ``servers.0.host`` reaches into a list.

    A typed getter takes null for missing; ``get`` and ``has`` see it.
    """

    def __init__(self, state: Snapshot, *, prefix: str) -> None:
        self._state = state
        self._prefix = prefix

    def variable(self, key: str) -> str:
        """Return the name of the environment variable that sets a key."""
        return variable_for(key, prefix=self._prefix)

    def has(self, key: str) -> bool:
        """Tell whether a key is there, even as null; ``app.name.zzz`` below a string is not."""
        return key in self._state.values

    @overload
    def get(self, key: str) -> Any: ...
    @overload
    def get(self, key: str, default: D) -> Any | D: ...
    def get(self, key: str, default: object = MISSING) -> Any:
        """Return a value as it is: maps and lists are read-only.

        Args:
            key: The dotted key.
            default: What to return when the key is not there.

        Raises:
            ConfigKeyError: The key is not there and no default was given.
        """
        value = self._state.values.get(key, MISSING)
        if value is not MISSING:
            return value
        if default is MISSING:
            raise self._missing(self._state, key)
        return default

    @overload
    def get_int(self, key: str) -> int: ...
    @overload
    def get_int(self, key: str, default: D) -> int | D: ...
    def get_int(self, key: str, default: object = MISSING) -> Any:
        """Return a whole number. See `get` for arguments; a wrong type raises ConfigTypeError."""
        return self._converted(key, default, to_int, "a whole number")

    @overload
    def get_float(self, key: str) -> float: ...
    @overload
    def get_float(self, key: str, default: D) -> float | D: ...
    def get_float(self, key: str, default: object = MISSING) -> Any:
        """Return a finite number. See `get` for arguments; a wrong type raises ConfigTypeError."""
        return self._converted(key, default, to_float, "a number")

    @overload
    def get_bool(self, key: str) -> bool: ...
    @overload
    def get_bool(self, key: str, default: D) -> bool | D: ...
    def get_bool(self, key: str, default: object = MISSING) -> Any:
        """Return true or false, from true/false, yes/no, on/off, 1/0."""
        return self._converted(key, default, to_bool, "true or false")

    @overload
    def get_duration(self, key: str) -> timedelta: ...
    @overload
    def get_duration(self, key: str, default: D) -> timedelta | D: ...
    def get_duration(self, key: str, default: object = MISSING) -> Any:
        """Return a duration from ``250ms 30s 5m 1h 2d 1h30m``; a bare number is seconds."""
        return self._converted(key, default, to_duration, "a duration such as 30s, 5m or 1h")

    @overload
    def get_str(self, key: str) -> str: ...
    @overload
    def get_str(self, key: str, default: D) -> str | D: ...
    def get_str(self, key: str, default: object = MISSING) -> Any:
        """Return the text as it was written: ``1.10`` stays ``1.10``."""
        text = self._string(key, default)
        return default if text is MISSING else text

    @overload
    def get_secret(self, key: str) -> Secret: ...
    @overload
    def get_secret(self, key: str, default: D) -> Secret | D: ...
    def get_secret(self, key: str, default: object = MISSING) -> Any:
        """Return a string as a `Secret`, which shows itself as ``***``."""
        text = self._string(key, default)
        return default if text is MISSING else Secret(text)

    @overload
    def get_list(self, key: str) -> list[Any]: ...
    @overload
    def get_list(self, key: str, default: D) -> list[Any] | D: ...
    def get_list(self, key: str, default: object = MISSING) -> Any:
        """Return a new list; a string is split at its commas."""
        state = self._state
        value = self._present(state, key, default)
        if value is MISSING:
            return default
        if isinstance(value, tuple):
            return [*value]
        text = None if isinstance(value, bool | ConfigMap) else _text(state, key, value)
        if text is None:
            raise self._wrong(state, key, "a list")
        return split_list(text)

    @overload
    def get_map(self, key: str) -> Mapping[str, Any]: ...
    @overload
    def get_map(self, key: str, default: D) -> Mapping[str, Any] | D: ...
    def get_map(self, key: str, default: object = MISSING) -> Any:
        """Return a section as a read-only mapping whose repr masks secrets."""
        state = self._state
        value = self._present(state, key, default)
        if value is MISSING:
            return default
        if not isinstance(value, ConfigMap):
            raise self._wrong(state, key, "a map")
        return value

    @property
    def files(self) -> tuple[str, ...]:
        """The files that were read, lowest layer first."""
        return self._state.files

    def explain(self, key: str) -> Explanation:
        """Tell who set a value and what it overrode, secrets masked.

        Raises:
            ConfigKeyError: The key is not there.
        """
        state = self._state
        if key not in state.values:
            raise self._missing(state, key, takes_default=False)
        return explain(state, key)

    def dump(self) -> dict[str, Any]:
        """Return everything as plain dictionaries and lists, secrets masked."""
        state = self._state
        masked: dict[str, Any] = state.redactor.value("", state.values[""])
        return masked

    def redact(self, text: str) -> str:
        """Mask this configuration's secrets, URL credentials and ``password=...`` in any text."""
        return self._state.redactor.text(text)

    def _present(self, state: Snapshot, key: str, default: object) -> Any:
        value = state.values.get(key, MISSING)
        if value is not MISSING and value is not None:
            return value
        if default is MISSING:
            raise self._missing(state, key)
        return MISSING

    def _string(self, key: str, default: object) -> str | _Missing:
        state = self._state
        value = self._present(state, key, default)
        text = MISSING if value is MISSING else _text(state, key, value)
        if text is None:
            raise self._wrong(state, key, "a string")
        return text

    def _converted(self, key: str, default: object, convert: Callable[[object], T], expected: str) -> Any:
        state = self._state
        value = self._present(state, key, default)
        if value is MISSING:
            return default
        try:
            return convert(value)
        except ValueError:
            pass
        # Raised outside `except`: the converter's error is no news and may quote the value.
        raise self._wrong(state, key, expected)

    def _missing(self, state: Snapshot, key: str, *, takes_default: bool = True) -> ConfigKeyError:
        node = state.nodes.get(key)
        return ConfigKeyError(
            key,
            reason="is not set" if node is None else f"is null in {node.origin}",
            nearest=[] if node is not None else state.nearest(key),
            files=state.files,
            variable=self.variable(key),
            takes_default=takes_default,
        )

    def _wrong(self, state: Snapshot, key: str, expected: str) -> ConfigTypeError:
        return ConfigTypeError(
            key,
            expected=expected,
            shown=state.redactor.shown(key, state.values[key]),
            source=str(state.nodes[key].origin),
        )


def _text(state: Snapshot, key: str, value: object) -> str | None:
    """Return a value as the text it was written as, None when it has none."""
    if isinstance(value, str):
        return value
    text = state.nodes[key].text
    if text is None and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text
