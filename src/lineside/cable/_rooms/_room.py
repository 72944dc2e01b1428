"""A room as a value, and what a request about rooms fails with, in GoHub's words."""

import unicodedata
from dataclasses import dataclass
from typing import Any, Final

from lineside.bus import Member
from lineside.cable._protocol._errors import ErrorCode, RequestFailed

__all__ = ["Room", "check_room_id", "check_room_name", "group_of", "room_failed", "room_of", "stream_of"]

_PREFIX: Final = "room:"
_MAX_NAME_BYTES: Final = 255

_TEXTS: Final = {
    ErrorCode.ROOM_NOT_FOUND: "room not found",
    ErrorCode.ROOM_ALREADY_EXISTS: "room already exists",
    ErrorCode.ROOM_FULL: "room is full",
    ErrorCode.NOT_IN_ROOM: "client not in room",
    ErrorCode.ALREADY_IN_ROOM: "client already in room",
    ErrorCode.CLIENT_NOT_FOUND: "client not found",
}


@dataclass(frozen=True, slots=True)
class Room:
    """A room, as every node sees it.

    Attributes:
        id: The room's id.
        name: What people call it.
        max_clients: How many clients it takes, over all nodes; 0 for any number.
        members: How many it has.
        created_at: Seconds since 1970.
    """

    id: str
    name: str
    max_clients: int = 0
    members: int = 0
    created_at: float = 0.0


def room_failed(code: ErrorCode) -> RequestFailed:
    """Return the error of a code, with GoHub's text for it.

    Args:
        code: One of 3000 to 3004, or 4000.
    """
    return RequestFailed(code, _TEXTS[code])


def group_of(room: str) -> str:
    """Return the presence group with a room's members.

    Args:
        room: The room's id.
    """
    return _PREFIX + room


def stream_of(room: str) -> str:
    """Return the stream with a room's messages.

    Args:
        room: The room's id.
    """
    return _PREFIX + room


def check_room_id(room: str, *, max_bytes: int) -> None:
    """Refuse an id that no room can have.

    Args:
        room: The id.
        max_bytes: The longest name of a stream.

    Raises:
        RequestFailed: It is empty, too long, or has control characters.
    """
    size = len(stream_of(room).encode(errors="replace"))
    if not room or size > max_bytes or any(unicodedata.category(each) in ("Cc", "Cs") for each in room):
        raise RequestFailed(
            ErrorCode.INVALID_FORMAT,
            f"a room's id has 1 to {max_bytes - len(_PREFIX)} bytes and no control characters",
        )


def check_room_name(name: str) -> None:
    """Refuse a name that is too long to be passed around.

    Args:
        name: The name.

    Raises:
        RequestFailed: It has more than 255 bytes.
    """
    if len(name.encode(errors="replace")) > _MAX_NAME_BYTES:
        raise RequestFailed(ErrorCode.INVALID_FORMAT, f"a room's name has at most {_MAX_NAME_BYTES} bytes")


def room_of(definition: Member, members: int) -> Room:
    """Return a room from its definition.

    Args:
        definition: The member of the group of all rooms.
        members: How many members the room has.
    """
    info: Any = definition.info
    return Room(
        definition.id,
        str(info.get("name", definition.id)),
        int(info.get("max_clients", 0)),
        members,
        float(info.get("created_at", 0.0)),
    )
