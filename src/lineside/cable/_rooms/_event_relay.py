"""Events for other nodes: only those that somebody there listens to, many in one message."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lineside.bus import BusError

if TYPE_CHECKING:
    from lineside.cable._cable import Cable

__all__ = ["EventRelay"]

_WANTED: Final = "events_wanted"
_EVENTS: Final = "events"
_MAX_PENDING: Final = 10_000
_MOST_AT_A_TIME: Final = 100
_REFRESH_SECONDS: Final = 5.0

_logger = logging.getLogger("lineside.cable")


@dataclass(frozen=True, slots=True)
class _Wants:
    version: int
    names: frozenset[str]

    def told(self) -> list[Any]:
        return [self.version, sorted(self.names)]


class EventRelay:
    """Knows what the other nodes listen to, and tells them that.

    What a node listens to stands in its lease, and is said to all when it changes. An event for another
    node is lost when that node, or the bus, is away: it is news, not a record.

    Args:
        cable: The cable.
        take: Takes an event of another node.

    Attributes:
        wanted_elsewhere: What any other node listens to.
    """

    def __init__(self, cable: "Cable", *, take: Callable[[Mapping[str, Any]], None]) -> None:
        self._cable = cable
        self._take = take
        self._own = _Wants(0, frozenset())
        self._others: dict[str, _Wants] = {}
        self._pending: deque[tuple[str, Mapping[str, Any]]] = deque()
        self._has_pending = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._asides: set[asyncio.Task[None]] = set()
        self._refreshed_at = float("-inf")
        self.wanted_elsewhere: frozenset[str] = frozenset()
        cable.cluster.on(_WANTED, self._learn)
        cable.cluster.on(_EVENTS, self._receive)

    def want(self, names: Iterable[str]) -> None:
        """Let the other nodes know what this one listens to.

        Args:
            names: The events' names.
        """
        self._own = _Wants(self._own.version + 1, frozenset(names))
        self._cable.cluster.info[_EVENTS] = self._own.told()
        if self._worker is not None:
            task = asyncio.get_running_loop().create_task(self._announce(hello=False))
            self._asides.add(task)
            task.add_done_callback(self._asides.discard)

    def send(self, name: str, event: Mapping[str, Any]) -> None:
        """Tell the nodes that listen to an event.

        Args:
            name: The event's name.
            event: JSON values.
        """
        if len(self._pending) >= _MAX_PENDING:
            _logger.error("events are not told to other nodes: too many wait; the oldest is lost")
            self._pending.popleft()
        self._pending.append((name, event))
        self._has_pending.set()

    async def start(self) -> None:
        """Learn what the others listen to, and say what this node does."""
        self._worker = asyncio.get_running_loop().create_task(self._work())
        await self.greet()

    async def greet(self) -> None:
        """Say what this node listens to, and ask the others for the same."""
        await self._announce(hello=True)

    async def stop(self, seconds: float) -> None:
        """Send what waits, then end.

        Args:
            seconds: How long that may take.
        """
        worker, self._worker = self._worker, None
        if worker is None:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._send_pending()
        except TimeoutError:
            _logger.error("%s events are not told to other nodes: the node ends", len(self._pending))
        ending = [worker, *self._asides]
        for task in ending:
            task.cancel()
        await asyncio.wait(ending)

    async def _announce(self, *, hello: bool) -> None:
        said = {"node": self._cable.bus.node, "wants": self._own.told(), "hello": hello}
        try:
            await self._cable.cluster.tell(_WANTED, said)
        except BusError:
            _logger.warning("the other nodes do not know yet which events this one listens to", exc_info=True)

    async def _learn(self, said: Mapping[str, Any]) -> None:
        node = str(said["node"])
        if node == self._cable.bus.node:
            return
        self._know(node, said["wants"])
        if said["hello"] and self._own.names:
            answer = {"node": self._cable.bus.node, "wants": self._own.told(), "hello": False}
            await self._cable.cluster.tell(_WANTED, answer, node=node)

    def _know(self, node: str, told: Any) -> None:
        wants = _Wants(int(told[0]), frozenset(map(str, told[1])))
        known = self._others.get(node)
        # A lease is up to a beat older than what was said meanwhile.
        if known is None or known.version < wants.version:
            self._others[node] = wants
            self._sum_up()

    def _sum_up(self) -> None:
        self.wanted_elsewhere = frozenset().union(*(wants.names for wants in self._others.values()))

    async def _receive(self, said: Mapping[str, Any]) -> None:
        for event in said["events"]:
            self._take(event)

    async def _work(self) -> None:
        while True:
            await self._has_pending.wait()
            await self._refresh()
            await self._send_pending()

    async def _send_pending(self) -> None:
        while self._pending:
            count = min(len(self._pending), _MOST_AT_A_TIME)
            batch = [self._pending.popleft() for _ in range(count)]
            for node, wants in list(self._others.items()):
                await self._send(node, [event for name, event in batch if name in wants.names])
        self._has_pending.clear()

    async def _send(self, node: str, events: Sequence[Mapping[str, Any]]) -> None:
        if not events:
            return
        try:
            await self._cable.cluster.tell(_EVENTS, {"events": events}, node=node)
        except BusError:
            _logger.warning("%s events are not told to node %s: the bus does not answer", len(events), node)
        except Exception:  # one event that cannot be written must not end the others
            _logger.exception("%s events are not told to node %s", len(events), node)

    async def _refresh(self) -> None:
        """Forget nodes that are gone, and learn from the leases what was said unheard."""
        membership, now = self._cable.bus.membership, self._cable.monotonic()
        if membership is None or now - self._refreshed_at < _REFRESH_SECONDS:
            return
        self._refreshed_at = now
        try:
            leases = await membership.nodes()
        except BusError:
            return  # what was known before is still the best guess
        alive = {lease.id: lease.info.get(_EVENTS) for lease in leases if lease.id != self._cable.bus.node}
        for node in self._others.keys() - alive.keys():
            del self._others[node]
        for node, told in alive.items():
            if isinstance(told, list):
                self._know(node, told)
        self._sum_up()
