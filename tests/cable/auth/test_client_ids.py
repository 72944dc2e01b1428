"""Whose client id is whose (HUB-AUTH-10, WEAK-HUB-09: identity theft)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.cable import ClientIdRefused, ClientIds, Identity
from lineside.cable._auth._client_ids import is_guest_id, is_identity_id
from lineside.cable._protocol._identity import GUEST
from tests.cable.auth.scopes import websocket

ANN = Identity(id="ann")


def test_an_identity_has_its_own_id() -> None:
    """Whatever it asks for."""
    assert ClientIds().client_id(ANN, websocket()) == "ann"
    assert ClientIds().client_id(ANN, websocket(query="client_id=bob")) == "ann"


def test_a_guest_is_given_an_id_that_nobody_guesses() -> None:
    """Another one each time."""
    ids = {ClientIds().client_id(GUEST, websocket()) for _ in range(100)}
    assert len(ids) == 100
    assert all(each.startswith("guest-") and len(each) > 20 for each in ids)


@pytest.mark.parametrize("wish", ["ann", "guest-ann", "guest-x", "a~b.c_d", "7", "x" * 64])
def test_a_guest_asks_for_an_id_of_guests(wish: str) -> None:
    """WEAK-HUB-09: never for that of an identity, and not for one that another guest was given."""
    got = ClientIds().client_id(GUEST, websocket(query=f"client_id={wish}"))
    assert got == f"guest:{wish}"
    assert not is_identity_id(got)


def test_a_guest_comes_back_with_the_id_it_was_told() -> None:
    """The prefix does not grow."""
    assert ClientIds().client_id(GUEST, websocket(query="client_id=guest:bob")) == "guest:bob"
    assert ClientIds().client_id(GUEST, websocket(query="client_id=guest%3Abob")) == "guest:bob"


@pytest.mark.parametrize(
    "query",
    [
        "client_id=",
        "client_id=guest:",
        "client_id=a%20b",
        "client_id=a%0d%0ab",
        "client_id=%00",
        "client_id=a/b",
        "client_id=guest:guest:a",
        "client_id=%C3%A9",
        "client_id=" + "x" * 65,
        "client_id=a&client_id=b",
    ],
)
def test_a_wish_that_is_no_id_is_refused(query: str) -> None:
    """And told so, instead of getting another one in silence."""
    with pytest.raises(ClientIdRefused, match="1 to 64 letters"):
        ClientIds().client_id(GUEST, websocket(query=query))


def test_wishes_can_be_switched_off_and_renamed() -> None:
    """HUB-PROM-10: EnableQueryClientID and QueryClientIDParam."""
    assert ClientIds(asked=False).client_id(GUEST, websocket(query="client_id=a")).startswith("guest-")
    assert ClientIds(parameter="cid").client_id(GUEST, websocket(query="cid=a")) == "guest:a"


@pytest.mark.parametrize("own", ["", "guest-1", "guest:ann", "a\nb", "a\0", "x" * 256, "é" * 128])
def test_no_identity_has_an_id_of_guests(own: str) -> None:
    """Nor one that is empty, too long or unprintable: the app's user names can be anything."""
    with pytest.raises(ClientIdRefused):
        ClientIds().client_id(Identity(id=own), websocket())


def test_an_authenticated_client_without_an_id_is_given_one() -> None:
    """As AnyCable's tokens, which have identifiers only; it cannot ask for an identity's."""
    nameless = Identity(identifiers={"user": 1})
    assert ClientIds().client_id(nameless, websocket()).startswith("guest-")
    assert ClientIds().client_id(nameless, websocket(query="client_id=ann")) == "guest:ann"


def test_an_anonymous_identity_with_an_id_is_a_guest() -> None:
    """An app's own authentication cannot give a guest somebody's id by mistake."""
    assert is_guest_id(ClientIds().client_id(Identity(id="ann", anonymous=True), websocket()))


@given(st.text(max_size=80), st.text(max_size=80))
def test_guests_and_identities_never_share_an_id(own: str, wish: str) -> None:
    """For any two texts."""
    from urllib.parse import quote

    try:
        first = ClientIds().client_id(Identity(id=own), websocket())
        second = ClientIds().client_id(GUEST, websocket(query=f"client_id={quote(wish)}"))
    except ClientIdRefused:
        return
    assert first != second
