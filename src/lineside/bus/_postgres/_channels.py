"""Names of channels: a stream's name is data, so only digests of it are used.

The server looks through all channels of a connection for each notification, and a connection that is
made anew listens to them one by one: so a namespace has 64, however many streams there are.
"""

import hashlib
from functools import lru_cache
from typing import Final

__all__ = ["channel_of", "token_of"]

_CHANNELS: Final = 64


@lru_cache(maxsize=10_000)
def token_of(stream: str) -> str:
    """Return what stands for a stream in a notification.

    Args:
        stream: Its name.
    """
    return hashlib.sha256(stream.encode()).hexdigest()[:40]


@lru_cache(maxsize=10_000)
def channel_of(namespace: str, stream: str) -> str:
    """Return the channel that carries a stream.

    Args:
        namespace: The bus' namespace.
        stream: The stream's name.
    """
    space = hashlib.sha256(namespace.encode()).hexdigest()[:32]
    return f"lineside_bus_{space}_{int(token_of(stream), 16) % _CHANNELS}"
