"""Tickets over HTTP: asked for with a token, good once, soon, from one origin, on every node."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from lineside.bus.memory import MemoryBackend, MemoryBroker
from lineside.cable import AnonymousRights, JWTAuthentication
from lineside.cable.fastapi import CableRouter, cable_router
from tests.cable.fastapi.apps import Site, app_with, site
from tests.cable.fastapi.event_source import listening
from tests.cable.fastapi.test_authentication import Me, User

pytestmark = pytest.mark.anyio
SECRET = "a secret that is long enough for HS256"
PAGE, OTHER = "https://app.example.com", "https://evil.example.com"


def token(*, seconds: float = 60) -> str:
    ends = datetime.now(UTC) + timedelta(seconds=seconds)
    return jwt.encode({"sub": "ann", "exp": ends, "permissions": ["join:room"]}, SECRET, algorithm="HS256")


def router(**more: Any) -> CableRouter:
    authenticate = JWTAuthentication(SECRET, leeway_seconds=0)
    return cable_router([Me], **{"authenticate": authenticate, "secret": SECRET, "origins": [PAGE], **more})


async def ticket(served: Site, *, origin: str = PAGE, **headers: str) -> str:
    sent = {"Authorization": f"Bearer {token()}", "Origin": origin, **headers}
    answer = await served.http.post("/cable/ticket", headers=sent)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.json()["expires_in"] == 30
    return str(answer.json()["ticket"])


async def who(served: Site, query: str, origin: str | None = PAGE) -> Any:
    async with served.client(f"/cable?{query}", origin=origin) as client:
        await client.subscribe("Me")
        return (await client.next())["message"]


async def test_a_page_connects_with_a_ticket_instead_of_a_token() -> None:
    """It is who the token says, with its rights."""
    async with site(app_with(router())) as served:
        me = await who(served, f"ticket={await ticket(served)}")
        assert (me["id"], me["may"], me["guest"]) == ("ann", ["join:room"], False)


async def test_a_ticket_lets_one_connection_in() -> None:
    """Found in a log, it opens nothing; of many who use it at once, one is let in."""
    async with site(app_with(router())) as served:
        query = f"ticket={await ticket(served)}"
        results = await asyncio.gather(*(who(served, query) for _ in range(5)), return_exceptions=True)
        assert sum(isinstance(each, dict) for each in results) == 1
        assert (await served.refusal(f"/cable?{query}", origin=PAGE))[0] == 403


async def test_a_ticket_is_good_for_the_origin_that_asked() -> None:
    """Another page cannot use it, though it may connect as well."""
    async with site(app_with(router(origins=[PAGE, OTHER]))) as served:
        query = f"/cable?ticket={await ticket(served)}"
        assert (await served.refusal(query, origin=OTHER))[0] == 403
        assert (await served.refusal(query, origin=PAGE))[0] == 403


async def test_a_ticket_is_redeemed_on_another_node() -> None:
    """It waits on the bus."""
    broker = MemoryBroker()
    one, two = (router(bus=MemoryBackend(broker)) for _ in range(2))
    async with site(app_with(one)) as here, site(app_with(two)) as there:
        assert (await who(there, f"ticket={await ticket(here)}"))["id"] == "ann"


async def test_an_event_stream_connects_with_a_ticket() -> None:
    """From another origin with the header of that, and from its own without one, as browsers send it."""
    async with site(app_with(router())) as served:
        for headers in ({"Origin": PAGE}, {"Sec-Fetch-Site": "same-origin"}):
            query = f"channel=Me&ticket={await ticket(served)}"
            async with listening(served, query, headers=headers) as events:
                assert (await events.next()).type == "welcome"
                assert (await events.next()).data["message"]["id"] == "ann"
        query = f"/cable/events?channel=Me&ticket={await ticket(served)}"
        answer = await served.http.get(query, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403


async def test_nobody_gets_a_ticket_without_a_token() -> None:
    """Nor from another origin, with a token that has ended, or with another ticket."""
    async with site(app_with(router())) as served:
        got = await ticket(served)
        for path, headers, status in (
            ("", {"Origin": PAGE}, 401),
            (f"?ticket={got}", {"Origin": PAGE}, 401),
            ("", {"Origin": PAGE, "Authorization": f"Bearer {token(seconds=-5)}"}, 401),
            ("", {"Origin": OTHER, "Authorization": f"Bearer {token()}"}, 403),
            ("", {"Origin": "null", "Authorization": f"Bearer {token()}"}, 403),
        ):
            answer = await served.http.post(f"/cable/ticket{path}", headers=headers)
            assert answer.status_code == status, (path, headers, answer.text)
        assert (await who(served, f"ticket={got}"))["id"] == "ann"


async def test_a_forged_ticket_is_refused_also_where_guests_are_let_in() -> None:
    """It is never taken for no ticket, and several are none."""
    async with site(app_with(router(anonymous=AnonymousRights([])))) as served:
        got = await ticket(served)
        for query in ("ticket=", "ticket=forged", f"ticket={got}x", f"ticket={got}&ticket={got}"):
            assert (await served.refusal(f"/cable?{query}", origin=PAGE))[0] == 403


async def test_a_connection_by_ticket_ends_with_the_token_that_asked_for_it() -> None:
    """A ticket makes no token last longer."""
    async with site(app_with(router())) as served:
        sent = {"Authorization": f"Bearer {token(seconds=2)}", "Origin": PAGE}
        got = (await served.http.post("/cable/ticket", headers=sent)).json()["ticket"]
        async with served.client(f"/cable?ticket={got}", origin=PAGE) as client:
            assert (await client.next())["reason"] == "token_expired"


async def test_a_ticket_stands_for_what_an_apps_own_dependency_says() -> None:
    """The dependency is not asked again: the ticket comes instead of what it reads."""
    asked: list[str] = []

    async def by_header() -> User:
        asked.append("asked")
        return User(7)

    async with site(app_with(router(authenticate=by_header))) as served:
        got = await ticket(served)
        assert (await who(served, f"ticket={got}"))["id"] == "7"
        assert asked == ["asked"]


async def test_there_are_no_tickets_without_a_secret() -> None:
    """And the parameter means nothing then."""
    async with site(app_with(router(secret=None, anonymous=AnonymousRights([])))) as served:
        assert (await served.http.post("/cable/ticket", headers={"Origin": PAGE})).status_code == 404
        assert (await who(served, "ticket=whatever"))["guest"]


async def test_no_log_has_a_ticket(caplog: pytest.LogCaptureFixture) -> None:
    """Neither one that was good nor one that was refused."""
    caplog.set_level(logging.DEBUG, logger="lineside")
    async with site(app_with(router())) as served:
        got = await ticket(served)
        await who(served, f"ticket={got}")
        await served.refusal(f"/cable?ticket={got}", origin=PAGE)
        assert got not in "\n".join(each.getMessage() for each in caplog.records if "lineside" in each.name)
