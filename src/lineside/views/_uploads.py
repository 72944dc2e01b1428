"""Uploads to disk: a name of ours, a limit while writing, nothing left behind."""

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio.to_thread
from fastapi import UploadFile

from lineside.exceptions import PayloadTooLargeError

__all__ = ["SavedUpload", "save_upload"]

_CHUNK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class SavedUpload:
    """An upload that is on disk.

    Attributes:
        path: Where it is; the name is random and has no extension.
        name: The client's file name, for display only. It may be a lie, or a path.
        size: Its size in bytes.
        content_type: The type that the client claims.
    """

    path: Path
    name: str
    size: int
    content_type: str | None


async def save_upload(upload: UploadFile, root: str | Path, *, max_bytes: int) -> SavedUpload:
    """Write an upload into a folder, in chunks, under a random name.

    Starlette has spooled the parts by then: bound the request as well, with the route's or the
    app's ``max_body_size``.

    Args:
        upload: The file, as FastAPI injects it.
        root: An existing folder, which no web server should serve.
        max_bytes: The largest size accepted.

    Returns:
        Where the file is and what the client said about it.

    Raises:
        PayloadTooLargeError: The upload is larger (413); nothing is left on disk.
        OSError: The disk is full or the folder is missing; nothing is left on disk.
    """
    path = Path(root) / secrets.token_hex(16)
    size = 0
    try:
        # "x": never follow a link or replace a file that is already there. 0o600: ours alone.
        async with await anyio.open_file(path, "xb", opener=_private) as target:
            while chunk := await upload.read(_CHUNK_BYTES):
                size += len(chunk)
                if size > max_bytes:
                    raise PayloadTooLargeError(limit=max_bytes, what="the uploaded file")
                await target.write(chunk)
    except BaseException:
        # A cancelled request too: the clean-up must not be interrupted by the same cancellation.
        with anyio.CancelScope(shield=True), contextlib.suppress(OSError):
            await anyio.to_thread.run_sync(path.unlink)
        raise
    return SavedUpload(path=path, name=upload.filename or "", size=size, content_type=upload.content_type)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
