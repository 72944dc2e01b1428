"""``GET /events``: the cable as Server-Sent Events."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Query, Request

from lineside.cable._auth._refusals import AccessRefused
from lineside.cable._cable import Cable
from lineside.cable._fastapi._api_route import http_exception
from lineside.cable._fastapi._event_requests import EventsRequest, Wishes
from lineside.cable._fastapi._event_stream import CableEvents
from lineside.cable._fastapi._gate import Gate
from lineside.cable._handshake import Refused
from lineside.cable._identity import Identity
from lineside.cable._registry import ChannelRegistry

__all__ = ["add_events"]

_RETRY: Final = {"Retry-After": "2"}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Events, until the client goes"},
    401: {"description": "Nobody is authenticated"},
    403: {"description": "The page's origin or the subscription is refused"},
    503: {"description": "This node takes no connections"},
}
_Text = Annotated[str | None, Query(max_length=4_096)]


def add_events(router: APIRouter, cable: Cable, gate: Gate, registry: ChannelRegistry) -> None:
    """Add the route.

    Args:
        router: The cable's router.
        cable: The cable.
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
        _check_room(cable)
        identity = await _admitted(cable, gate, request)
        return CableEvents(
            cable,
            wanted,
            identity=identity,
            client_id=gate.client_ids.client_id(identity, request.scope),
            headers=gate.cors_headers(request.scope),
        )

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


def _check_room(cable: Cable) -> None:
    if not cable.accepting:
        raise HTTPException(503, "this node takes no connections now; connect again later", _RETRY)
    if len(cable.connections) >= cable.limits.connections:
        raise HTTPException(503, "this node has no room for more connections; connect again later", _RETRY)


async def _admitted(cable: Cable, gate: Gate, request: Request) -> Identity:
    try:
        identity = await gate.admit_request(request.scope)
    except (AccessRefused, Refused) as refusal:
        cable.stats.auth_failures += 1
        raise http_exception(refusal) from refusal
    cable.stats.auth_successes += 1
    return identity
