"""Reads everything that is appended to the log, by a position of its own.

The server's consumers are throw-away: whenever one is lost, silent or has left something out, another
begins behind the last message that was taken. So nothing comes twice, and nothing is left out unseen.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

from lineside.bus._backoff import Backoff
from lineside.bus._errors import BusUnavailable
from lineside.bus._message import HistoryLimits
from lineside.bus._nats._consumer import open_consumer
from lineside.bus._nats._gap import Gap
from lineside.bus._nats._jetstream import JetStream, Place, place_of
from lineside.bus._nats._log import LogState, NatsLog
from lineside.bus._nats._session import Delivery, Session
from lineside.bus._nats._subjects import Subjects
from lineside.bus._nats._way import Way

__all__ = ["NatsReader"]

_SILENCE_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.5
_CATCH_UP_SECONDS: Final = 2.0
_MAX_HELD: Final = 20_000

_logger = logging.getLogger("lineside.bus")


class NatsReader:
    """This node's way through the log.

    Args:
        jetstream: Asks the server.
        log: The log.
        gap: Tells which streams have lost messages in a hole of the log.
        deliver: Takes each message: its token, epoch, sequence and bytes.
        renewed: Is told that the log has another epoch, and the sequence it begins behind.

    Attributes:
        way: Where it is, and what it has read.
    """

    def __init__(
        self,
        jetstream: JetStream,
        log: NatsLog,
        gap: Gap,
        *,
        deliver: Callable[[str, str, int, bytes], None],
        renewed: Callable[[str, int], None],
    ) -> None:
        self.way = Way()
        self._jetstream = jetstream
        self._log = log
        self._gap = gap
        self._deliver = deliver
        self._renewed = renewed
        self._opening = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stale = asyncio.Event()
        self._session: Session | None = None
        self._stop: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._inbox = ""
        self._delivered = 0
        self._heard = 0.0
        self._held: deque[Delivery] | None = None
        self._other_epochs: set[str] = set()

    async def start(self) -> None:
        """Begin to read at the end of the log; a second call does nothing.

        Raises:
            BusUnavailable: JetStream does not answer.
        """
        if self._watch is not None:
            return
        async with self._opening:
            if self._watch is None:
                until = asyncio.get_running_loop().time() + self._jetstream.timeout_seconds
                await self._open(await self._jetstream.link.session(until=until))
                self._watch = asyncio.get_running_loop().create_task(self._keep_reading())

    async def resume(self, session: Session) -> None:
        """Go on over another connection, and take what was appended meanwhile.

        Args:
            session: The connection.
        """
        if self._watch is None:
            return
        async with self._opening:
            last = await self._open(session)
        # So that nobody else needs to look into the log for what comes anyway.
        if not await self.way.reach(last, timeout_seconds=_CATCH_UP_SECONDS):
            _logger.info("the log has more than can be read at once; it follows")

    async def stop(self) -> None:
        """Read no more."""
        self._leave()
        tasks = [*self._tasks, *([self._watch] if self._watch is not None else [])]
        self._watch = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _keep_reading(self) -> None:
        backoff, loop = Backoff(), asyncio.get_running_loop()
        while True:
            try:
                await asyncio.wait_for(self._stale.wait(), _LOOK_SECONDS)
            except TimeoutError:
                silent = self._held is None and loop.time() - self._heard > _SILENCE_SECONDS
                if not silent:
                    continue
            session = self._jetstream.link.current
            if session is None:  # the link resumes us when it is back
                self._stale.clear()
                self._heard = loop.time()
                continue
            try:
                async with self._opening:
                    await self._open(session)
                backoff.reset()
            except BusUnavailable as error:
                _logger.info("the log cannot be read yet: %s", error)
                await asyncio.sleep(backoff.next())
            except Exception:  # a reader that gave up would be a silent one
                _logger.exception("reading the log failed; trying on")
                await asyncio.sleep(backoff.next())

    async def _open(self, session: Session) -> int:
        self._leave()
        self._heard = asyncio.get_running_loop().time()
        self._log.forget()
        state = await self._log.ensure(HistoryLimits(), session)
        state = await self._settle_epoch(state, session)
        self._stale.clear()
        self._session, self._delivered, self._held = session, 0, None
        inbox = self._inbox = session.new_inbox()
        self._stop = await session.listen(inbox, lambda delivery: self._take(inbox, delivery))
        _, pending = await open_consumer(
            self._jetstream, session, self._log.name, inbox, first=self.way.position + 1
        )
        if not pending and state.last > self.way.position:
            # Nothing is left of what was appended meanwhile, so that no message will show the hole.
            self._held = deque()
            self._spawn(self._bridge(state.last, state.last_at))
        return state.last

    async def _settle_epoch(self, state: LogState, session: Session) -> LogState:
        way = self.way
        if not way.epoch:
            way.begin_at_end(state)
            return state
        if state.epoch == way.epoch:
            if state.last >= way.position:
                return state
            _logger.error("the log has lost messages that it had confirmed; its epoch changes")
            state = await self._log.renew(state.epoch, session)
        way.begin_at_start(state)
        self._renewed(way.epoch, way.position)
        return state

    def _leave(self) -> None:
        stop, self._stop = self._stop, None
        self._session, self._inbox = None, ""
        if stop is not None:
            self._spawn(stop())

    def _take(self, inbox: str, delivery: Delivery) -> None:
        if inbox != self._inbox:
            return
        self._heard = asyncio.get_running_loop().time()
        if self._held is None:
            self._look_at(delivery)
        elif len(self._held) < _MAX_HELD:
            self._held.append(delivery)
        else:
            self._begin_again()

    def _look_at(self, delivery: Delivery) -> None:
        if "Status" in delivery.headers:
            self._answer(delivery)
            return
        place = place_of(delivery.reply)
        if place is None:
            return
        if place.delivery != self._delivered + 1:
            self._begin_again()
        elif place.sequence > self.way.position + 1:
            self._held = deque([delivery])
            self._spawn(self._bridge(place.sequence - 1, place.stored_at))
        else:
            self._delivered = place.delivery
            self._accept(delivery, place)

    def _accept(self, delivery: Delivery, place: Place) -> None:
        token, epoch = Subjects.parts(delivery.subject)
        if epoch != self.way.epoch and epoch not in self._other_epochs:
            # An epoch that has gone, or one that another node has begun: look which.
            self._other_epochs.add(epoch)
            self._begin_again()
            return
        self.way.go(place.sequence, place.stored_at)
        if epoch == self.way.epoch:
            self.way.known.saw(token, place.sequence)
            self._deliver(token, epoch, place.sequence, delivery.data)

    def _answer(self, delivery: Delivery) -> None:
        # The server waits with more until this is answered: that is what bounds the pending messages.
        ask = delivery.reply or delivery.headers.get("Nats-Consumer-Stalled", "")
        if ask and self._session is not None:
            self._spawn(self._session.publish(ask, b""))
        last = delivery.headers.get("Nats-Last-Consumer", "")
        if last.isdecimal() and int(last) > self._delivered:
            self._begin_again()

    async def _bridge(self, until: int, at: float | None) -> None:
        inbox, session, way = self._inbox, self._session, self.way
        if session is None:
            return
        try:
            lost = await self._gap.lost_streams(
                session, way.epoch, way.position, taken_at=way.taken_at, at=at
            )
        except BusUnavailable as error:
            _logger.info("a hole of the log cannot be looked into yet: %s", error)
            self._begin_again()
            return
        if inbox != self._inbox or self._held is None:
            return
        way.leap(until)
        self._gap.tell(lost, way.epoch, until)
        held, self._held = self._held, None
        while held and inbox == self._inbox:
            self._look_at(held.popleft())
            if self._hold_back(held):  # the next hole
                return

    def _hold_back(self, deliveries: deque[Delivery]) -> bool:
        if self._held is None:
            return False
        self._held.extend(deliveries)
        return True

    def _begin_again(self) -> None:
        self._leave()
        self._held = None
        self._stale.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.info("the reader of the log was interrupted: %s", error)
            self._begin_again()
