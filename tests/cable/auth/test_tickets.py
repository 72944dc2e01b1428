"""One-time tickets instead of tokens in query strings (T3)."""

import asyncio

import pytest

from lineside.cable import (
    CloseCode,
    Identity,
    InvalidTicket,
    JWTAuthentication,
    MemoryTickets,
    MissingToken,
    Tickets,
)
from lineside.cable._auth._ticket_authentication import TicketAuthentication
from lineside.cable._auth._tickets import TicketStoreFull
from lineside.signing import Signer
from tests.cable.auth.scopes import Clock, http, websocket

pytestmark = pytest.mark.anyio
SECRET = "an example secret of 32 bytes or more"
PAGE = "https://app.example.com"
ANN = Identity(
    id="ann", user=object(), identifiers={"user": 7}, permissions=frozenset({"send:message"}), expires_at=99.5
)


def tickets(clock: Clock | None = None, store: MemoryTickets | None = None) -> Tickets:
    clock = clock or Clock()
    return Tickets(Signer([SECRET], clock=clock), store or MemoryTickets(clock=clock))


async def test_a_ticket_stands_for_an_identity() -> None:
    """With its rights and its expiry; the app's own user object is not kept."""
    counter = tickets()
    identity = await counter.redeem(await counter.issue(ANN, origin=PAGE), origin=PAGE)
    assert identity == Identity(
        id="ann", identifiers={"user": 7}, permissions=frozenset({"send:message"}), expires_at=99.5
    )


async def test_a_ticket_is_good_once() -> None:
    """Found in a log, it opens nothing."""
    counter = tickets()
    ticket = await counter.issue(ANN, origin=PAGE)
    await counter.redeem(ticket, origin=PAGE)
    with pytest.raises(InvalidTicket) as caught:
        await counter.redeem(ticket, origin=PAGE)
    assert caught.value.status_hint == 403
    assert caught.value.close_code == CloseCode.FORBIDDEN
    assert ticket not in repr(vars(caught.value)) + str(caught.value)


