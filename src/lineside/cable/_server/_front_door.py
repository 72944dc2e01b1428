"""The way in: room, protocol and authentication, before a connection is taken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

from lineside.cable._auth._expiry import EXPIRED
from lineside.cable._auth._headers import Scope
from lineside.cable._auth._refusals import AccessRefused, TokenExpired
from lineside.cable._protocol._identity import Identity
from lineside.cable._server._handshake import (
    Admission,
    Admit,
    HandshakeRequest,
    Refused,
    offered_protocols,
    restored_session,
)

if TYPE_CHECKING:
    from lineside.cable._cable import Cable
    from lineside.cable._protocol._codec import Codec

__all__ = ["FrontDoor"]

_RETRY_SECONDS: Final = "2"
_UNAVAILABLE: Final = 1013  # "try again later", from IANA's registry of close codes

_logger = logging.getLogger("lineside.cable")

_T = TypeVar("_T")


class FrontDoor:
    """Lets the connections of a cable in, as long as there is room.

    Args:
        cable: The cable, started by whoever owns it.
        admit: Decides who comes in; called before the upgrade.
        handshake_seconds: How long it may take; 503 then.
    """

    __slots__ = ("_admit", "_handshake_seconds", "_seats", "cable")

    def __init__(self, cable: Cable, admit: Admit, *, handshake_seconds: float) -> None:
        self.cable: Cable = cable
        self._admit = admit
        self._handshake_seconds = handshake_seconds
        self._seats = 0

    async def admit(self, scope: Scope) -> Admission:
        """Let a connection in, which takes a seat: call `leave` when it has ended.

        Args:
            scope: Its ASGI scope.

        Raises:
            Refused: It is not let in; it has no seat.
        """
        offered = offered_protocols(scope)

        async def work() -> tuple[Codec, Identity]:
            codec = self.cable.codecs.choose(offered)
            if codec is None:
                self.cable.stats.refused("protocol")
                raise Refused(
                    400, f"none of the offered subprotocols is known; offer one of: {self._known()}"
                )
            return codec, await self._identity(scope, codec)

        codec, identity = await self._seated(work)
        subprotocol = codec.subprotocol if codec.subprotocol in offered else None
        return Admission(codec, identity, HandshakeRequest(scope), restored_session(scope), subprotocol)

    async def admit_request(self, scope: Scope, admit: Admit) -> Identity:
        """Let a connection over HTTP in, which takes a seat as well.

        Args:
            scope: Its ASGI scope.
            admit: Decides who comes in.

        Raises:
            Refused: It is not let in; it has no seat.
        """
        return await self._seated(lambda: self._authenticated(scope, admit))

    async def _seated(self, work: Callable[[], Awaitable[_T]]) -> _T:
        self._check_room()
        self._seats += 1
        try:
            async with asyncio.timeout(self._handshake_seconds):
                found = await work()
            # A drain may have begun meanwhile.
            self._check_accepting()
        except AccessRefused as refused:
            self.leave()
            _logger.info("a connection is refused: %s (%s)", refused.message, refused.detail)
            raise Refused.because(refused) from None
        except TimeoutError:
            self.leave()
            self.cable.stats.refused("slow")
            raise _unavailable("the authentication took too long; connect again later") from None
        except BaseException:
            self.leave()
            raise
        return found

    def leave(self) -> None:
        """Give up the seat of a connection that was let in and has ended."""
        self._seats -= 1

    async def _identity(self, scope: Scope, codec: Codec) -> Identity:
        try:
            return await self._authenticated(scope, self._admit)
        except TokenExpired:
            # Action Cable's clients cannot see the answer to a handshake: they would come back with the same
            # token for ever. AnyCable's fetch another one when a frame tells them.
            if codec.pings:
                return EXPIRED
            raise

    async def _authenticated(self, scope: Scope, admit: Admit) -> Identity:
        try:
            identity = await admit(scope)
        except (AccessRefused, Refused):
            self.cable.stats.auth_failures += 1
            raise
        self.cable.stats.auth_successes += not identity.anonymous
        return identity

    def _known(self) -> str:
        codecs = self.cable.codecs
        protocols = [codecs.by_name(name).subprotocol for name in codecs.names]
        return ", ".join(protocol for protocol in protocols if protocol is not None)

    def _check_room(self) -> None:
        self._check_accepting()
        if max(self._seats, len(self.cable.connections)) >= self.cable.limits.connections:
            self.cable.stats.refused("full")
            _logger.warning("a connection is refused: all %s are taken", self.cable.limits.connections)
            raise _unavailable("this node has no room for more connections; connect again later")

    def _check_accepting(self) -> None:
        if not self.cable.accepting:
            self.cable.stats.refused("draining")
            if not self.cable.running:
                _logger.warning(
                    "a connection is refused: the cable does not run; start the lifespan of the app that has "
                    "its router (a mounted app's is not started by itself; in tests `with TestClient(app):`)"
                )
            raise _unavailable("this node takes no connections now; connect again later")


def _unavailable(message: str) -> Refused:
    return Refused(503, message, close_code=_UNAVAILABLE, headers={"Retry-After": _RETRY_SECONDS})
