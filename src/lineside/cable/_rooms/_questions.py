"""Asking another node and waiting for what it says: for what only the node of a connection can do."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from lineside.bus import BusUnavailable

if TYPE_CHECKING:
    from lineside.cable._cable import Cable

__all__ = ["Answerer", "Questions"]

Answerer = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Takes what was asked and returns the answer: JSON values both."""

_ANSWER: Final = "answer"
_MAX_RUNNING: Final = 1_000

_logger = logging.getLogger("lineside.cable")


class Questions:
    """Questions between the nodes of one cable.

    Args:
        cable: The cable.
        deadline_seconds: How long an answer may take.
    """

    def __init__(self, cable: "Cable", *, deadline_seconds: float = 5.0) -> None:
        self._cable = cable
        self._deadline_seconds = deadline_seconds
        self._open: dict[str, asyncio.Future[Mapping[str, Any]]] = {}
        self._running: set[asyncio.Task[None]] = set()
        cable.cluster.on(_ANSWER, self._answered)

    def on(self, name: str, answerer: Answerer) -> None:
        """Answer a question of other nodes.

        Args:
            name: The question's word.
            answerer: Answers it; an error is logged, and the asker is told that there was one.
        """

        async def begin(said: Mapping[str, Any]) -> None:
            if len(self._running) >= _MAX_RUNNING:
                _logger.error("this node is asked more than it can answer; a question %r is lost", name)
                return
            task = asyncio.get_running_loop().create_task(self._answer(answerer, said, name))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

        self._cable.cluster.on(name, begin)

    async def ask(self, node: str, name: str, said: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask a node, and return what it answers.

        Args:
            node: The node's id.
            name: The question's word.
            said: JSON values that go with it.

        Raises:
            BusUnavailable: There was no answer in time; whether the node has heard is unknown.
        """
        question = secrets.token_hex(8)
        answer = self._open[question] = asyncio.get_running_loop().create_future()
        try:
            await self._cable.cluster.tell(
                name, {**said, "question": question, "asker": self._cable.bus.node}, node=node
            )
            return await asyncio.wait_for(answer, self._deadline_seconds)
        except TimeoutError:
            raise BusUnavailable(
                f"node {node} did not answer {name!r} within {self._deadline_seconds} s; ask again"
            ) from None
        finally:
            del self._open[question]

    async def stop(self) -> None:
        """Answer nothing more."""
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _answer(self, answerer: Answerer, said: Mapping[str, Any], name: str) -> None:
        try:
            answer = {"answer": dict(await answerer(said))}
        except Exception:  # the asker must not wait for its deadline to learn this
            _logger.exception("the question %r of node %s failed", name, said["asker"])
            answer = {"answer": {"failed": True}}
        try:
            await self._cable.cluster.tell(
                _ANSWER, {"question": said["question"], **answer}, node=str(said["asker"])
            )
        except BusUnavailable:
            _logger.warning(
                "the answer to %r of node %s was not sent: the bus does not answer", name, said["asker"]
            )

    async def _answered(self, said: Mapping[str, Any]) -> None:
        waiting = self._open.get(said["question"])
        # A late answer finds nobody any more.
        if waiting is not None and not waiting.done():
            waiting.set_result(said["answer"])