async def test_of_many_who_redeem_a_ticket_at_once_one_gets_in() -> None:
    """The store decides."""
    counter = tickets()
    ticket = await counter.issue(ANN, origin=PAGE)
    results = await asyncio.gather(
        *(counter.redeem(ticket, origin=PAGE) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(result, Identity) for result in results) == 1
    assert sum(isinstance(result, InvalidTicket) for result in results) == 19


@pytest.mark.parametrize("origin", ["https://evil.example", "https://app.example.com:8443", None, ""])
async def test_a_ticket_is_good_from_one_origin(origin: str | None) -> None:
    """From another one it is used up, since it has been stolen."""
    counter = tickets()
    ticket = await counter.issue(ANN, origin=PAGE)
    with pytest.raises(InvalidTicket):
        await counter.redeem(ticket, origin=origin)
    with pytest.raises(InvalidTicket):
        await counter.redeem(ticket, origin=PAGE)


async def test_a_native_clients_ticket_is_for_native_clients() -> None:
    """No page can use it."""
    counter = tickets()
    assert (await counter.redeem(await counter.issue(ANN, origin=None), origin=None)).id == "ann"
    with pytest.raises(InvalidTicket):
        await counter.redeem(await counter.issue(ANN, origin=None), origin=PAGE)


async def test_a_ticket_ends_after_30_seconds() -> None:
    """By its signature, and by the store."""
    clock = Clock()
    counter = tickets(clock)
    early, late = await counter.issue(ANN, origin=PAGE), await counter.issue(ANN, origin=PAGE)
    clock.now += 29.9
    await counter.redeem(early, origin=PAGE)
    clock.now += 0.2
    with pytest.raises(InvalidTicket) as caught:
        await counter.redeem(late, origin=PAGE)
    assert caught.value.detail == "the ticket is expired"


async def test_the_store_ends_a_ticket_too() -> None:
    """Whatever the clock of who signed it says."""
    clock = Clock()
    counter = Tickets(Signer([SECRET], clock=Clock()), MemoryTickets(clock=clock))
    ticket = await counter.issue(ANN, origin=PAGE)
    clock.now += 30
    with pytest.raises(InvalidTicket, match="Invalid ticket"):
        await counter.redeem(ticket, origin=PAGE)


async def test_a_ticket_names_nobody() -> None:
    """Whoever reads the log learns nothing from it."""
    ticket = await tickets().issue(ANN, origin=PAGE)
    assert "ann" not in ticket
    body = ticket.partition(".")[0]
    assert b"ann" not in __import__("base64").urlsafe_b64decode(body + "=" * (-len(body) % 4))


class NoStore:
    """A store that may not be asked."""

    async def put(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        """Refuse."""
        raise AssertionError(key)

    async def take(self, key: str) -> bytes | None:
        """Refuse."""
        raise AssertionError(key)


@pytest.mark.parametrize("ticket", ["", "x", "a.b", "ü.ü", "x" * 5_000])
async def test_a_made_up_ticket_never_reaches_the_store(ticket: str) -> None:
    """A flood of them costs a signature each."""
    counter = Tickets(Signer([SECRET]), NoStore())
    with pytest.raises(InvalidTicket):
        await counter.redeem(ticket, origin=PAGE)
    other = Signer([SECRET]).sign("name", purpose="session", expires_in=None)
    with pytest.raises(InvalidTicket):
        await counter.redeem(other, origin=PAGE)


async def test_the_memory_store_is_bounded() -> None:
    """What is over makes room; what is open does not."""
    clock = Clock()
    store = MemoryTickets(most=3, clock=clock)
    counter = tickets(clock, store)
    for _ in range(3):
        await counter.issue(ANN, origin=PAGE)
    with pytest.raises(TicketStoreFull) as caught:
        await counter.issue(ANN, origin=PAGE)
    assert caught.value.status_hint == 503
    clock.now += 30
    await counter.issue(ANN, origin=PAGE)
    assert store.open_count == 1


def test_a_ticket_has_a_time() -> None:
    """Zero seconds would be a ticket that nobody can use."""
    with pytest.raises(ValueError, match="positive"):
        Tickets(Signer([SECRET]), MemoryTickets(), ttl_seconds=0)


async def test_a_ticket_lets_in_once() -> None:
    """From the page that asked for it, as whom it was issued for; a good token does not help a bad ticket."""
    counter = Tickets(Signer([SECRET]), MemoryTickets())
    tokens = JWTAuthentication(SECRET)
    door = TicketAuthentication(counter, tokens)
    ticket = await counter.issue(ANN, origin=PAGE)
    scope = http(
        {"origin": PAGE, "authorization": f"Bearer {tokens.generate_token('bob')}"},
        query=f"channel=chat&ticket={ticket}",
    )
    assert (await door.authenticate(scope)).id == "ann"
    with pytest.raises(InvalidTicket):
        await door.authenticate(scope)


async def test_who_has_no_ticket_is_asked_for_a_token() -> None:
    """As if there were no tickets."""
    tokens = JWTAuthentication(SECRET)
    door = TicketAuthentication(tickets(), tokens)
    bearer = {"authorization": f"Bearer {tokens.generate_token('bob')}"}
    assert (await door.authenticate(websocket(bearer))).id == "bob"
    with pytest.raises(MissingToken):
        await door.authenticate(websocket())


async def test_several_tickets_or_origins_are_refused() -> None:
    """Even if one of them is good; and none of them is used up."""
    counter = tickets()
    door = TicketAuthentication(counter, JWTAuthentication(SECRET))
    ticket = await counter.issue(ANN, origin=PAGE)
    for scope in (
        websocket({"origin": PAGE}, query=f"ticket={ticket}&ticket={ticket}"),
        websocket([("origin", PAGE), ("origin", PAGE)], query=f"ticket={ticket}"),
    ):
        with pytest.raises(InvalidTicket):
            await door.authenticate(scope)
    assert (await door.authenticate(websocket({"origin": PAGE}, query=f"ticket={ticket}"))).id == "ann"


async def test_an_empty_ticket_is_no_missing_one() -> None:
    """A page that forgot to fill it in is told so."""
    with pytest.raises(InvalidTicket):
        await TicketAuthentication(tickets(), JWTAuthentication(SECRET)).authenticate(
            websocket(query="ticket=")
        )
