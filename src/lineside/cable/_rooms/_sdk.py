"""What a cable offers beside its channels: rooms, clients, typed messages and events (GoHub's SDK)."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from lineside.bus import Departed
from lineside.cable._protocol._commands import Request
from lineside.cable._protocol._identity import Identity
from lineside.cable._protocol._ports import ConnectionPort
from lineside.cable._rooms._built_in import register_built_in
from lineside.cable._rooms._clients import Clients
from lineside.cable._rooms._direct import Delivery, DirectMessages
from lineside.cable._rooms._dispatcher import Messages
from lineside.cable._rooms._questions import Questions
from lineside.cable._rooms._rooms import Rooms
from lineside.cable._rooms._server_event import EVENT_NAMES
from lineside.cable._rooms._server_events import ServerEvents
from lineside.cable._sse._helpers import ServerSentEvents

if TYPE_CHECKING:
    from lineside.cable._cable import Cable
    from lineside.cable._core._connection import Connection
    from lineside.cable._instrumentation._metrics import CableMetrics

__all__ = ["CableSDK", "RefreshCheck"]

RefreshCheck = Callable[[ConnectionPort, str], Awaitable[Identity]]
"""Verifies a fresh token and returns its identity; raises what the authentication raises."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


class CableSDK:
    """The part of a `Cable` that knows who is there, and talks with them one by one.

    Attributes:
        questions: Asks other nodes.
        events: What happens on the server.
        clients: Who is connected, over all nodes.
        direct: Messages for one client, or all.
        messages: The handlers of typed messages.
        sse: Events with a name, for browsers that listen by Server-Sent Events.
        rooms: Who is together.
        meter: Measures what cannot be counted; None where nobody asks for metrics.
        refresh: Verifies fresh tokens; None where tokens are not refreshed.
    """

    def __init__(self, cable: "Cable", *, replace_sessions: bool) -> None:
        self.questions: Questions = Questions(cable)
        self.events: ServerEvents = ServerEvents(cable)
        self.clients: Clients = Clients(cable, replace=replace_sessions)
        self.direct: DirectMessages = DirectMessages(cable)
        self.rooms: Rooms = Rooms(cable)
        self.messages: Messages = Messages(cable)
        self.sse: ServerSentEvents = ServerSentEvents(cable)
        self.meter: CableMetrics | None = None
        self.refresh: RefreshCheck | None = None
        register_built_in(cable)

    @overload
    def on(
        self, name: str, *, reply: str | None = None, nodes: Literal["all", "own"] = "all"
    ) -> Callable[[_Function], _Function]: ...
    @overload
    def on(
        self,
        name: str,
        function: _Function,
        *,
        reply: str | None = None,
        nodes: Literal["all", "own"] = "all",
    ) -> _Function: ...
    def on(
        self,
        name: str,
        function: Callable[..., Any] | None = None,
        *,
        reply: str | None = None,
        nodes: Literal["all", "own"] = "all",
    ) -> Any:
        """Listen to an event of the server, or answer messages of a type.

        The nine names of `EVENT_NAMES` are events: ``client_connected``, ``client_disconnected``,
        ``client_message``, ``client_error``, ``room_created``, ``room_deleted``, ``room_joined``,
        ``room_left`` and ``room_message``; the function takes a `ServerEvent`. Every other name is a
        message type, and the function answers it. To answer messages that are called like an event, use
        ``cable.messages.register``. Without a function this is a decorator:

            @cable.on("echo", reply="echoed")
            async def echo(connection: ConnectionPort, message: Echo) -> Echo: ...

        Args:
            name: The event's name, or the message's type.
            function: What to call; see `ServerEvents.on` and `Messages.register`.
            reply: The type of the answers; for messages.
            nodes: ``"own"`` for what happens on this node only; for events.

        Raises:
            CableConfigurationError: The function cannot be called so.
        """
        if function is None:
            return lambda decorated: self.on(name, decorated, reply=reply, nodes=nodes)
        if name in EVENT_NAMES:
            self.events.on(name, function, nodes=nodes)
        else:
            self.messages.register(name, function, reply=reply)
        return function

    def off(self, name: str, function: Callable[..., Any]) -> bool:
        """Undo an `on`; tell whether there was anything to undo.

        Args:
            name: The event's name, or the message's type.
            function: The function that was given.
        """
        if name in EVENT_NAMES:
            return self.events.off(name, function)
        return self.messages.remove(name, function)

    async def send_to(
        self,
        client_id: str,
        message: Any,
        *,
        type: str = "direct_message",  # noqa: A002 - GoHub's word
    ) -> Delivery:
        """Send a message to one client, on whatever node; see `DirectMessages.send_to`."""
        return await self.direct.send_to(client_id, message, type=type)

    async def broadcast_all(
        self,
        message: Any,
        *,
        type: str = "broadcast",  # noqa: A002 - GoHub's word
    ) -> None:
        """Send a message to every client of all nodes; see `DirectMessages.broadcast_all`."""
        await self.direct.broadcast_all(message, type=type)

    async def dispatch(self, connection: "Connection", request: Request) -> None:
        """Answer a typed message; see `Messages.dispatch`."""
        if self.events.wants("client_message"):
            said = {"type": request.type, "data": request.data}
            self.events.fire("client_message", connection=connection, message=said)
        await self.messages.dispatch(connection, request)

    async def departed(self, gone: Departed) -> None:
        """Take notice of one who is gone without a word."""
        await self.clients.departed(gone)
        await self.rooms.departed(gone)

    async def rejoin(self) -> None:
        """Put everybody of this node back where they were."""
        await self.clients.rejoin()
        await self.rooms.rejoin()
        await self.events.rejoin()
