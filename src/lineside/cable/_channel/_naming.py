"""The names of streams that belong to a record, and what a member of a presence is called."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from lineside.cable._protocol._errors import CableConfigurationError

__all__ = ["broadcasting_name", "presence_of"]

_RESERVED: Final = re.compile(r"[%:/]")


def broadcasting_name(channel: str, target: Any) -> str:
    """Return the stream of a record, as Rails' ``broadcasting_for``.

    Text is escaped, so that no text can name a record's stream.

    Args:
        channel: The channel's name.
        target: A record with a key, text, a number, a UUID, or several of them in a list.

    Returns:
        For instance ``"ChatChannel:rooms/7"``.

    Raises:
        CableConfigurationError: The target is none of these, or a record that was not saved.
    """
    parts = target if isinstance(target, list | tuple) else [target]
    if not parts:
        raise CableConfigurationError(f"{channel}: an empty list names no stream")
    return ":".join((channel, *(_part(channel, each) for each in parts)))


def _part(channel: str, target: Any) -> str:
    if isinstance(target, str):
        return _escaped(target)
    if isinstance(target, int | UUID) and not isinstance(target, bool):
        return str(target)
    name, key = _record(target)
    if not key or any(each is None for each in key):
        raise CableConfigurationError(
            f"{channel}: a {type(target).__name__} without a key names no stream; "
            "save the record first, or pass text"
        )
    return "/".join((name, *(_escaped(str(each)) for each in key)))


def _record(target: Any) -> tuple[str, Sequence[Any]]:
    mapper = getattr(type(target), "__mapper__", None)
    if mapper is not None:
        # The table's name is one for all subclasses that share it, and no other model has it.
        return str(mapper.base_mapper.local_table.fullname), mapper.primary_key_from_instance(target)
    kind = type(target)
    key = getattr(target, "id", None)
    return f"{kind.__module__}.{kind.__qualname__}", () if key is None else (key,)


def _escaped(text: str) -> str:
    return _RESERVED.sub(lambda found: f"%{ord(found[0]):02X}", text)


def presence_of(*, given: Mapping[str, Any] | str | bool | None, client_id: str) -> Mapping[str, Any] | None:
    """Return under which id a client may be present.

    Args:
        given: An id, ``{"id", "info"}``, True for the client's own id, or nothing.
        client_id: The client's own id.

    Raises:
        CableConfigurationError: A mapping has no ``id``.
    """
    if given is None or given is False:
        return None
    if given is True:
        return {"id": client_id}
    if isinstance(given, str):
        return {"id": given}
    if given.get("id") is None:
        raise CableConfigurationError('presence= takes an id, {"id": ..., "info": ...}, or True')
    return {**given, "id": str(given["id"])}
