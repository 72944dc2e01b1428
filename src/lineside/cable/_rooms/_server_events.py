"""What happens on the server, told to functions of the app: GoHub's nine events, from every node.

An event costs nothing where nobody listens to it. Functions run beside the connections: a slow one makes
no client wait. The events of one client, and of one room, are told in their order.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from lineside.cable._protocol._cancelling import app_code
from lineside.cable._protocol._errors import CableConfigurationError
from lineside.cable._rooms._event_relay import EventRelay
from lineside.cable._rooms._server_event import EVENT_NAMES, EventHandler, ServerEvent
from lineside.callbacks import adapted

if TYPE_CHECKING:
    from lineside.cable._cable import Cable
    from lineside.cable._core._connection import Connection

__all__ = ["ServerEvents"]

_MAX_PENDING: Final = 10_000

_logger = logging.getLogger("lineside.cable")


@dataclass(frozen=True, slots=True)
class _Listener:
    function: EventHandler
    call: Callable[..., Any]
    own_only: bool


class ServerEvents:
    """The events of one cable.

    Args:
        cable: The cable.
        max_pending: How many events may wait for their functions; further ones are counted and logged.

    Attributes:
        dropped: How many events found no place.
    """

    def __init__(self, cable: "Cable", *, max_pending: int = _MAX_PENDING) -> None:
        self._cable = cable
        self._max_pending = max_pending
        self._listeners: dict[str, tuple[_Listener, ...]] = {}
        self._waiting: dict[str, deque[ServerEvent]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._pending = 0
        self._relay = EventRelay(cable, take=self._take_from_another)
        self.dropped: int = 0

    def on(self, name: str, function: EventHandler, *, nodes: Literal["all", "own"] = "all") -> None:
        """Call a function whenever something happens; functions of one event run in order.

        An error of a function is logged, and the next one runs.

        Args:
            name: One of `EVENT_NAMES`.
            function: Takes a `ServerEvent`.
            nodes: ``"all"``: also what happens on other nodes. Where every node listens, every node is
                told everything: to write something down once, listen to ``"own"``.

        Raises:
            CableConfigurationError: There is no such event.
        """
        _check(name)
        listener = _Listener(function, adapted(function), nodes == "own")
        self._listeners[name] = (*self._listeners.get(name, ()), listener)
        self._relay.want(self._wanted())

    def off(self, name: str, function: EventHandler) -> bool:
        """Stop calling a function; tell whether it was called.

        Args:
            name: One of `EVENT_NAMES`.
            function: The function that was registered.

        Raises:
            CableConfigurationError: There is no such event.
        """
        _check(name)
        known = self._listeners.get(name, ())
        left = tuple(each for each in known if each.function != function)
        self._listeners[name] = left
        if not left:
            del self._listeners[name]
        self._relay.want(self._wanted())
        return len(left) < len(known)

    def wants(self, name: str) -> bool:
        """Tell whether anybody on any node listens to an event."""
        return name in self._listeners or name in self._relay.wanted_elsewhere

    def fire(
        self,
        name: str,
        *,
        connection: "Connection | None" = None,
        client_id: str | None = None,
        room_id: str | None = None,
        message: Any = None,
    ) -> None:
        """Tell whoever listens that something has happened; nothing is waited for.

        Args:
            name: One of `EVENT_NAMES`.
            connection: The connection that it is about.
            client_id: Its client, where there is no connection here.
            room_id: The room that it is about.
            message: See `ServerEvent`.
        """
        here, elsewhere = name in self._listeners, name in self._relay.wanted_elsewhere
        if not here and not elsewhere:
            return
        event = ServerEvent(
            name,
            connection.client_id if connection is not None else client_id,
            room_id,
            message,
            self._cable.clock(),
            self._cable.bus.node,
            connection,
        )
        if here:
            self._put(event)
        if elsewhere:
            self._relay.send(name, event.told())

    async def start(self) -> None:
        """Learn what the other nodes listen to, and tell them what this one does."""
        await self._relay.start()

    async def rejoin(self) -> None:
        """Say again what this node listens to, after nobody could be reached."""
        await self._relay.greet()

    async def stop(self, seconds: float) -> None:
        """Let every function run to its end that has an event, also on other nodes.

        Args:
            seconds: How long that may take; what is left then is counted and logged.
        """
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        await self._relay.stop(seconds)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._pending:
            self._drop(self._pending, "the node ends")
            self._pending = 0

    def _wanted(self) -> Iterable[str]:
        return [name for name, those in self._listeners.items() if not all(each.own_only for each in those)]

    def _take_from_another(self, told: Mapping[str, Any]) -> None:
        if told["type"] in self._listeners:
            self._put(ServerEvent(**told))

    def _put(self, event: ServerEvent) -> None:
        if self._pending >= self._max_pending:
            self._drop(1, "its functions are too slow")
            return
        self._pending += 1
        key = f"client:{event.client_id}" if event.client_id is not None else f"room:{event.room_id}"
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.append(event)
            return
        self._waiting[key] = deque((event,))
        task = asyncio.get_running_loop().create_task(self._work(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _drop(self, count: int, why: str) -> None:
        if not self.dropped & (self.dropped - 1):  # at 0, 1, 2, 4, 8 ...: a flood is no flood of lines
            _logger.error("%s events are not told to the functions of the app: %s", count, why)
        self.dropped += count

    async def _work(self, key: str) -> None:
        waiting = self._waiting[key]
        try:
            while waiting:
                await self._tell(waiting.popleft())
                self._pending -= 1
        finally:
            del self._waiting[key]

    async def _tell(self, event: ServerEvent) -> None:
        own = event.node == self._cable.bus.node
        for listener in self._listeners.get(event.type, ()):
            if listener.own_only and not own:
                continue
            try:
                with app_code:
                    await listener.call(event)
            except Exception:  # the app's fault; the next function must run all the same
                self._cable.stats.faults += 1
                _logger.exception("a function for the event %r failed", event.type)


def _check(name: str) -> None:
    if name not in EVENT_NAMES:
        raise CableConfigurationError(
            f"there is no event {name!r}; there are: {', '.join(sorted(EVENT_NAMES))}"
        )
