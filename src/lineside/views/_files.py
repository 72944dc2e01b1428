"""Files to the client, and nothing but files of one folder."""

import re
import unicodedata
from mimetypes import guess_type
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from fastapi import Response
from fastapi.responses import FileResponse

from lineside.exceptions import UnsafePathError

__all__ = ["content_disposition", "resolve_inside", "send_data", "send_file"]

Disposition = Literal["attachment", "inline"]

_DENIED_SUFFIXES: Final = frozenset({".py", ".pyc", ".pyo", ".pyi", ".map", ".bak", ".orig", ".swp"})
"""Never sent: source code, source maps and what editors leave behind (ASVS 13.4.7)."""

# Characters that some system reads as a separator, a drive, a stream or nothing at all.
_ODD = re.compile(
    r"[\x00-\x1f\x7f\\:%~]|[\u2215\u2044\u29f8\uff0f\uff3c\u29f5\u2216\ufe68\u2024\u2025\u2026\uff0e]"
)
# What a browser may run in our origin when it is shown and not saved.
_ACTIVE: Final = frozenset({"text/html", "text/xml", "application/xml", "text/xsl", "text/javascript"})
_FALLBACK_NAME: Final = "download"


def resolve_inside(path: str | Path, root: str | Path) -> Path:
    """Find a regular file inside a folder, whatever the path tries.

    Args:
        path: The path below ``root``, usually from a request and already percent-decoded once.
        root: The folder; everything outside it does not exist.

    Returns:
        The absolute path, free of symbolic links.

    Raises:
        UnsafePathError: The path leads outside, is a hidden file, a link to elsewhere, source code,
            or there is no such file. The message is one and the same, so that nobody can probe.
    """
    text = str(path)
    parts = text.split("/")
    missing = UnsafePathError("no such file")
    if _ODD.search(text):
        raise missing
    # An empty part is an absolute path or "a//b"; a dot at either end is "..", a hidden file, or a name
    # that Windows takes for another one.
    if any(not part or part != part.strip(" .") for part in parts):
        raise missing
    try:
        base = Path(root).resolve(strict=True)
        found = base.joinpath(*parts).resolve(strict=True)
        inside = found.is_relative_to(base) and found.is_file()
    except (OSError, ValueError, RuntimeError):
        raise missing from None
    # Once more for the name behind a link: `photo.jpg -> .env` is inside, and still hidden.
    hidden = inside and any(part.startswith(".") for part in found.relative_to(base).parts)
    if not inside or hidden or {part.lower() for part in found.suffixes} & _DENIED_SUFFIXES:
        raise missing
    return found


def content_disposition(disposition: Disposition, filename: str) -> str:
    """Write a ``Content-Disposition`` header (RFC 6266, with the RFC 8187 form for non-ASCII names).

    Args:
        disposition: ``"attachment"`` saves the file, ``"inline"`` shows it.
        filename: The name to suggest. Folders, quotes and control characters in it are dropped.

    Returns:
        The header's value, ASCII only.
    """
    name = re.split(r"[/\\]", filename)[-1].encode("utf-8", "ignore").decode("utf-8")
    # Cc, Cf: line ends, and marks that make `exe.txt` read as `txt.exe`.
    name = "".join(char for char in name if unicodedata.category(char) not in ("Cc", "Cf", "Zl", "Zp"))
    name = name.strip(" .")[:255] or _FALLBACK_NAME
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    plain = re.sub(r'["\\%;]', "_", ascii_name).strip(" .") or _FALLBACK_NAME
    header = f'{disposition}; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"


def _headers(disposition: Disposition, filename: str, media_type: str) -> dict[str, str]:
    if disposition not in ("attachment", "inline"):
        raise ValueError("disposition must be 'attachment' or 'inline'")
    headers = {
        "Content-Disposition": content_disposition(disposition, filename),
        # Without it a browser may guess a type that runs.
        "X-Content-Type-Options": "nosniff",
    }
    kind = media_type.split(";")[0].strip().lower()
    # Whatever ends in +xml may hold scripts in the namespace of XHTML or SVG (WHATWG MIME, "XML MIME type").
    if disposition == "inline" and (kind in _ACTIVE or kind.endswith("+xml")):
        headers["Content-Security-Policy"] = "sandbox"
    return headers


def send_file(
    path: str | Path,
    *,
    root: str | Path,
    filename: str | None = None,
    disposition: Disposition = "attachment",
    media_type: str | None = None,
) -> FileResponse:
    """Send a file of a folder (as Rails' ``send_file``), with ranges, ETag and Last-Modified.

    Args:
        path: The path below ``root``; it may come from a request.
        root: The folder; nothing outside it is ever sent.
        filename: The name to suggest to the client; the file's own by default.
        disposition: ``"attachment"`` saves the file, ``"inline"`` shows it, active types in a sandbox.
        media_type: The type; guessed from the name by default.

    Returns:
        The response, to return from the action.

    Raises:
        UnsafePathError: There is no such file in the folder, or it is one that is never sent (404).
    """
    found = resolve_inside(path, root)
    kind = media_type or guess_type(found.name)[0] or "application/octet-stream"
    headers = _headers(disposition, filename or found.name, kind)
    return FileResponse(found, media_type=kind, headers=headers)


def send_data(
    data: bytes,
    *,
    filename: str,
    disposition: Disposition = "attachment",
    media_type: str | None = None,
) -> Response:
    """Send bytes as a file (as Rails' ``send_data``).

    Args:
        data: The whole content, already in memory.
        filename: The name to suggest to the client.
        disposition: ``"attachment"`` saves the file, ``"inline"`` shows it, active types in a sandbox.
        media_type: The type; guessed from the name by default.

    Returns:
        The response, to return from the action.
    """
    kind = media_type or guess_type(filename)[0] or "application/octet-stream"
    return Response(data, media_type=kind, headers=_headers(disposition, filename, kind))
