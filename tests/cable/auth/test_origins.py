"""From which pages browsers may connect (T1: cross-site WebSocket hijacking)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.cable import CableConfigurationError, CloseCode, ErrorCode, OriginPolicy, OriginRefused
from tests.cable.auth.scopes import http, websocket

OWN = "https://app.example.com"

FOREIGN = [
    "https://evil.example",
    "https://app.example.com.evil.example",
    "https://evil-app.example.com",
    "https://evilapp.example.com",
    "https://xapp.example.com",
    "https://example.com",
    "https://sub.app.example.com",
    "https://app.example.com.",
    "https://app.example.co",
    "https://app.example.comm",
    "https://app-example.com",
    "https://app.example.com:8443",
    "https://app.example.com:80",
    "https://app.example.com:0443x",
    "https://app.example.com:99999",
    "https://app.example.com:0",
    "https://app.example.com:",
    "http://app.example.com",
    "http://app.example.com:443",
    "ws://app.example.com",
    "wss://app.example.com",
    "https://user@app.example.com",
    "https://app.example.com@evil.example",
    "https://app.example.com/",
    "https://app.example.com/path",
    "https://app.example.com?x",
    "https://app.example.com#x",
    "https://app.example.com https://evil.example",
    "https://evil.example, https://app.example.com",
    " https://app.example.com",
    "https://app.example.com\t",
    "https://app.example.com\\.evil.example",
    "https://app%2eexample.com",
    "https://app..example.com",
    "https://.app.example.com",
    "https://\xe4pp.example.com",
    "https://xn--pp-xka.example.com",
    "https:app.example.com",
    "//app.example.com",
    "app.example.com",
    "null",
    "",
    "*",
    "file://",
    "https://",
    "javascript:alert(1)",
    "https://" + "a" * 400 + ".example.com",
]


@pytest.mark.parametrize("origin", FOREIGN)
def test_another_page_is_refused(origin: str) -> None:
    """By default whatever is not exactly the request's own scheme, host and port is refused."""
    with pytest.raises(OriginRefused) as caught:
        OriginPolicy().check(websocket({"origin": origin}))
    assert caught.value.status_hint == 403
    assert caught.value.code == ErrorCode.FORBIDDEN
    assert caught.value.close_code == CloseCode.FORBIDDEN
    assert not origin or origin not in str(caught.value)


@pytest.mark.parametrize(
    ("origin", "scheme", "host"),
    [
        ("https://app.example.com", "wss", "app.example.com"),
        ("https://app.example.com", "wss", "app.example.com:443"),
        ("https://app.example.com:443", "wss", "app.example.com"),
        ("https://app.example.com", "wss", "APP.Example.Com"),
        ("HTTPS://APP.EXAMPLE.COM", "wss", "app.example.com"),
        ("http://localhost:3000", "ws", "localhost:3000"),
        ("http://127.0.0.1", "ws", "127.0.0.1"),
        ("http://[::1]:8000", "ws", "[::1]:8000"),
        ("https://xn--bcher-kva.example", "wss", "xn--bcher-kva.example"),
        ("https://app.example.com.", "wss", "app.example.com."),
        ("https://my_app.example.com", "wss", "my_app.example.com"),
    ],
)
def test_the_own_page_is_allowed(origin: str, scheme: str, host: str) -> None:
    """Case and default ports are no difference."""
    OriginPolicy().check(websocket({"origin": origin}, scheme=scheme, host=host))


def test_a_request_without_a_host_has_no_own_origin() -> None:
    """Nothing is compared with nothing."""
    with pytest.raises(OriginRefused):
        OriginPolicy().check(websocket({"origin": OWN}, host=None))


@pytest.mark.parametrize(
    "host", ["app.example.com/x", "app.example.com x", "app.example.com@x", "", "app.example.com:"]
)
def test_a_host_that_is_none_is_nobodys_own(host: str) -> None:
    """A proxy may pass on what a client made up."""
    with pytest.raises(OriginRefused):
        OriginPolicy().check(websocket({"origin": OWN}, host=host))


def test_a_policy_shows_what_it_allows() -> None:
    """For a log line at the start."""
    assert repr(OriginPolicy()) == "OriginPolicy(None)"
    assert repr(OriginPolicy("*")) == "OriginPolicy('*')"
    shown = repr(OriginPolicy(["*.Example.com", "http://localhost:3000"]))
    assert shown == "OriginPolicy(['https://*.example.com', 'http://localhost:3000'])"


def test_two_hosts_or_two_origins_are_refused() -> None:
    """What two programs could read in two ways is not read at all."""
    with pytest.raises(OriginRefused):
        OriginPolicy().check(websocket([("host", "evil.example"), ("origin", OWN)]))
    with pytest.raises(OriginRefused):
        OriginPolicy().check(websocket([("origin", OWN), ("origin", "https://evil.example")]))
    with pytest.raises(OriginRefused):
        OriginPolicy().check(websocket([("origin", OWN), ("origin", OWN)]))


def test_cookies_without_an_origin_are_refused_on_a_websocket() -> None:
    """A browser always sends an Origin with a WebSocket; who sends only its cookies is none."""
    with pytest.raises(OriginRefused):
        OriginPolicy().check(websocket({"cookie": "session=1"}))


def test_a_native_client_needs_no_origin() -> None:
    """Without cookies there is nothing to be stolen by another page."""
    OriginPolicy().check(websocket())
    OriginPolicy([OWN]).check(websocket())


