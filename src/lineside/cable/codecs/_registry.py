"""Which protocols an endpoint speaks, and which of them a client gets."""

import time
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec

from lineside.cable._protocol._codec import Codec
from lineside.cable._protocol._errors import CableConfigurationError
from lineside.cable.codecs._json import MAX_BYTES, MAX_DEPTH
from lineside.cable.codecs.actioncable import ActionCableJSON
from lineside.cable.codecs.actioncable_ext import ActionCableExtJSON
from lineside.cable.codecs.gohub import GoHubJSON
from lineside.cable.codecs.gor import GorJSON
from lineside.cable.codecs.msgpack import ActionCableExtMsgpack, ActionCableMsgpack, GoHubMsgpack

__all__ = ["CodecRegistry", "standard_codecs"]


def standard_codecs(
    *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH, clock: Callable[[], float] = time.time
) -> tuple[Codec, ...]:
    """Return the codecs of lineside; those of MessagePack are among them when it is installed.

    Args:
        max_bytes: The longest frame that they read.
        max_depth: How deep a frame may nest.
        clock: Returns the seconds since 1970.

    Returns:
        GoHub's without a subprotocol first: the default for clients that ask for none.
    """
    codecs: tuple[Codec, ...] = (
        GoHubJSON(max_bytes=max_bytes, max_depth=max_depth, clock=clock),
        GoHubJSON("gohub-v1-json", max_bytes=max_bytes, max_depth=max_depth, clock=clock),
        ActionCableJSON(max_bytes=max_bytes, max_depth=max_depth),
        ActionCableExtJSON(max_bytes=max_bytes, max_depth=max_depth),
        GorJSON(max_bytes=max_bytes, max_depth=max_depth, clock=clock),
    )
    if find_spec("msgpack") is None:
        return codecs
    return (
        *codecs,
        ActionCableMsgpack(max_bytes=max_bytes, max_depth=max_depth),
        ActionCableExtMsgpack(max_bytes=max_bytes, max_depth=max_depth),
        GoHubMsgpack(max_bytes=max_bytes, max_depth=max_depth, clock=clock),
    )


class CodecRegistry:
    """The codecs of an endpoint.

    Args:
        codecs: What it speaks; None for `standard_codecs`.
        default: The name of the codec for clients that ask for no subprotocol; None for the first one.

    Attributes:
        default: That codec.
        names: The names of all, in their order.

    Raises:
        CableConfigurationError: There is no codec, two have one name or subprotocol, or none has the
            default's name.
    """

    __slots__ = ("_by_name", "_by_subprotocol", "default", "names")

    def __init__(self, codecs: Iterable[Codec] | None = None, *, default: str | None = None) -> None:
        self._by_name: dict[str, Codec] = {}
        self._by_subprotocol: dict[str, Codec] = {}
        for codec in standard_codecs() if codecs is None else codecs:
            self._add(codec)
        self.names: tuple[str, ...] = tuple(self._by_name)
        if not self.names:
            raise CableConfigurationError(
                "a CodecRegistry needs a codec; leave codecs out to get all of ours"
            )
        self.default: Codec = self.by_name(self.names[0] if default is None else default)

    def choose(self, offered: Sequence[str]) -> Codec | None:
        """Return the codec for a handshake (RFC 6455 section 4.2.2).

        Args:
            offered: The client's subprotocols, in its order; the first that is known wins. What it offers
                beside them, as a token or ``actioncable-unsupported``, is passed over.

        Returns:
            The default codec when nothing is offered, whose own subprotocol must not be answered then;
            None when nothing that is offered is known. Rails upgrades such a connection without
            a subprotocol, and the client closes it.
        """
        if not offered:
            return self.default
        for subprotocol in offered:
            codec = self._by_subprotocol.get(subprotocol)
            if codec is not None:
                return codec
        return None

    def by_name(self, name: str) -> Codec:
        """Return the codec that settings call by this name.

        Args:
            name: One of ``names``.

        Raises:
            CableConfigurationError: There is none; the message lists those there are.
        """
        codec = self._by_name.get(name)
        if codec is None:
            known = ", ".join(sorted(self._by_name))
            raise CableConfigurationError(f"there is no codec {name!r}; use one of: {known}")
        return codec

    def _add(self, codec: Codec) -> None:
        if codec.name in self._by_name:
            raise CableConfigurationError(f"two codecs are called {codec.name!r}; leave one out")
        self._by_name[codec.name] = codec
        if codec.subprotocol is None:
            return
        if codec.subprotocol in self._by_subprotocol:
            raise CableConfigurationError(f"two codecs speak {codec.subprotocol!r}; leave one out")
        self._by_subprotocol[codec.subprotocol] = codec
