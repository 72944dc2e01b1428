"""What users give to be sent, as JSON values; and what runs in a worker thread, back on the loop."""

import asyncio
from collections.abc import Callable
from typing import Any

from anyio import from_thread
from pydantic_core import to_jsonable_python

from lineside.strict_json import dumps

__all__ = ["json_bytes", "json_value", "on_loop"]

_PLAIN = (str, int, float, bool, type(None))


def json_value(value: Any) -> Any:
    """Return a value as JSON has it: models, dates, UUIDs and sets inside become what FastAPI sends.

    Args:
        value: What the user gave.

    Raises:
        TypeError: It holds something that JSON has no form for; or a database record, which would show
            every column to whoever listens.
    """
    if isinstance(value, _PLAIN):
        return value
    _refuse_records(value)
    try:
        return to_jsonable_python(value)
    except ValueError as error:
        # pydantic's own error is a ValueError, which the app might take for a wrong argument.
        raise TypeError(f"this cannot be sent as JSON: {error}; send dicts, lists or models") from error


def json_bytes(value: Any) -> bytes:
    """Return a value as JSON text; what is JSON already is looked at once, by the writer.

    Args:
        value: As for `json_value`.

    Raises:
        TypeError: As `json_value` does.
        ValueError: It has no form in strict JSON: NaN, or nested too deeply.
    """
    try:
        return dumps(value)
    except TypeError:
        return dumps(json_value(value))


def _refuse_records(value: Any) -> None:
    # SQLAlchemy's mark of a mapped class; looked for by name, because a cable needs no database.
    if hasattr(type(value), "__mapper__"):
        raise TypeError(
            f"a {type(value).__name__} is a database record; send what may be seen of it: a schema such as "
            "Post.Out, or a dict"
        )
    if isinstance(value, dict):
        for each in value.values():
            _refuse_records(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            _refuse_records(each)


def on_loop(call: Callable[..., Any], *args: Any) -> Any:
    """Call something that belongs to the event loop, also from a plain ``def`` action's thread.

    Args:
        call: What to call; it does not wait.
        args: Its arguments.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return from_thread.run_sync(call, *args)
    return call(*args)
