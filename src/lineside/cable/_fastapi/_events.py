"""``GET /events``: the cable as Server-Sent Events."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request

from lineside.cable._channel._registry import ChannelRegistry
from lineside.cable._fastapi._endpoint import RouterEndpoint
from lineside.cable._fastapi._event_requests import EventsRequest, Wishes
from lineside.cable._fastapi._event_stream import CableEvents
from lineside.cable._fastapi._gate import Gate

__all__ = ["add_events"]

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Events, until the client goes"},
    401: {"description": "Nobody is authenticated"},
    403: {"description": "The page's origin or the subscription is refused"},
    503: {"description": "This node takes no connections"},
}
_Text = Annotated[str | None, Query(max_length=4_096)]


def add_events(router: APIRouter, endpoint: RouterEndpoint, gate: Gate, registry: ChannelRegistry) -> None:
    """Add the route.

    Args:
        router: The cable's router.
        endpoint: The cable's way in, with the seats of all its connections.
        gate: Lets clients in, as over a WebSocket.
        registry: The channels.
    """

    async def events(
        request: Request,
        channel: _Text = None,
        identifier: _Text = None,
        stream: _Text = None,
        signed_stream: _Text = None,
        turbo_signed_stream: _Text = None,
        channels: _Text = None,
        history_since: Annotated[float | None, Query(ge=0, allow_inf_nan=False)] = None,
        raw: bool = False,  # noqa: FBT001, FBT002 - a query parameter
    ) -> CableEvents:
        """Listen to channels and streams; ``Last-Event-ID`` goes on where a client was cut off."""
        wishes = Wishes(
            channel, identifier, stream, signed_stream, turbo_signed_stream, channels, history_since, raw
        )
        wanted = EventsRequest.of(wishes, request, registry)
        return CableEvents(endpoint, gate, wanted, headers=gate.cors_headers(request.scope))

    router.add_api_route(
        "/events",
        events,
        methods=["GET"],
        response_class=CableEvents,
        status_code=200,
        response_model=None,
        responses=_ANSWERS,
        summary="Listen by Server-Sent Events",
    )
