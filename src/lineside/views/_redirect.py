"""Redirects that stay on the site."""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from fastapi.responses import RedirectResponse

from lineside.exceptions import UnsafeRedirectError

__all__ = ["redirect_to", "safe_redirect_target"]

_MAX_URL_CHARS = 2_048
# Browsers drop tab and newline and read a backslash as a slash (WHATWG URL, "basic URL parser"), so
# a target with any of them is not the one that we looked at. Spaces and non-ASCII belong escaped.
_UNSAFE = re.compile(r"[^\x21-\x7e]|\\")


def _refusal(url: str, allow_hosts: Collection[str]) -> str | None:
    """Say why a browser might leave the site for this target; None when it cannot."""
    if not url or len(url) > _MAX_URL_CHARS:
        return f"it must have 1 to {_MAX_URL_CHARS} characters"
    if _UNSAFE.search(url):
        return "it contains a backslash, a space, a control or a non-ASCII character; percent-encode it"
    if url.startswith("/") and not url.startswith("//"):
        return None
    try:
        parts = urlsplit(url)
        host = parts.netloc.lower()
    except ValueError:
        return "it is no URL"
    if parts.scheme.lower() not in ("http", "https") or not url.lower().startswith(
        f"{parts.scheme.lower()}://"
    ):
        return "it must begin with one slash"
    # A user name is part of `host` here, so `allowed.com@evil.com` is no allowed host.
    if host not in {allowed.lower() for allowed in allow_hosts}:
        return f"the host {host!r} is not in allow_hosts"
    return None


def redirect_to(url: str, *, status_code: int = 303, allow_hosts: Collection[str] = ()) -> RedirectResponse:
    """Redirect to a path of this site, or to a host that is allowed by name.

    Args:
        url: A path that begins with one slash, or an ``http(s)`` URL of an allowed host.
        status_code: 303 See Other by default, which turns a POST into a GET (RFC 9110 section 15.4.4).
        allow_hosts: Hosts that may be left for, with the port when it is not the scheme's own:
            ``{"accounts.example.com", "localhost:8000"}``.

    Returns:
        The response, to return from the action.

    Raises:
        UnsafeRedirectError: The target may lead elsewhere or run a script (400).
    """
    reason = _refusal(url, allow_hosts)
    if reason is not None:
        # The target itself stays out of the message: it is the attacker's text.
        raise UnsafeRedirectError(f"unsafe redirect target: {reason}")
    return RedirectResponse(url, status_code=status_code)


def safe_redirect_target(url: str | None, default: str = "/", *, allow_hosts: Collection[str] = ()) -> str:
    """Return a target that came from outside, such as ``?next=``, or the default when it is unsafe.

    Args:
        url: The target; None or empty gives the default.
        default: The path to use instead.
        allow_hosts: As for :func:`redirect_to`.

    Returns:
        A target that :func:`redirect_to` accepts, provided that the default is one.
    """
    return default if not url or _refusal(url, allow_hosts) is not None else url
