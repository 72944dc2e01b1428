"""Who comes in: the origin, then the app's own authentication, before the upgrade."""

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol, runtime_checkable

from fastapi import Depends, WebSocketException, params
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException

from lineside.bus import BusUnavailable
from lineside.cable._auth._client_ids import ClientIds
from lineside.cable._auth._headers import Scope, query_values, single_header
from lineside.cable._auth._origins import OriginPolicy
from lineside.cable._auth._permissions import AnonymousRights
from lineside.cable._auth._rates import ConnectionRates, peer_key
from lineside.cable._auth._refusals import AccessRefused, MissingToken
from lineside.cable._auth._ticket_authentication import redeemed
from lineside.cable._auth._tickets import Tickets
from lineside.cable._fastapi._dependencies import Dependencies, call_of
from lineside.cable._fastapi._identities import IdentifiedBy, identity_for
from lineside.cable._protocol._identity import GUEST, Identity
from lineside.cable._server._handshake import Refused
from lineside.exceptions import LinesideError

__all__ = ["Authenticates", "Gate"]

_logger = logging.getLogger("lineside.cable")
_CLOSE_CODES = {401: 4401, 403: 4403, 409: 4409, 429: 4429}


@runtime_checkable
class Authenticates(Protocol):
    """What tells who comes without FastAPI: `JWTAuthentication`."""

    async def authenticate(self, scope: Scope) -> Identity:
        """Return who is behind a request, or raise an `AccessRefused`."""
        ...


