"""The sockets that a server listens on, opened before anything of the app starts."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Final

from lineside.exceptions import ConfigurationError

__all__ = ["listen"]

# Linux' own name for it, and its number where Python was built without the name (tcp(7)).
_TCP_USER_TIMEOUT: Final[int | None] = getattr(socket, "TCP_USER_TIMEOUT", None)


def listen(host: str, port: int, *, peer_timeout_seconds: float) -> list[socket.socket]:
    """Bind a name's addresses; "localhost" may stand for several, and each gets its socket.

    A server cannot drop a peer that never reads: whatever closes the connection waits for it to read
    first. The kernel can, when what it has sent stays unacknowledged (RFC 5482); accepted sockets inherit
    that from the listening one.

    Args:
        host: A name or an address.
        port: The port; 0 for a free one, the same for every address.
        peer_timeout_seconds: How long what was sent may stay unacknowledged before the kernel closes the
            connection; 0 for the kernel's own default of many minutes. Linux only.

    Returns:
        Sockets that are bound and not listening yet.

    Raises:
        ConfigurationError: Another process listens there, or the address is none of this machine.
    """
    with contextlib.ExitStack() as undo:
        sockets: list[socket.socket] = []
        try:
            for family, address in _addresses(host, port):
                if sockets:
                    address = (address[0], sockets[0].getsockname()[1], *address[2:])
                bound = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
                _prepare(bound, family, peer_timeout_seconds)
                bound.bind(address)
                sockets.append(bound)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {host} port {port}: {error.strerror}; stop what does, or choose another"
                " with --host and --port"
            ) from None
        undo.pop_all()
    return sockets


def _addresses(host: str, port: int) -> Iterator[tuple[socket.AddressFamily, Any]]:
    for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        yield family, address


def _prepare(bound: socket.socket, family: socket.AddressFamily, peer_timeout_seconds: float) -> None:
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if peer_timeout_seconds and _TCP_USER_TIMEOUT is not None:
        bound.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, round(peer_timeout_seconds * 1000))
    # Worker processes are given it.
    bound.set_inheritable(True)
