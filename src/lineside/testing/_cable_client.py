"""A client of a cable, in memory."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self

from lineside.cable import Cable, Connection, Identity
from lineside.cable.codecs import (
    Disconnection,
    Event,
    HistoryRequest,
    Reply,
    Request,
    Subscribe,
)
from lineside.exceptions import ConfigurationError
from lineside.strict_json import dumps
from lineside.testing._cable_app_link import AppLink, request_headers, websocket_scope
from lineside.testing._cable_conversation import Conversation
from lineside.testing._cable_dialects import dialect_named
from lineside.testing._cable_direct_link import DirectLink, Link
from lineside.testing._cable_running import running
from lineside.testing._cable_subscription import CableSubscription

__all__ = ["CableClient"]

_OWN_ORIGIN: Final = "http://testserver"
_NOBODY: Final = Identity(anonymous=True)


class CableClient:
    """A client of a cable: no sockets, no server, one event loop.

    Over an app everything is real from the handshake on: the origin, the authentication, the app's
    ``dependency_overrides``. Straight on a `Cable` the client is whoever the test says. The app's lifespan,
    or the cable, runs as long as a client is connected; several clients share it, and `running` holds it
    open between them.

        async with CableClient(app, headers={"Authorization": "Bearer ..."}) as client:
            chat = await client.subscribe("ChatChannel", room=1)
            await chat.perform("speak", text="Hello")
            assert await chat.receive() == {"text": "Hello"}

    Args:
        app_or_cable: An ASGI app, or a `Cable`.
        path: Where the app's cable is, with a query if there is one.
        protocol: Which protocol the client speaks: GoHub's, in which every request is answered
            (``"gohub-v1-json"``, or ``"gohub"`` without a subprotocol), ``"actioncable-v1-json"`` or
            ``"actioncable-v1-ext-json"``.
        identity: Who connects; for a `Cable` alone. Default: a guest.
        headers: Of the request.
        cookies: Of the request.
        token: Sent as ``Authorization: Bearer``.
        origin: The page that connects; default: one of the app's own. None for no browser.
        deadline_seconds: How long the test waits for anything.
    """

    def __init__(
        self,
        app_or_cable: Any,
        *,
        path: str = "/cable",
        protocol: str = "gohub-v1-json",
        identity: Identity | None = None,
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        token: str | None = None,
        origin: str | None = _OWN_ORIGIN,
        deadline_seconds: float = 5.0,
    ) -> None:
        if identity is not None and not isinstance(app_or_cable, Cable):
            raise ConfigurationError(
                "identity= is for a Cable; over an app its own authentication decides: give headers=, "
                "cookies= or token=, or set app.dependency_overrides"
            )
        self._talk = Conversation(dialect_named(protocol), deadline_seconds=deadline_seconds)
        self._target = app_or_cable
        self._path = path
        self._identity = identity or _NOBODY
        self._headers = request_headers(headers, cookies, token, origin)
        self._messages_read = 0
        self._stack = AsyncExitStack()

    async def connect(self) -> Self:
        """Connect; `async with` does it, too.

        Raises:
            ConnectionRejected: The client is not let in.
        """
        if self._talk.link is not None:
            raise ConfigurationError("this client has been connected before; make another one")
        async with AsyncExitStack() as stack:
            state = await stack.enter_async_context(running(self._target))
            link = self._talk.link = self._linked(state)
            stack.push_async_callback(link.close)
            await link.open()
            await self._talk.begin()
            self._stack = stack.pop_all()
        return self

    async def close(self) -> None:
        """Hang up; returns when the server has run every ``unsubscribed`` of this client."""
        await self._stack.aclose()

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def connection(self) -> Connection:
        """The server's side: its ``identity``, ``client_id``, ``metadata``.

        Raises:
            ConfigurationError: There is none (any more).
        """
        found = None if self._talk.link is None else self._talk.link.connection
        if found is None:
            raise ConfigurationError("the client is not connected to a cable of this app")
        return found

    @property
    def events(self) -> list[Event]:
        """Everything that has come so far but pings, as `lineside.cable.codecs` has it."""
        return list(self._talk.inbox.events)

    @property
    def messages(self) -> list[Reply]:
        """What has come so far that belongs to no subscription: each with its ``type`` and ``data``."""
        return [
            each for each in self._talk.inbox.events if isinstance(each, Reply) and each.request_id is None
        ]

    @property
    def disconnection(self) -> Disconnection | None:
        """What the server has said before it closed: its ``reason``, and ``reconnect``."""
        said = [each for each in self._talk.inbox.events if isinstance(each, Disconnection)]
        return said[0] if said else None

    async def subscribe(
        self,
        channel: str,
        params: Mapping[str, Any] | None = None,
        /,
        *,
        since: float | None = None,
        presence: bool = False,
        **more_params: Any,
    ) -> CableSubscription:
        """Subscribe to a channel, and wait for the answer.

        Args:
            channel: The channel's name.
            params: The channel's parameters, JSON values, where one is called as an argument here.
            since: Ask for what was broadcast since then (seconds since 1970); 0 for all that is kept.
            presence: Be present, where the channel allows it.
            more_params: The channel's parameters, too.

        Returns:
            The subscription, confirmed or rejected.

        Raises:
            AssertionError: No answer comes; or the channel does not allow the presence.
        """
        identifier = dumps({"channel": channel, **(params or {}), **more_params}).decode()
        subscription = CableSubscription(self._talk, channel, identifier)
        history = None if since is None else HistoryRequest(since=since)
        await subscription.begin(Subscribe(identifier, history, {} if presence else None))
        return subscription

    async def request(self, type: str, /, **data: Any) -> Any:  # noqa: A002 - GoHub's word
        """Send a typed message (GoHub's), and return the data of its answer.

        Args:
            type: The message's type: ``"join_room"``, or one of the app's own.
            data: Its payload.

        Raises:
            RequestFailed: It could not be done.
        """
        answer = await self._talk.ask(Request(type, data))
        assert isinstance(answer, Reply), answer
        return answer.data

    async def receive(self, type: str | None = None) -> Any:  # noqa: A002 - GoHub's word
        """Return the data of the next message that belongs to no subscription; waits for it.

        Args:
            type: Which ``message_type`` it must have, for instance ``"direct_message"``; None for any. Those
                before it are passed over.

        Raises:
            AssertionError: None comes within the deadline.
        """

        def look() -> tuple[int, Reply] | None:
            unread = list(enumerate(self.messages))[self._messages_read :]
            return next((each for each in unread if type in (None, each[1].type)), None)

        number, found = await self._talk.inbox.until(look, f"a message of type {type or 'any'}")
        self._messages_read = number + 1
        return found.data

    async def wait_closed(self) -> int:
        """Wait until the server closes the connection; return the close code.

        Raises:
            AssertionError: It does not within the deadline.
        """
        code, _ = await self._talk.inbox.until(
            lambda: self._talk.inbox.closed, "the server to close the connection"
        )
        return code

    async def settle(self) -> None:
        """Return when all has arrived that the server has sent to this client until now."""
        await self._talk.settle()

    async def send(self, frame: str) -> None:
        """Send a frame as it is, for instance a broken one.

        Args:
            frame: Its text.
        """
        await self._talk.send(frame)

    def _linked(self, state: Mapping[str, Any]) -> Link:
        if isinstance(self._target, Cable):
            return DirectLink(
                self._target,
                codec=self._talk.dialect.name,
                identity=self._identity,
                take=self._talk.take,
                closed=self._talk.inbox.close,
            )
        offered = [] if self._talk.dialect.subprotocol is None else [self._talk.dialect.subprotocol]
        scope = websocket_scope(self._path, subprotocols=offered, headers=self._headers, state=state)
        return AppLink(
            self._target,
            scope=scope,
            take=self._talk.take,
            closed=self._talk.inbox.close,
            deadline_seconds=self._talk.inbox.deadline_seconds,
        )

    def __repr__(self) -> str:
        return f"CableClient({self._target!r}, protocol={self._talk.dialect.name!r})"
