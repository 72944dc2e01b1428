"""Which Host headers an app answers to."""

import pytest

from lineside.exceptions import ConfigurationError
from lineside.instrumentation._hosts import AllowedHosts

ALLOWED = [
    "example.com",
    "*.apps.example",
    "api.example:8443",
    "10.0.0.1",
    "[::1]",
    "[2001:db8::1]:80",
    "*.dev.example:3000",
]


@pytest.mark.parametrize(
    "header",
    [
        "example.com",
        "EXAMPLE.com",
        "example.com:8000",
        "example.com.",
        "example.com.:443",
        "a.apps.example",
        "a.b.APPS.example:1",
        "api.example:8443",
        "10.0.0.1",
        "10.0.0.1:80",
        "[::1]",
        "[::1]:8000",
        "[0:0:0:0:0:0:0:1]",
        "[2001:DB8:0::1]:80",
        "x.dev.example:3000",
    ],
)
def test_the_hosts_of_the_app_are_allowed(header: str) -> None:
    """Names, addresses and domains match in any case, with and without port; twice as once."""
    hosts = AllowedHosts(ALLOWED)
    assert hosts.allow(header.encode())
    assert hosts.allow(header.encode())


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        "evil.example",
        "evilexample.com",
        "example.com.evil.example",
        "sub.example.com",
        "apps.example",
        ".apps.example",
        "a..apps.example",
        "evil.example#.apps.example",
        "evil.example/.apps.example",
        "evil.example:80.apps.example",
        "evil.example\\.apps.example",
        "user@example.com",
        "example.com@evil.example",
        "example.com:",
        "example.com:http",
        "example.com:99999",
        "example.com:80:80",
        "example.com, evil.example",
        "example.com evil.example",
        "example.com\r\nX: y",
        "example.com\0",
        "\texample.com",
        "http://example.com",
        "api.example",
        "api.example:80",
        "10.0.0.2",
        "0x0a.0.0.1",
        "[::2]",
        "::1",
        "[::1",
        "[::1].",
        "[::g]",
        "[:::]",
        "[1.2.3.4]",
        "[2001:db8::1]",
        "[2001:db8::1]:81",
        "[::ffff:10.0.0.1]",
        "x.dev.example",
        "x.dev.example:3001",
        "-a.apps.example",
        "ex\u00e4mple.com",
        "\uff45xample.com",
        "a" * 10_000 + ".apps.example",
    ],
)
def test_any_other_host_is_refused(header: str) -> None:
    """T36: foreign hosts and everything that two readers could read in two ways are refused."""
    assert not AllowedHosts(ALLOWED).allow(header.encode())


def test_a_star_allows_any_well_formed_host() -> None:
    """With a star any host will do, but nonsense will not."""
    hosts = AllowedHosts(["*"])
    assert hosts.allow(b"anything.example:1")
    assert not hosts.allow(b"evil.example/path")


@pytest.mark.parametrize(
    "pattern", ["", "a b", "exa*mple.com", "*example.com", "http://a", "*.[::1]", "a:x", "ä.example", "*."]
)
def test_an_impossible_pattern_is_refused(pattern: str) -> None:
    """A pattern that would never match is an error where it is written."""
    with pytest.raises(ConfigurationError, match="is no host"):
        AllowedHosts(["example.com", pattern])


def test_a_list_is_needed() -> None:
    """A bare string would be a list of letters, and an empty list would allow nobody."""
    with pytest.raises(ConfigurationError, match="takes a list"):
        AllowedHosts("example.com")
    with pytest.raises(ConfigurationError, match="empty"):
        AllowedHosts([])


def test_hosts_seen_do_not_fill_the_memory() -> None:
    """Of many subdomains only some are remembered, and all are allowed."""
    hosts = AllowedHosts(["*.example.com"])
    assert all(hosts.allow(f"a{number}.example.com".encode()) for number in range(2_000))
    assert len(hosts._seen) <= 256


def test_a_hostile_header_is_read_quickly() -> None:
    """Long headers of hyphens and dots, made to confuse a pattern, cost next to nothing."""
    hosts = AllowedHosts(["*.example.com"])
    for header in ("-" * 260, "a-" * 130, "a." * 130, "a" * 259 + "!"):
        for _ in range(2_000):
            assert not hosts.allow(header.encode())