@pytest.mark.parametrize("site", [None, "same-origin", "none"])
def test_an_event_source_of_the_own_page_has_no_origin(site: str | None) -> None:
    """A GET to the own origin comes without one, with the cookies."""
    headers = {"cookie": "session=1"} | ({} if site is None else {"sec-fetch-site": site})
    OriginPolicy().check(http(headers))


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "same-origin, cross-site"])
def test_a_get_from_another_site_with_cookies_is_refused(site: str) -> None:
    """An image of another page carries cookies and no Origin; the browser says where it is from."""
    with pytest.raises(OriginRefused):
        OriginPolicy().check(http({"cookie": "session=1", "sec-fetch-site": site}))


def test_an_event_source_of_another_page_is_refused() -> None:
    """One that could read the stream has an Origin."""
    with pytest.raises(OriginRefused):
        OriginPolicy().check(http({"origin": "https://evil.example", "cookie": "session=1"}))
    OriginPolicy().check(http({"origin": OWN}))


def test_a_list_of_origins_is_the_whole_list() -> None:
    """The own origin belongs into it too."""
    policy = OriginPolicy(["https://web.example.com", "http://localhost:3000", "capacitor://localhost"])
    for origin in ("https://web.example.com", "http://localhost:3000", "capacitor://localhost"):
        policy.check(websocket({"origin": origin}))
    for origin in (OWN, "http://localhost", "http://localhost:3001", "capacitor://localhost:1", "null"):
        with pytest.raises(OriginRefused):
            policy.check(websocket({"origin": origin}))


@pytest.mark.parametrize("entry", ["https://*.example.com", "*.example.com", "https://*.EXAMPLE.com:443"])
def test_a_wildcard_allows_subdomains_of_any_depth(entry: str) -> None:
    """And neither the bare domain nor one that only ends like it."""
    policy = OriginPolicy([entry])
    for origin in ("https://a.example.com", "https://a.b.example.com", "https://A.Example.com:443"):
        policy.check(websocket({"origin": origin}))
    for origin in (
        "https://example.com",
        "https://evilexample.com",
        "https://a.example.com.evil.example",
        "https://a.example.com:8443",
        "http://a.example.com",
        "http://a.example.com:443",
        "https://.example.com",
        "https://*.example.com",
        "https://a.example.com.",
    ):
        with pytest.raises(OriginRefused):
            policy.check(websocket({"origin": origin}))


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "null",
        "https://",
        "https://example.com/",
        "https://example.com/path",
        "https://user@example.com",
        "https://ex*mple.com",
        "https://a.*.com",
        "*example.com",
        "https://*.com",
        "https://*.",
        "*.*",
        "https://*.com.",
        "https://b\xfccher.example",
        "example.com:port",
        "https://example.com:0",
        "https://example.com:65536",
        "https://" + "a" * 300,
    ],
)
def test_an_entry_that_is_no_origin_is_refused_at_start(entry: str) -> None:
    """A list that cannot match what was meant is a mistake of its author."""
    with pytest.raises(CableConfigurationError):
        OriginPolicy([entry])


def test_an_international_name_is_asked_for_in_the_form_browsers_send() -> None:
    """There is more than one way to convert it; browsers send the result."""
    with pytest.raises(CableConfigurationError, match="xn--"):
        OriginPolicy(["https://b\xfccher.example"])


def test_an_empty_list_is_a_mistake() -> None:
    """It would refuse every browser."""
    with pytest.raises(CableConfigurationError, match="empty list"):
        OriginPolicy([])


@pytest.mark.parametrize("allowed", ["*", ["*"], ["https://example.com", "*"]])
def test_every_origin_with_cookies_refuses_to_start(allowed: str | list[str]) -> None:
    """Every page of the web could act as its visitor."""
    with pytest.raises(CableConfigurationError, match="cookie"):
        OriginPolicy(allowed, cookies=True)  # type: ignore[arg-type]


def test_every_origin_can_be_allowed_where_tokens_authenticate() -> None:
    """Except ``null``, which says that the page hides where it is from."""
    policy = OriginPolicy("*")
    policy.check(websocket({"origin": "https://evil.example"}))
    with pytest.raises(OriginRefused):
        policy.check(websocket({"origin": "null"}))


PROXIED = {"origin": OWN, "x-forwarded-host": "app.example.com", "x-forwarded-proto": "https"}


def test_forwarded_hosts_are_ignored_unless_trusted() -> None:
    """Anybody can send the header; only a proxy that sets it makes it true."""
    scope = websocket(PROXIED, host="10.0.0.5:8000", scheme="ws")
    with pytest.raises(OriginRefused) as caught:
        OriginPolicy().check(scope)
    assert "trust_forwarded_host" in caught.value.detail
    OriginPolicy(trust_forwarded_host=True).check(scope)


def test_the_nearest_proxy_has_the_last_word() -> None:
    """What stands in front of it may be the client's own."""
    policy = OriginPolicy(trust_forwarded_host=True)
    headers = {**PROXIED, "x-forwarded-host": "evil.example, app.example.com"}
    policy.check(websocket(headers, host="10.0.0.5", scheme="ws"))
    with pytest.raises(OriginRefused):
        policy.check(websocket({**headers, "origin": "https://evil.example"}, host="10.0.0.5", scheme="ws"))


def test_a_trusting_policy_falls_back_to_the_host() -> None:
    """A health check from inside comes without the proxy's headers."""
    OriginPolicy(trust_forwarded_host=True).check(websocket({"origin": OWN}))


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=60))
def test_no_text_but_the_own_origin_is_allowed(text: str) -> None:
    """And none gives another error than a refusal."""
    try:
        OriginPolicy().check(websocket({"origin": text}))
    except OriginRefused:
        return
    assert text.lower().removesuffix(":443") == OWN
