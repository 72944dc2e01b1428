"""A node's life among the others: its lease, the word that reaches every node, and those who are gone.

Two streams of our own carry it: ``lineside!nodes`` to all nodes, ``lineside!node:<id>`` to one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from lineside.bus import BusError, Discontinuity, Message
from lineside.cable._core._subscription import INTERNAL
from lineside.strict_json import dumps, loads

if TYPE_CHECKING:
    from lineside.bus import BusSubscription, Registration
    from lineside.cable._cable import Cable

__all__ = ["Cluster", "Command"]

Command = Callable[[Mapping[str, Any]], Awaitable[None]]
"""What a node does when another one (or itself) says so."""

_NODES: Final = f"{INTERNAL}nodes"
_NODE: Final = f"{INTERNAL}node:"
_MAX_PENDING: Final = 10_000

_logger = logging.getLogger("lineside.cable")


class Cluster:
    """This node, as the others see it.

    Args:
        cable: The cable.
        beat_seconds: How often the lease is renewed.
        lease_seconds: How long the others wait for that.
    """

    def __init__(self, cable: "Cable", *, beat_seconds: float = 1.0, lease_seconds: float = 6.0) -> None:
        self._cable = cable
        self._beat_seconds = beat_seconds
        self._lease_seconds = lease_seconds
        self._commands: dict[str, Command] = {}
        self._subscriptions: list[BusSubscription] = []
        self._inbox: asyncio.Queue[Message] = asyncio.Queue(maxsize=_MAX_PENDING)
        self._tasks: list[asyncio.Task[None]] = []
        self._beaten_at: float | None = None
        self._rejoin_at: float | None = None
        self._restored: Registration | None = None
        self.info: dict[str, Any] = {}

    def on(self, name: str, command: Command) -> None:
        """Do something when a node says this word.

        Args:
            name: The word.
            command: Takes what was said with it.
        """
        self._commands[name] = command

    async def start(self) -> None:
        """Join the other nodes."""
        bus = self._cable.bus
        self._inbox, self._beaten_at = asyncio.Queue(maxsize=_MAX_PENDING), None
        self._rejoin_at = None
        for stream in (_NODES, _NODE + bus.node):
            self._subscriptions.append(await bus.subscribe(stream, self._listen))
        await self._beat()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._work()), loop.create_task(self._live())]
        self._restored = bus.on_restored(self._on_restored)

    async def stop(self) -> None:
        """Leave the other nodes."""
        if self._restored is not None:
            self._restored.close()
            self._restored = None
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
            self._tasks = []
        bus = self._cable.bus
        subscriptions, self._subscriptions = self._subscriptions, []
        if not bus.open:
            return
        try:
            for subscription in subscriptions:
                await subscription.close()
            if bus.membership is not None:
                await bus.membership.depart(bus.node)
        except BusError:
            _logger.warning("the node left without a word: the bus does not answer", exc_info=True)

    async def tell(self, name: str, said: Mapping[str, Any], *, node: str | None = None) -> None:
        """Say a word to every node, this one included, or to one.

        Args:
            name: The word.
            said: JSON values that go with it.
            node: The node's id; None for all.

        Raises:
            BusUnavailable: The bus does not answer; nobody else has heard it.
        """
        stream = _NODES if node is None else _NODE + node
        await self._cable.bus.publish(stream, dumps({"do": name, **said}))

    def _listen(self, message: Message | Discontinuity) -> None:
        if not isinstance(message, Message):
            return
        try:
            self._inbox.put_nowait(message)
        except asyncio.QueueFull:
            _logger.error("this node is told more than it can do; a command of node %s is lost", message.node)

    async def _work(self) -> None:
        while True:
            message = await self._inbox.get()
            try:
                said: Any = loads(message.data)
                command = self._commands.get(said["do"])
                if command is not None:
                    await command(said)
            except Exception:  # one bad command must not make this node deaf
                _logger.exception("a command of node %s failed", message.node)

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(self._beat_seconds)
            try:
                await self._beat()
                await self._bury()
            except BusError:
                _logger.debug("the node's lease was not renewed: the bus does not answer")
            except Exception:  # the heart must beat on
                _logger.exception("the node's lease could not be renewed")

    async def _beat(self) -> None:
        bus = self._cable.bus
        if bus.membership is None:
            return
        await bus.membership.beat(bus.node, self.info, ttl_seconds=self._lease_seconds)
        # Behind the call: it may have waited for the server until the lease was over.
        now = self._cable.monotonic()
        late = self._beaten_at is not None and now - self._beaten_at > self._lease_seconds
        if late or (self._rejoin_at is not None and now >= self._rejoin_at):
            # The others have thought this node dead, and buried whoever was on it. One that looked at the
            # leases before may still be at it: so once more, when nobody can be.
            await self._cable.rejoin()
            self._rejoin_at = now + self._lease_seconds if late else None
        self._beaten_at = now

    async def _bury(self) -> None:
        presence = self._cable.bus.presence
        if presence is not None:
            for gone in await presence.expire():
                await self._cable.departed(gone)

    def _on_restored(self) -> None:
        # The store may have come back empty; joining twice changes nothing.
        self._tasks.append(asyncio.get_running_loop().create_task(self._return()))

    async def _return(self) -> None:
        self._beaten_at = float("-inf")
        try:
            await self._beat()
        except BusError:
            _logger.debug("the node has not rejoined yet: the bus does not answer")
        finally:
            current = asyncio.current_task()
            self._tasks = [task for task in self._tasks if task is not current]
