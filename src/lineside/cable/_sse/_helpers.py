"""The events of Gor's SSE server: one method for each."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lineside.bus import Published
from lineside.cable._rooms._direct import Delivery

if TYPE_CHECKING:
    from lineside.cable._cable import Cable

__all__ = ["ServerSentEvents"]


class ServerSentEvents:
    """Sends events with a name; browsers listen to them by ``addEventListener``.

    They travel as every message of a stream does: clients of other protocols get them too, GoHub's with
    the name as ``message_type``.

    Args:
        cable: The cable.
    """

    def __init__(self, cable: "Cable") -> None:
        self._cable = cable

    async def send(
        self, channel: str | None, event: str, data: Any, *, idempotency_key: str | None = None
    ) -> Published | None:
        """Send an event to everybody who listens to a channel (as Gor's ``BroadcastToChannel``).

        Args:
            channel: The stream's name; None for every client of all nodes (as Gor's ``BroadcastToAll``).
            event: The event's name.
            data: A JSON value.
            idempotency_key: A second event with this key within 5 minutes is not sent to the channel.

        Returns:
            Where it stands in the stream's log; None for every client, of which nothing is kept.
        """
        if channel is None:
            await self._cable.broadcast_all(data, type=event)
            return None
        return await self._cable.broadcast(channel, data, type=event, idempotency_key=idempotency_key)

    async def send_to(self, client_id: str, event: str, data: Any) -> Delivery:
        """Send an event to one client (as Gor's ``SendToClient``).

        Args:
            client_id: The client's id.
            event: The event's name.
            data: A JSON value.

        Returns:
            What became of it, as `Cable.send_to` says.
        """
        return await self._cable.send_to(client_id, data, type=event)

    async def data_update(
        self, channel: str | None, entity: str, action: str, data: Any = None
    ) -> Published | None:
        """Say that something was changed: ``data_update`` (as Gor's ``SendDataUpdate``).

        Args:
            channel: As for `send`.
            entity: What was changed: ``"posts"``.
            action: What was done to it: ``"create"``, ``"update"``, ``"delete"``.
            data: A JSON value: how it is now.
        """
        update = {"entity": entity, "action": action, "data": data, "time": self._time()}
        return await self.send(channel, "data_update", update)

    async def progress(
        self, channel: str | None, task_id: str, percent: float, message: str = ""
    ) -> Published | None:
        """Say how far a task is: ``progress`` (as Gor's ``SendProgress``).

        Args:
            channel: As for `send`.
            task_id: Names the task.
            percent: 0 to 100.
            message: What to show.
        """
        progress = {"taskID": task_id, "progress": percent, "message": message, "time": self._time()}
        return await self.send(channel, "progress", progress)

    async def notification(
        self, channel: str | None, title: str, message: str, level: str = "info"
    ) -> Published | None:
        """Show something to people: ``notification`` (as Gor's ``SendNotification``).

        Args:
            channel: As for `send`.
            title: The headline.
            message: The text.
            level: ``"info"``, ``"success"``, ``"warning"`` or ``"error"``.
        """
        shown = {"title": title, "message": message, "level": level, "time": self._time()}
        return await self.send(channel, "notification", shown)

    def _time(self) -> str:
        moment = datetime.fromtimestamp(self._cable.clock(), UTC)
        return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
