"""Channels, rooms and streams over WebSockets, on one node or many.

A channel decides who may listen to what, and what a client may do:

    from lineside.cable import Channel

    class ChatChannel(Channel):
        async def subscribed(self, room: int) -> None:
            self.allow("everybody may read the rooms")
            await self.stream_from(f"room:{room}")

        async def speak(self, text: str) -> None:
            await self.broadcast(f"room:{self.params['room']}", {"text": text})

``lineside.cable.fastapi.cable_router`` serves it in an app. Clients of Action Cable, AnyCable, GoHub and
Gor connect unchanged; ``lineside.bus`` carries messages between nodes.
"""

from lineside.cable._auth._bearer import BearerKey
from lineside.cable._auth._client_ids import ClientIds
from lineside.cable._auth._close_codes import CloseCode
from lineside.cable._auth._jwt import JWTAuthentication
from lineside.cable._auth._jwt_keys import JWTKey
from lineside.cable._auth._origins import OriginPolicy
from lineside.cable._auth._permissions import AnonymousRights
from lineside.cable._auth._refusals import (
    AccessRefused,
    ClientIdRefused,
    IdentityMismatch,
    InvalidTicket,
    InvalidToken,
    MissingToken,
    OriginRefused,
    TokenExpired,
    TooManyAttempts,
)
from lineside.cable._auth._signed_streams import SignedStreams
from lineside.cable._auth._tickets import MemoryTickets, Tickets, TicketStore
from lineside.cable._cable import Cable
from lineside.cable._channel._asyncapi import asyncapi_document
from lineside.cable._channel._channel import Channel
from lineside.cable._channel._identifiers import identified_by
from lineside.cable._channel._marks import (
    after_command,
    after_subscribe,
    after_unsubscribe,
    around_command,
    before_command,
    before_subscribe,
    before_unsubscribe,
    periodically,
    rescue_from,
)
from lineside.cable._channel._registry import ChannelRegistry
from lineside.cable._core._connection import Connection
from lineside.cable._instrumentation._metrics import CableMetrics
from lineside.cable._instrumentation._stats import CableStats
from lineside.cable._protocol._codec import Codec
from lineside.cable._protocol._errors import (
    CableConfigurationError,
    CableError,
    ErrorCode,
    RequestFailed,
    UnknownChannelError,
)
from lineside.cable._protocol._identity import PERMISSIONS, Identity
from lineside.cable._protocol._limits import CableLimits
from lineside.cable._protocol._ports import ConnectionPort
from lineside.cable._protocol._wire import Wire
from lineside.cable._rooms._direct import Delivery
from lineside.cable._rooms._handlers import Answer
from lineside.cable._rooms._room import Room
from lineside.cable._rooms._server_event import EVENT_NAMES, ServerEvent

__all__ = [
    "EVENT_NAMES",
    "PERMISSIONS",
    "AccessRefused",
    "AnonymousRights",
    "Answer",
    "BearerKey",
    "Cable",
    "CableConfigurationError",
    "CableError",
    "CableLimits",
    "CableMetrics",
    "CableStats",
    "Channel",
    "ChannelRegistry",
    "ClientIdRefused",
    "ClientIds",
    "CloseCode",
    "Codec",
    "Connection",
    "ConnectionPort",
    "Delivery",
    "ErrorCode",
    "Identity",
    "IdentityMismatch",
    "InvalidTicket",
    "InvalidToken",
    "JWTAuthentication",
    "JWTKey",
    "MemoryTickets",
    "MissingToken",
    "OriginPolicy",
    "OriginRefused",
    "RequestFailed",
    "Room",
    "ServerEvent",
    "SignedStreams",
    "TicketStore",
    "Tickets",
    "TokenExpired",
    "TooManyAttempts",
    "UnknownChannelError",
    "Wire",
    "after_command",
    "after_subscribe",
    "after_unsubscribe",
    "around_command",
    "asyncapi_document",
    "before_command",
    "before_subscribe",
    "before_unsubscribe",
    "identified_by",
    "periodically",
    "rescue_from",
]
