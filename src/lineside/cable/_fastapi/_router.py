"""The router of a cable: one line in an app."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from fastapi import APIRouter

from lineside.bus import Backend, Bus
from lineside.cable._auth._client_ids import ClientIds
from lineside.cable._auth._jwt import JWTAuthentication
from lineside.cable._auth._origins import OriginPolicy
from lineside.cable._auth._permissions import AnonymousRights
from lineside.cable._auth._rates import ConnectionRates
from lineside.cable._auth._signed_streams import SignedStreams
from lineside.cable._cable import Cable
from lineside.cable._channel._channel import Channel
from lineside.cable._channel._injection import NewAbility
from lineside.cable._channel._registry import ChannelRegistry, list_of_channels
from lineside.cable._channel._stream_channels import PublicStreams, stream_channels
from lineside.cable._fastapi._api import add_api
from lineside.cable._fastapi._api_key import guards_of
from lineside.cable._fastapi._asyncapi_page import add_asyncapi
from lineside.cable._fastapi._endpoint import RouterEndpoint
from lineside.cable._fastapi._events import add_events
from lineside.cable._fastapi._gate import Gate
from lineside.cable._fastapi._health import HEALTH, add_health
from lineside.cable._fastapi._identities import IdentifiedBy
from lineside.cable._fastapi._injection import Injection
from lineside.cable._fastapi._lifespan import CableLifespan
from lineside.cable._fastapi._publish import add_publish
from lineside.cable._fastapi._routes import add_sockets
from lineside.cable._fastapi._ticket import add_tickets
from lineside.cable._protocol._codec import Codec
from lineside.cable._protocol._errors import CableConfigurationError
from lineside.cable._protocol._identity import Identity
from lineside.cable._protocol._limits import CableLimits
from lineside.cable._protocol._ports import ConnectionPort
from lineside.cable._rooms._sdk import RefreshCheck
from lineside.cable.codecs import CodecRegistry, standard_codecs
from lineside.instrumentation import Metrics

__all__ = ["CableRouter", "cable_router"]


class CableRouter(APIRouter):
    """A router with a cable; made by `cable_router`.

    Attributes:
        cable: The cable: broadcast with it anywhere in the app.
    """

    cable: Cable


def cable_router(
    channels: Iterable[type[Channel]] = (),
    *,
    bus: str | Backend | Bus = "memory://",
    authenticate: Callable[..., Any] | JWTAuthentication | Any = None,
    anonymous: AnonymousRights | None = None,
    identified_by: IdentifiedBy | None = None,
    ability: NewAbility | None = None,
    origins: Sequence[str] | Literal["*"] | OriginPolicy | None = None,
    codecs: CodecRegistry | Iterable[Codec] | None = None,
    default_codec: str | None = None,
    limits: CableLimits | None = None,
    replace_sessions: bool = False,
    connects_per_second: float | None = None,
    connects_burst: int = 50,
    signed_streams: SignedStreams | None = None,
    public_streams: Sequence[str] = (),
    api_key: str | Sequence[str] | None = None,
    api_guard: Callable[..., Any] | None = None,
    secret: str | None = None,
    metrics: Metrics | None = None,
    name: str = "default",
) -> CableRouter:
    """Return a router that serves a cable: ``app.include_router(cable_router(...), prefix="/cable")``.

    The cable starts with the app and stops behind it. At the prefix itself is the WebSocket, below it
    ``/health`` and, for Server-Sent Events, ``/events``. ``/asyncapi`` describes the channels. The HTTP API
    (``/api/...``, ``/_broadcast``) is off unless it has a lock: ``api_key``, ``api_guard`` or ``secret``.

    Args:
        channels: What clients may subscribe to.
        bus: Carries messages between processes: a URL, a backend, or a `Bus` that somebody else connects.
        authenticate: Tells who connects, before the upgrade: any dependency of FastAPI that returns (or
            yields) a user or an `Identity`, None for nobody, and refuses with ``HTTPException``; or
            `JWTAuthentication`. What it opened is closed before the socket lives on. Without one everybody
            is a guest.
        anonymous: What guests may do. Where there is an authentication, nobody is let in without it
            unless this is given.
        identified_by: Makes the identifiers of a user, by which ``cable.disconnect`` finds connections (as
            Rails' ``identified_by``); default: ``{"user_id": user.id}``.
        ability: Makes the ability of a connection, for `Channel.authorize`.
        origins: From which pages browsers may connect: origins, ``"*"``, or an `OriginPolicy`; default: the
            app's own origin.
        codecs: The protocols that are spoken; default: all of ours.
        default_codec: The name of the one for clients that ask for none; default: ``"gohub"``.
        limits: The bounds; ``history`` among them.
        replace_sessions: A client that connects again ends its earlier connections, as GoHub; default: it
            has several.
        connects_per_second: How often one peer (an IPv4 address, or an IPv6 site's /64) may connect, on
            average; further attempts are answered 429. None for as often as it likes: behind a proxy every
            client is one peer unless the server takes its address from the proxy's headers.
        connects_burst: And how often at once.
        signed_streams: Clients may listen to streams whose names it has signed: AnyCable's ``$pubsub``, and
            Turbo's stream sources.
        public_streams: Clients may listen to these by name, with ``*`` for any text; default: to none.
        api_key: Turns the HTTP API on: ``Authorization: Bearer <key>``, at least 16 bytes; or several keys.
        api_guard: Turns it on, too: a dependency that refuses who may not, such as ``authorize_any``.
        secret: The app's secret, at least 32 bytes, as AnyCable's: it signs streams (unless
            ``signed_streams`` does), and the publishers' key is derived of it. It also turns ``POST /ticket``
            on: who is authenticated there gets a ticket, good for 30 seconds, once and from the same origin,
            with which a page that can set no header connects: ``?ticket=``. Its connection has the identity's
            id, identifiers and permissions, and no ``user``.
        metrics: Shows the cable's figures, with the cable's name as label.
        name: What the app calls the cable, where it has several.

    Raises:
        CableConfigurationError: A channel or a setting cannot be; the message says what to write.
    """
    limits = limits or CableLimits()
    gate = Gate(
        origins=_origins(origins, authenticate),
        authenticate=authenticate,
        anonymous=anonymous,
        identified_by=identified_by,
        client_ids=ClientIds(),
        rates=None if connects_per_second is None else ConnectionRates(connects_per_second, connects_burst),
    )
    if signed_streams is None and secret is not None:
        signed_streams = SignedStreams(secret)
    if signed_streams is not None or public_streams:
        built_in = stream_channels(signed_streams, PublicStreams(public_streams))
        channels = list_of_channels(channels) + list(built_in)
    inject = Injection(gate.call)
    registry = ChannelRegistry(channels, inject=inject, ability=ability, limits=limits)
    cable = Cable(
        registry,
        bus=bus,
        codecs=_codecs(codecs, default_codec, limits),
        limits=limits,
        replace_sessions=replace_sessions,
    )
    cable.messages.inject = inject
    if isinstance(authenticate, JWTAuthentication):
        cable.refresh = _refresh_by(authenticate)
    endpoint = RouterEndpoint(cable, gate)
    lifespan = CableLifespan(
        cable, name=name, metrics=metrics, gate=gate, endpoint=endpoint, marker=lambda: health, below=HEALTH
    )
    router = CableRouter(lifespan=lifespan, tags=["cable"])
    router.cable = cable
    add_sockets(router, endpoint, name=f"cable:{name}")
    health = add_health(router, cable)
    add_events(router, endpoint, gate, registry)
    add_asyncapi(router, cable, registry, lambda: lifespan.path)
    guards = guards_of(api_key, api_guard, secret)
    if secret is not None:
        add_tickets(router, cable, gate, secret)
    if guards is not None:
        add_api(router, cable, guards)
        add_publish(router, cable, guards)
    return router


def _origins(given: Sequence[str] | Literal["*"] | OriginPolicy | None, authenticate: Any) -> OriginPolicy:
    if isinstance(given, OriginPolicy):
        return given
    # Of a dependency nobody knows whether it reads a cookie, which every page's request would carry.
    cookies = authenticate is not None and not isinstance(authenticate, JWTAuthentication)
    return OriginPolicy(given, cookies=cookies)


def _refresh_by(tokens: JWTAuthentication) -> RefreshCheck:
    async def verify(_connection: ConnectionPort, token: str) -> Identity:
        return tokens.verify(token)

    return verify


def _codecs(
    given: CodecRegistry | Iterable[Codec] | None, default: str | None, limits: CableLimits
) -> CodecRegistry:
    if isinstance(given, CodecRegistry):
        if default is not None:
            raise CableConfigurationError("a CodecRegistry has its own default: CodecRegistry(default=...)")
        return given
    if given is None:
        given = standard_codecs(max_bytes=limits.frame_bytes, max_depth=limits.json_depth)
    return CodecRegistry(given, default=default)
