"""Django Channels: a consumer in a group, over its layer in memory."""

from typing import Any

import django
from django.conf import settings

settings.configure(CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}})
django.setup()

from channels.generic.websocket import AsyncJsonWebsocketConsumer  # noqa: E402 - needs the settings
from channels.routing import ProtocolTypeRouter  # noqa: E402

from benchmarks._cable_servers._serving import serve  # noqa: E402


class Lobby(AsyncJsonWebsocketConsumer):
    """One client in the group."""

    async def connect(self) -> None:
        """Join the group."""
        await self.channel_layer.group_add("lobby", self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        """Leave the group."""
        await self.channel_layer.group_discard("lobby", self.channel_name)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Send a client's message to everybody."""
        await self.channel_layer.group_send("lobby", {"type": "said", "content": content})

    async def said(self, event: dict[str, Any]) -> None:
        """Send this client what somebody said."""
        await self.send_json(event["content"])


if __name__ == "__main__":
    serve(ProtocolTypeRouter({"websocket": Lobby.as_asgi()}))
