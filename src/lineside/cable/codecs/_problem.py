"""Why a frame cannot be read: raised by whatever reads a part of it, caught by the codec."""

from typing import Final

__all__ = ["INVALID_FORMAT", "INVALID_MESSAGE_ID", "TOO_LARGE", "FrameError"]

INVALID_FORMAT: Final = 1001
INVALID_MESSAGE_ID: Final = 1002
TOO_LARGE: Final = 4002


class FrameError(Exception):
    """A frame breaks the rules of its protocol; it never leaves a codec.

    Args:
        message: What is wrong and what to send instead, for the client to read. Nothing in it comes
            from the frame but what strict reading has let through.
        code: One of GoHub's error codes, as in `Malformed`.
    """

    def __init__(self, message: str, code: int = INVALID_FORMAT) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
