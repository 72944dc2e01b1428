"""An AsyncAPI 3 document of a cable's channels, made from their annotations."""

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote

from pydantic import TypeAdapter

from lineside.cable._channel._asyncapi_schemas import Schemas
from lineside.cable._channel._plan import ActionPlan, ChannelPlan
from lineside.cable._channel._registry import ChannelRegistry
from lineside.cable._protocol._codec import Codec

__all__ = ["asyncapi_document"]

_ODD: Final = re.compile(r"[^A-Za-z0-9_.-]")


def asyncapi_document(
    registry: ChannelRegistry,
    *,
    title: str,
    version: str,
    server_path: str,
    codecs: Iterable[Codec] = (),
    host: str = "localhost:8000",
    secure: bool = False,
) -> dict[str, Any]:
    """Describe a cable (https://www.asyncapi.com/docs/reference/specification/v3.0.0).

    Each channel is an AsyncAPI channel with the channel's name as its address. What a client sends is
    ``receive``, what the server sends is ``send``. The payloads are those of the channel: each subprotocol
    has its own envelope around them.

    Args:
        registry: The channels.
        title: The app's name.
        version: The app's version.
        server_path: Where clients connect: ``"/cable"``.
        codecs: The protocols that are spoken.
        host: Where the server is: name and port.
        secure: Clients connect by ``wss``.

    Returns:
        The document as a JSON value; the same channels always give the same one.

    Raises:
        CableConfigurationError: A type of a channel has no JSON schema.
    """
    keys = _keys(list(registry.plans))
    rooms = [_Described(keys[name], plan) for name, plan in registry.plans.items()]
    schemas = Schemas()
    for room in rooms:
        room.want(schemas)
    schemas.make()
    subprotocols = sorted({codec.subprotocol for codec in codecs if codec.subprotocol})
    channels = {room.key: room.channel(schemas, subprotocols) for room in rooms}
    operations: dict[str, Any] = {}
    for room in rooms:
        operations.update(room.operations())
    server = {"host": host, "pathname": server_path, "protocol": "wss" if secure else "ws"}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": version},
        "defaultContentType": "application/json",
        "servers": {"cable": server},
        "channels": channels,
        "operations": operations,
        "components": {"schemas": dict(sorted(schemas.components.items()))},
    }


def _keys(names: Sequence[str]) -> dict[str, str]:
    """Return a key for each name that is safe in references."""
    keys: dict[str, str] = {}
    for name in names:
        key = base = _ODD.sub("_", name)
        number = 2
        while key in keys.values():
            key, number = f"{base}_{number}", number + 1
        keys[name] = key
    return keys


class _Described:
    """One channel in the document."""

    def __init__(self, key: str, plan: ChannelPlan) -> None:
        self.key = key
        self._plan = plan
        self._sent = {_type_name(each): each for each in plan.channel.message_types}

    def want(self, schemas: Schemas) -> None:
        """Ask for every schema of the channel."""
        for action in (self._plan.subscribed, *self._plan.actions.values()):
            schemas.want(self._path(action), action.arguments.fields)
            schemas.want(self._path(action) + " data", action.arguments.whole)
            schemas.want(self._path(action) + " -> ...", action.answers, mode="serialization")
        for name, annotation in self._sent.items():
            schemas.want(f"{self.key} {name}", TypeAdapter(annotation), mode="serialization")

    def channel(self, schemas: Schemas, subprotocols: Sequence[str]) -> dict[str, Any]:
        """Return the channel object."""
        kind = self._plan.channel
        described: dict[str, Any] = {
            "address": kind.channel_name,
            "title": kind.__name__,
            **_description(kind),
            "servers": [{"$ref": "#/servers/cable"}],
            "messages": self._messages(schemas),
        }
        if subprotocols:
            header = {"type": "string", "enum": list(subprotocols)}
            headers = {"type": "object", "properties": {"Sec-WebSocket-Protocol": header}}
            described["bindings"] = {"ws": {"method": "GET", "headers": headers, "bindingVersion": "0.1.0"}}
        return described

    def _messages(self, schemas: Schemas) -> dict[str, Any]:
        subscribed = self._plan.subscribed
        identifier = schemas.fields(self._path(subscribed), subscribed.arguments)
        identifier = _with_constant(identifier, "channel", self._plan.channel.channel_name)
        messages: dict[str, Any] = {"subscribe": _message("subscribe", identifier)}
        for name, action in self._plan.actions.items():
            messages[f"perform.{name}"] = _message(name, self._payload(schemas, action))
            if action.answers is not None:
                answer = schemas.schema(self._path(action) + " -> ...", mode="serialization")
                messages[f"reply.{name}"] = _message(name, answer)
        for name in self._sent:
            sent = schemas.schema(f"{self.key} {name}", mode="serialization")
            messages[f"message.{name}"] = _message(name, sent)
        if not self._sent:
            messages["message"] = _message("message", {"description": "Any JSON value."})
        return messages

    def _payload(self, schemas: Schemas, action: ActionPlan) -> dict[str, Any]:
        fields = schemas.fields(self._path(action), action.arguments)
        # Action Cable's clients may leave this one out.
        payload = _with_constant(fields, "action", action.name, required=action.name != "receive")
        if action.arguments.whole is None:
            return payload
        return {"allOf": [payload, schemas.schema(self._path(action) + " data")]}

    def operations(self) -> dict[str, Any]:
        """Return the channel's operations: subscribing, each action, and what the server sends."""
        kind = self._plan.channel
        found = {f"{self.key}.subscribe": self._operation("receive", ["subscribe"], kind.subscribed)}
        for name, action in self._plan.actions.items():
            operation = self._operation("receive", [f"perform.{name}"], getattr(kind, name))
            if action.answers is not None:
                operation["reply"] = {"channel": self._ref(), "messages": [self._ref(f"reply.{name}")]}
            found[f"{self.key}.perform.{name}"] = operation
        sent = [f"message.{name}" for name in self._sent] or ["message"]
        found[f"{self.key}.send"] = self._operation("send", sent, None)
        return found

    def _operation(self, action: str, messages: Sequence[str], documented: object) -> dict[str, Any]:
        refs = [self._ref(message) for message in messages]
        return {"action": action, "channel": self._ref(), **_description(documented), "messages": refs}

    def _ref(self, message: str | None = None) -> dict[str, str]:
        channel = f"#/channels/{self.key}"
        return {"$ref": channel if message is None else f"{channel}/messages/{quote(message)}"}

    def _path(self, action: ActionPlan) -> str:
        return f"{self.key}.{action.name}"


def _message(name: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "payload": payload}


def _with_constant(schema: dict[str, Any], name: str, value: str, *, required: bool = True) -> dict[str, Any]:
    names = [name, *schema.get("required", ())] if required else list(schema.get("required", ()))
    properties = {name: {"type": "string", "const": value}, **schema["properties"]}
    return {**schema, "properties": properties, **({"required": names} if names else {})}


def _description(documented: object) -> dict[str, str]:
    own = getattr(documented, "__doc__", None) if documented is not None else None
    return {"description": inspect.cleandoc(own)} if own else {}


def _type_name(annotation: Any) -> str:
    return _ODD.sub("_", getattr(annotation, "__name__", None) or str(annotation))
