"""The WebSocket endpoint of a router: the cable's own, with the client ids that guests may ask for."""

from lineside.cable._auth._client_ids import ClientIds
from lineside.cable._cable import Cable
from lineside.cable._core._connection import Connection
from lineside.cable._fastapi._gate import Gate
from lineside.cable._protocol._wire import Wire
from lineside.cable.asgi import Admission, CableEndpoint

__all__ = ["RouterEndpoint"]


class RouterEndpoint(CableEndpoint):
    """An ASGI app for the WebSockets of a router.

    Args:
        cable: The cable.
        gate: Lets connections in.
    """

    __slots__ = ("_client_ids",)

    def __init__(self, cable: Cable, gate: Gate) -> None:
        super().__init__(cable, gate)
        self._client_ids: ClientIds = gate.client_ids

    def open(self, admission: Admission, wire: Wire) -> Connection:
        """Make the connection of one that was let in.

        Args:
            admission: What `admit` returned.
            wire: The way to its peer.
        """
        return self.cable.open(
            codec=admission.codec,
            wire=wire,
            identity=admission.identity,
            handshake=admission.handshake,
            client_id=self._client_ids.client_id(admission.identity, admission.handshake.scope),
        )
