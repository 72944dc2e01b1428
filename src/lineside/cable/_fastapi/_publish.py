"""Publishing over HTTP in AnyCable's format, so that its publishers in other languages work unchanged."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field

from lineside.cable._cable import Cable
from lineside.cable._core._subscription import check_stream
from lineside.cable._fastapi._api import MAX_BODY_BYTES
from lineside.cable._fastapi._api_key import APIGuards
from lineside.cable._fastapi._api_route import APIRouteOfCable
from lineside.cable._protocol._errors import ErrorCode, RequestFailed
from lineside.exceptions import InvalidJSONError
from lineside.strict_json import loads

__all__ = ["Command", "Publication", "add_publish"]

_MOST: Final = 1_000


class _Model(BaseModel):
    # Fields that newer publishers send are no reason to lose a message.
    model_config = ConfigDict(strict=True, extra="ignore")


class Meta(_Model):
    """What is said about a publication.

    Attributes:
        exclude_socket: The id of a session that is not sent it.
    """

    exclude_socket: str | None = None


class Publication(_Model):
    """A message for a stream.

    Attributes:
        stream: The stream's name.
        data: The message as JSON text.
        meta: More about it.
    """

    stream: str
    data: str
    meta: Meta | None = None


class Payload(_Model):
    """Whom a command is about.

    Attributes:
        identifier: The identifiers of connections, as a JSON object in a text.
        reconnect: Whether the clients may come back by themselves.
    """

    identifier: str
    reconnect: bool = True


class Command(_Model):
    """An order for connections."""

    command: Literal["disconnect"]
    payload: Payload


_Batch = Annotated[list[Publication | Command], Field(max_length=_MOST)]


def add_publish(router: APIRouter, cable: Cable, guards: APIGuards) -> None:
    """Add ``POST /_broadcast``, and ``POST /api/publish`` which is the same.

    Args:
        router: The cable's router.
        cable: The cable.
        guards: What stands in front of them.
    """

    async def publish(body: Annotated[Publication | Command | _Batch, Body()]) -> None:
        """Publish one message or several, in their order.

        Nothing is published when one of them is malformed. When the bus fails (503) those before may have
        been published.
        """
        orders = [_checked(cable, each) for each in (body if isinstance(body, list) else [body])]
        for each, value in orders:
            if isinstance(each, Command):
                await cable.disconnect(value, reconnect=each.payload.reconnect)
            else:
                exclude = None if each.meta is None else each.meta.exclude_socket
                await cable.broadcast(each.stream, value, exclude=exclude)

    published = APIRouter(route_class=APIRouteOfCable, max_body_size=MAX_BODY_BYTES)
    for path, guard in (("/_broadcast", guards.publish), ("/api/publish", guards.api)):
        published.add_api_route(
            path,
            publish,
            methods=["POST"],
            status_code=201,
            dependencies=[guard],
            responses={401: {"description": "The key is missing or another one"}},
            summary="Publish, as AnyCable",
        )
    router.include_router(published)


def _checked(cable: Cable, order: Publication | Command) -> tuple[Publication | Command, Any]:
    if isinstance(order, Command):
        found = _read(order.payload.identifier, "payload.identifier")
        if not isinstance(found, dict) or not found:
            raise _malformed("payload.identifier is a JSON object that is not empty, as a text")
        return order, found
    check_stream(order.stream, max_bytes=cable.limits.name_bytes)
    return order, _read(order.data, "data")


def _read(text: str, name: str) -> Any:
    try:
        return loads(text)
    except InvalidJSONError as error:
        raise _malformed(f"{name} is JSON in a text: {error.message}") from None


def _malformed(message: str) -> RequestFailed:
    return RequestFailed(ErrorCode.INVALID_FORMAT, message)