class Gate:
    """Lets connections in (`lineside.cable.asgi.Admit`).

    Args:
        origins: From which pages.
        authenticate: Tells who comes: a dependency, or an object that authenticates; None for nobody.
        anonymous: What guests may do; None: where there is an authentication, they are not let in.
        identified_by: As for `identity_for`.
        client_ids: Gives guests their ids.
        rates: How often each peer may connect; None for as often as it likes.

    Attributes:
        client_ids: Gives guests their ids.
        call: The dependency that tells who comes; None where there is none.
        tickets: Redeems ``?ticket=``; None where there are no tickets.
    """

    def __init__(
        self,
        *,
        origins: OriginPolicy,
        authenticate: Any,
        anonymous: AnonymousRights | None,
        identified_by: IdentifiedBy | None,
        client_ids: ClientIds,
        rates: ConnectionRates | None = None,
    ) -> None:
        self.client_ids = client_ids
        self._origins = origins
        self._rates = rates
        self._scheme = authenticate if isinstance(authenticate, Authenticates) else None
        self._anonymous = anonymous
        self._identified_by = identified_by
        self.call: Callable[..., Any] | None = None
        if authenticate is not None and self._scheme is None:
            self.call = call_of(authenticate, argument="authenticate")
        self.tickets: Tickets | None = None
        self._own = self._bound("/", ())
        self._dependencies = self._own
        self._before: Dependencies | None = None

    def _bound(
        self, path: str, before: Sequence[params.Depends], *, authenticates: bool = True
    ) -> Dependencies | None:
        call = self.call if authenticates else None
        if call is None and not before:
            return None

        async def let_in() -> None:
            """Stand for the parameters of the handshake; it is never called."""

        if call is not None:
            user = inspect.Parameter(
                "user", inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[Any, Depends(call)]
            )
            setattr(let_in, "__signature__", inspect.Signature([user]))  # noqa: B010 - not declared
        return Dependencies(let_in, path=path, before=before)

    def bind(self, path: str, before: Sequence[params.Depends]) -> None:
        """Take the place where the router was included: its parameters and its dependencies.

        Args:
            path: The whole path of the WebSocket.
            before: What ``include_router(dependencies=...)`` was given, outermost first.
        """
        self._own = self._bound(path, ())
        self._dependencies = self._bound(path, before)
        self._before = self._bound(path, before, authenticates=False)

    async def __call__(self, scope: Scope) -> Identity:
        """Let a WebSocket in.

        Args:
            scope: Its ASGI scope.

        Raises:
            AccessRefused: It is not let in.
            Refused: The same, in the words of a dependency.
        """
        return await self._admit(scope, self._dependencies, before=self._before)

    async def admit_request(self, scope: Scope) -> Identity:
        """Let an HTTP request in whose route has resolved the including router's dependencies already.

        Args:
            scope: Its ASGI scope.

        Raises:
            AccessRefused: It is not let in.
            Refused: The same, in the words of a dependency.
        """
        return await self._admit(scope, self._own, before=None)

    async def admit_with_token(self, scope: Scope) -> Identity:
        """Let in who asks for a ticket; another ticket is not enough for that.

        Args:
            scope: As for `admit_request`.

        Raises:
            AccessRefused: It is not let in.
            Refused: The same, in the words of a dependency.
        """
        self._check(scope)
        return self._checked(await self._identity(scope, self._own), scope)

    def cors_headers(self, scope: Scope) -> dict[str, str]:
        """Return what lets a page of an allowed origin read an answer (the Fetch standard's CORS protocol).

        Args:
            scope: The ASGI scope of a request that was let in.
        """
        origin = single_header(scope, b"origin")
        if origin is None:
            return {}
        if self._origins.allows_all:
            return {"Access-Control-Allow-Origin": "*"}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Vary": "Origin",
        }

    async def _admit(
        self, scope: Scope, dependencies: Dependencies | None, *, before: Dependencies | None
    ) -> Identity:
        self._check(scope)
        identity = await self._by_ticket(scope, before)
        if identity is None:
            identity = await self._identity(scope, dependencies)
        return self._checked(identity, scope)

    def _check(self, scope: Scope) -> None:
        if self._rates is not None:
            self._rates.check(peer_key(scope))
        self._origins.check(scope)

    def _checked(self, identity: Identity, scope: Scope) -> Identity:
        # An id that nobody may have is refused now, and not when the connection stands.
        self.client_ids.client_id(identity, scope)
        return identity

    async def _by_ticket(self, scope: Scope, before: Dependencies | None) -> Identity | None:
        if self.tickets is None or not query_values(scope, "ticket"):
            return None
        await _resolved(before, scope)
        try:
            return await redeemed(self.tickets, scope)
        except BusUnavailable as error:
            raise _refused(503, "tickets cannot be redeemed now; ask for a new one later") from error

    async def _identity(self, scope: Scope, dependencies: Dependencies | None) -> Identity:
        user = await _resolved(dependencies, scope)
        if self._scheme is not None:
            try:
                return await self._scheme.authenticate(scope)
            except MissingToken:
                if self._anonymous is None:
                    raise
        elif self.call is not None:
            if user is not None:
                return identity_for(user, self._identified_by)
            if self._anonymous is None:
                raise MissingToken("the authentication knows nobody behind the request")
        return GUEST if self._anonymous is None else self._anonymous.guest()


async def _resolved(dependencies: Dependencies | None, scope: Scope) -> Any:
    """Return what the authentication gives; everything it opened is closed before the socket lives on."""
    if dependencies is None:
        return None
    try:
        async with dependencies.resolved(scope) as values:
            return values.get("user")
    except (Refused, AccessRefused):
        raise
    except StarletteHTTPException as refusal:
        raise _refused(refusal.status_code, refusal.detail, headers=refusal.headers) from refusal
    except WebSocketException as refusal:
        raise Refused(403, refusal.reason or "Forbidden", close_code=refusal.code) from refusal
    except RequestValidationError as invalid:
        raise _refused(422, _fields(invalid.errors())) from invalid
    except LinesideError as refusal:
        if not refusal.public:
            raise
        raise _refused(refusal.status_hint, refusal.message) from refusal


def _refused(status: int, detail: Any, *, headers: Mapping[str, str] | None = None) -> Refused:
    text = detail if isinstance(detail, str) else str(jsonable_encoder(detail))
    return Refused(status, text, close_code=_CLOSE_CODES.get(status, 4403), headers=headers)


def _fields(errors: Sequence[Any]) -> str:
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in errors)
