"""A response that goes on for as long as a client listens: one connection of the cable, over HTTP."""

from collections.abc import Mapping, MutableMapping
from typing import Any

from fastapi import HTTPException, Response

from lineside.bus import Position
from lineside.cable._core._connection import Connection, State
from lineside.cable._core._replay import replay
from lineside.cable._core._serve import open_subscription
from lineside.cable._core._subscription import Subscription
from lineside.cable._fastapi._api_route import http_exception
from lineside.cable._fastapi._endpoint import RouterEndpoint
from lineside.cable._fastapi._event_requests import EventsRequest
from lineside.cable._fastapi._gate import Gate
from lineside.cable._fastapi._statuses import status_of
from lineside.cable._protocol._errors import RequestFailed
from lineside.cable._protocol._events import Confirmation, Rejection
from lineside.cable._protocol._frame import Frame
from lineside.cable._protocol._identity import Identity
from lineside.cable._server._handshake import HandshakeRequest, Refused
from lineside.cable._sse._codec import EventStreamCodec
from lineside.cable._sse._event_ids import write_event_id
from lineside.cable._sse._wire import EventStreamWire

__all__ = ["CableEvents"]


class CableEvents(Response):
    """Sends a client the events of its subscriptions.

    Args:
        endpoint: The cable's way in.
        gate: Tells who it is.
        wanted: What it subscribes to.
        headers: More headers of the answer.
    """

    media_type = "text/event-stream"

    def __init__(
        self, endpoint: RouterEndpoint, gate: Gate, wanted: EventsRequest, *, headers: Mapping[str, str]
    ) -> None:
        # What proxies would otherwise keep back: the headers are FastAPI's own for event streams.
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no", **headers})
        del self.headers["content-length"]
        self._cable = endpoint.cable
        self._endpoint = endpoint
        self._gate = gate
        self._wanted = wanted

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Serve the client until it goes, or is sent away."""
        try:
            identity = await self._endpoint.admit_request(scope, self._gate.admit_request)
        except Refused as refusal:
            raise http_exception(refusal) from refusal
        try:
            await self._serve(identity, scope, receive, send)
        finally:
            self._endpoint.leave()

    async def _serve(
        self, identity: Identity, scope: MutableMapping[str, Any], receive: Any, send: Any
    ) -> None:
        wanted = self._wanted
        codec = EventStreamCodec(gor=bool(wanted.names), raw=wanted.raw, names=wanted.names)
        wire = EventStreamWire(close_seconds=self._cable.limits.close_seconds)
        connection = self._cable.open(
            codec=codec,
            wire=wire,
            identity=identity,
            handshake=HandshakeRequest(scope),
            client_id=self._gate.client_ids.client_id(identity, scope),
        )
        try:
            await connection.start()
            # One that may not stay is told so in its stream, and subscribes to nothing.
            if connection.state is State.OPEN:
                await self._subscribe(connection, codec)
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await wire.run(send, _gone(receive))
        except OSError:
            return  # the client left while it was answered
        finally:
            await connection.closed()

    async def _subscribe(self, connection: Connection, codec: EventStreamCodec) -> None:
        refusals: list[RequestFailed] = []
        for identifier in self._wanted.identifiers:
            try:
                subscription = await open_subscription(connection, identifier)
            except RequestFailed as refusal:
                refusals.append(refusal)
                connection.send(Rejection(identifier, refusal.message, refusal.code))
            else:
                await self._confirm(connection, subscription, codec)
        if len(refusals) == len(self._wanted.identifiers):
            worst = refusals[0]
            raise HTTPException(status_of(worst), worst.message)

    async def _confirm(
        self, connection: Connection, subscription: Subscription, codec: EventStreamCodec
    ) -> None:
        streams = [each for each in subscription.attachments.values() if each.history and each.epoch]
        known = {name: at for name, at in self._wanted.positions.items() if name in subscription.attachments}
        # Until the replay is over a client that is cut off goes on from where it was.
        codec.positions.update(known)
        live = {each.stream: Position(each.epoch, each.floor) for each in streams}
        if write_event_id({**codec.positions, **live}) is None and live:
            raise HTTPException(422, "too many streams for one event stream; ask for them in several")
        connection.send(Confirmation(subscription.identifier))
        if self._wanted.history is not None:
            # Nobody reads before the answer has begun.
            await replay(subscription, self._wanted.history, paced=False)
        codec.positions.update(live)
        block = codec.position()
        if block is not None:
            connection.outbox.push(Frame(block))
        subscription.release()


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
