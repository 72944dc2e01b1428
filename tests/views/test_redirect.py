"""Redirects that stay on the site (T35, W14)."""

from urllib.parse import urljoin, urlsplit

import pytest
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient

from lineside.exceptions import UnsafeRedirectError
from lineside.problems import error_handlers
from lineside.views import redirect_to, safe_redirect_target

ALLOWED = {"accounts.example.com", "LOCALHOST:8000"}

HOSTILE = [
    "", " ", "//evil.com", "///evil.com", "////evil.com", "/\\evil.com", "\\\\evil.com", "\\/evil.com",
    "/\\/evil.com", "\\evil.com", "//\\evil.com", "/\t/evil.com", "/\n/evil.com", "/\r/evil.com",
    "\t//evil.com", " //evil.com", "/\x00/evil.com", "\x00//evil.com", "/\x0b/evil.com",
    "\u2028//evil.com", "\x85//evil.com", "http://evil.com", "https://evil.com", "HTTP://evil.com",
    "http:evil.com", "http:/evil.com", "http:///evil.com", "https:evil.com", "https:\\\\evil.com",
    "http:\\evil.com", "ftp://evil.com", "file:///etc/passwd", "javascript:alert(1)",
    "JavaScript:alert(1)", "java\nscript:alert(1)", "javascript://accounts.example.com/%0aalert(1)",
    "\x01javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "mailto:a@b.c",
    "blob:x", "evil.com", "evil.com/path", "www.evil.com", ".evil.com", "@evil.com", ":evil.com",
    "?next=//evil.com", "#x", "http://accounts.example.com@evil.com",
    "http://user:pass@accounts.example.com", "//accounts.example.com@evil.com",
    "http://accounts.example.com.evil.com", "http://accounts.example.com:81",
    "http://evil.com#accounts.example.com", "http://evil.com?accounts.example.com",
    "http://evil.com\\@accounts.example.com", "http://accounts.example.com\\.evil.com", "http://[::1]",
    "http://[", "http://\u0430ccounts.example.com", "http://accounts.example.com\u3002evil.com",
    "/\u2215evil.com", "\uff0f\uff0fevil.com", "/path\r\nSet-Cookie: a=b", "/path\nX: y", "/a b",
    "/\xe9", "http://localhost", "//localhost:8000", '/' + 'a' * 3000,
]  # fmt: skip
SAFE = [
    "/", "/posts", "/posts/1?tab=all#top", "/a//b", "/%2f%2fevil.com", "/@evil.com", "/http://evil.com",
    "/caf%C3%A9", "https://accounts.example.com/", "http://ACCOUNTS.example.com/x?y",
    "http://localhost:8000/back",
]  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE)
def test_a_target_that_may_leave_the_site_is_refused(url: str) -> None:
    """Every form gets the error, and the default from `safe_redirect_target`."""
    with pytest.raises(UnsafeRedirectError) as caught:
        redirect_to(url, allow_hosts=ALLOWED)
    assert len(url) < 8 or url not in str(caught.value)
    assert safe_redirect_target(url, "/home", allow_hosts=ALLOWED) == "/home"


def test_the_corpus_has_sixty_forms() -> None:
    """As many as the threat row asks."""
    assert len(set(HOSTILE)) >= 60


@pytest.mark.parametrize("url", SAFE)
def test_a_safe_target_is_sent_unchanged(url: str) -> None:
    """A path of ours or an allowed host; a browser ends up nowhere else."""
    response = redirect_to(url, allow_hosts=ALLOWED)
    assert response.headers["location"] == url
    assert response.status_code == 303
    landed = urlsplit(urljoin("https://ours.example/page", url)).netloc.lower()
    assert landed in {"ours.example", *(host.lower() for host in ALLOWED)}
    assert safe_redirect_target(url, allow_hosts=ALLOWED) == url


def test_no_host_is_allowed_unless_named() -> None:
    """Not even the one that the request came for."""
    with pytest.raises(UnsafeRedirectError, match="not in allow_hosts"):
        redirect_to("https://accounts.example.com/")


def test_no_target_means_the_default() -> None:
    """A login without `?next=` goes home."""
    assert safe_redirect_target(None) == "/"
    assert safe_redirect_target("", "/home") == "/home"


def test_an_unsafe_redirect_is_a_400_and_the_status_can_be_chosen() -> None:
    """Through a real app: the attacker's target is in no header."""
    app = FastAPI(exception_handlers=error_handlers())

    @app.post("/login")
    def login(next: str) -> Response:
        return redirect_to(next, status_code=302)

    client = TestClient(app, follow_redirects=False)
    assert client.post("/login", params={"next": "/me"}).headers["location"] == "/me"
    assert client.post("/login", params={"next": "/me"}).status_code == 302
    refused = client.post("/login", params={"next": "//evil.com"})
    assert refused.status_code == 400
    assert "location" not in refused.headers
