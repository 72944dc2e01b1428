"""uvicorn's HTTP, which gives up on clients that do not get their headers said."""

import asyncio
import logging
from typing import Any, Final

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from lineside.cli._server_config import ServerConfig

__all__ = ["PatientProtocol"]

_ANSWER: Final = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

_logger = logging.getLogger("lineside.server")


class PatientProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # chosen by what is installed
    """Closes a connection whose request is not complete up to its body in time.

    uvicorn itself waits for ever: a thousand clients that send a byte a minute take a thousand places.
    The time begins with the connection, and with the first byte of every further request; an idle
    connection between two requests is uvicorn's ``timeout_keep_alive``. A client that has begun to speak
    is answered 408 (RFC 9110 section 15.5.9).
    """

    config: ServerConfig
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    cycle: Any
    _header_timer: asyncio.TimerHandle | None = None
    _began = False
    _upgraded = False

    def connection_made(self, transport: Any) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._began = True
        super().data_received(data)
        if self._upgraded:
            return
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._stop_waiting()
        elif self._header_timer is None and not self.transport.is_closing():
            self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, *event: Any) -> None:
        """Hand the connection to the WebSocket class; its headers were said."""
        self._upgraded = True
        self._stop_waiting()
        upgrading: Any = super()
        upgrading.handle_websocket_upgrade(*event)

    def _wait_for_headers(self) -> None:
        if self.config.timeout_headers:
            self._header_timer = self.loop.call_later(self.config.timeout_headers, self._give_up)

    def _stop_waiting(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _give_up(self) -> None:
        self._header_timer = None
        if self.transport.is_closing():
            return
        _logger.info("a client did not send its headers in %s s; it is closed", self.config.timeout_headers)
        if self._began:
            self.transport.write(_ANSWER)
        self.transport.close()
