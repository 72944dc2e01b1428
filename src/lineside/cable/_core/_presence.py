"""Who is present on a stream, over all nodes: who they are is the server's word, never the client's."""

from collections.abc import Mapping, Sequence
from hashlib import blake2s
from typing import TYPE_CHECKING, Any, Final

from lineside.bus import BusError, Departed, Member
from lineside.cable._core._attachment import Attachment
from lineside.cable._protocol._events import PresenceInfo
from lineside.cable._protocol._message import KIND
from lineside.strict_json import dumps

if TYPE_CHECKING:
    from lineside.cable._cable import Cable
    from lineside.cable._core._connection import Connection
    from lineside.cable._core._subscription import Subscription

__all__ = ["CablePresence"]

_GROUP: Final = "presence:"
_UNAVAILABLE: Final = "presence is not available here"


class CablePresence:
    """Presence on the streams of one cable, as AnyCable's: one record per id, several sessions of it.

    Args:
        cable: The cable.
    """

    def __init__(self, cable: "Cable") -> None:
        self._cable = cable

    async def join(self, subscription: "Subscription") -> None:
        """Make a subscription's client present on the streams whose channel allows it.

        Args:
            subscription: A confirmed one.
        """
        allowed = [each for each in subscription.attachments.values() if each.presence is not None]
        if not allowed:
            self._refuse(subscription, "this channel has no presence for you")
            return
        for attachment in allowed:
            try:
                await self._join(subscription, attachment)
            except BusError:
                self._refuse(subscription, _UNAVAILABLE)
                return

    async def _join(self, subscription: "Subscription", attachment: Attachment) -> None:
        assert attachment.presence is not None
        member, info = str(attachment.presence["id"]), attachment.presence.get("info")
        # Before it is: a join that is given up half-way may have reached the store.
        subscription.presences.add(attachment.stream)
        joined = await self._cable.bus.require_presence().join(
            _GROUP + attachment.stream,
            member,
            _session(subscription),
            node=self._cable.bus.node,
            info={"info": info},
        )
        if joined.first:
            await self._announce(attachment.stream, "join", member, info)

    async def leave(self, subscription: "Subscription", stream: str, *, grace_seconds: float = 0.0) -> None:
        """End a subscription's presence on a stream; nothing happens when it has none.

        Args:
            subscription: The subscription.
            stream: The stream.
            grace_seconds: Wait for so long whether the client comes back.
        """
        if stream not in subscription.presences:
            return
        subscription.presences.discard(stream)
        attachment = subscription.attachments.get(stream)
        presence = None if attachment is None else attachment.presence
        if presence is None:
            return
        member = str(presence["id"])
        left = await self._cable.bus.require_presence().leave(
            _GROUP + stream, member, _session(subscription), grace_seconds=grace_seconds
        )
        if left.last:
            await self._announce_leave(stream, member, presence.get("info"))

    async def leave_all(self, subscription: "Subscription", *, grace_seconds: float = 0.0) -> None:
        """End a subscription's presence everywhere.

        Args:
            subscription: The subscription.
            grace_seconds: As for `leave`.
        """
        for stream in list(subscription.presences):
            await self.leave(subscription, stream, grace_seconds=grace_seconds)

    async def tell(
        self, subscription: "Subscription", *, records: bool, request_id: int | None = None
    ) -> None:
        """Tell a client who is present on its subscription's streams.

        Args:
            subscription: The subscription.
            records: Who, and not only how many.
            request_id: What the client called its request.
        """
        streams = [each.stream for each in subscription.attachments.values() if each.presence is not None]
        if not streams:
            self._refuse(subscription, "this channel has no presence for you", request_id)
            return
        try:
            members = {member.id: member for stream in streams for member in await self.members(stream)}
        except BusError:
            self._refuse(subscription, _UNAVAILABLE, request_id)
            return
        shown = [record(member) for member in members.values()] if records else None
        info = PresenceInfo(subscription.identifier, len(members), shown, request_id=request_id)
        subscription.connection.send(info)

    async def members(self, stream: str) -> Sequence[Member]:
        """Return who is present on a stream, on any node.

        Args:
            stream: The stream's name.

        Raises:
            BusUnavailable: The bus cannot tell.
            UnsupportedByBackendError: The bus has no presence.
        """
        return await self._cable.bus.require_presence().members(_GROUP + stream)

    async def departed(self, gone: Departed) -> None:
        """Tell a stream who has gone without a word.

        Args:
            gone: What the bus has dropped; that of other groups is ignored.
        """
        if gone.group.startswith(_GROUP):
            stream = gone.group.removeprefix(_GROUP)
            await self._announce_leave(stream, gone.member, gone.info.get("info"))

    async def rejoin(self, connections: Sequence["Connection"]) -> None:
        """Put back who is here, after this node was thought dead or the store was lost.

        Args:
            connections: Every connection of this node.
        """
        for connection in connections:
            for subscription in list(connection.subscriptions.values()):
                for stream in list(subscription.presences):
                    attachment = subscription.attachments.get(stream)
                    if attachment is not None and attachment.presence is not None:
                        await self._join(subscription, attachment)

    async def _announce_leave(self, stream: str, member: str, info: Any) -> None:
        await self._announce(stream, "leave", member, info)
        # Who came back meanwhile may have been announced before this: the last word must be true.
        back = await self._cable.bus.require_presence().member(_GROUP + stream, member)
        if back is not None:
            await self._announce(stream, "join", member, back.info.get("info"))

    async def _announce(self, stream: str, change: str, member: str, info: Any) -> None:
        bus = self._cable.bus
        data = dumps({"type": change, "id": member, "info": info})
        await bus.publish(stream, data, headers={KIND: "presence"})

    def _refuse(self, subscription: "Subscription", why: str, request_id: int | None = None) -> None:
        info = PresenceInfo(subscription.identifier, error=why, request_id=request_id)
        subscription.connection.send(info)


def record(member: Member) -> Mapping[str, Any]:
    """Return what is shown of a member: ``{"id", "info"}``."""
    return {"id": member.id, "info": member.info.get("info")}


def _session(subscription: "Subscription") -> str:
    # A connection may be present twice, by two subscriptions; an identifier is too long for a key.
    name = blake2s(subscription.identifier.encode(errors="replace"), digest_size=8).hexdigest()
    return f"{subscription.connection.id}.{name}"
