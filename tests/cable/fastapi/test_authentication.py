"""Who comes in: the app's own dependency, tokens, guests, origins; and what is closed behind them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
from fastapi import Cookie, Depends, Header, HTTPException, Request, WebSocket
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from lineside.cable import AnonymousRights, CableConfigurationError, Channel, Identity, JWTAuthentication
from lineside.cable.fastapi import cable_router
from lineside.exceptions import AccessDeniedError
from tests.cable.fastapi.apps import Site, app_with, site

pytestmark = pytest.mark.anyio
SECRET = "a secret that is long enough for HS256"


@dataclass
class User:
    id: int
    permissions: list[str] = field(default_factory=list)


class Me(Channel):
    async def subscribed(self) -> None:
        self.allow("everybody may know who they are")
        identity = self.identity
        self.transmit(
            {
                "id": identity.id,
                "client": self.connection.client_id,
                "identifiers": dict(identity.identifiers),
                "may": sorted(identity.permissions),
                "guest": identity.anonymous,
            }
        )


async def by_cookie(session: Annotated[str | None, Cookie()] = None) -> User | None:
    if session == "stolen":
        raise HTTPException(403, "this session was stolen")
    return None if session is None else User(int(session), ["join:room", "unknown"])


def own_origin(served: Site) -> str:
    return f"http://127.0.0.1:{served.port}"


async def who(served: Site, path: str = "/cable", **options: Any) -> Any:
    async with served.client(path, **options) as client:
        await client.subscribe("Me")
        return (await client.next())["message"]


async def test_a_dependency_tells_who_connects() -> None:
    async with site(app_with(cable_router([Me], authenticate=by_cookie))) as served:
        found = await who(served, headers={"Cookie": "session=7"}, origin=own_origin(served))
    assert found == {
        "id": "7",
        "client": "7",
        "identifiers": {"user_id": 7},
        "may": ["join:room"],
        "guest": False,
    }


async def test_a_dependency_may_ask_for_the_request_as_fastapis_security_classes_do() -> None:
    bearer = HTTPBearer(auto_error=False)

    async def path_of(request: Request) -> str:
        return f"{request.method} {request.url.path}"

    async def by_token(
        socket: WebSocket,
        path: Annotated[str, Depends(path_of)],
        token: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> str | None:
        assert (path, socket.url.path) == ("GET /cable", "/cable")
        return None if token is None else token.credentials

    async with site(app_with(cable_router([Me], authenticate=by_token))) as served:
        assert (await who(served, headers={"Authorization": "Bearer ada"}))["id"] == "ada"
        assert (await served.refusal())[0] == 401


async def test_whom_the_dependency_does_not_know_is_refused_before_the_upgrade() -> None:
    async with site(app_with(cable_router([Me], authenticate=by_cookie))) as served:
        status, body = await served.refusal()
    assert (status, body["detail"]) == (401, "Unauthorized: Token required")


async def test_whom_the_dependency_refuses_gets_its_answer() -> None:
    async with site(app_with(cable_router([Me], authenticate=by_cookie))) as served:
        origin = own_origin(served)
        status, body = await served.refusal(headers={"Cookie": "session=stolen"}, origin=origin)
    assert (status, body["detail"]) == (403, "this session was stolen")


async def test_a_broken_header_is_the_clients_fault() -> None:
    async def by_number(x_user: Annotated[int, Header()]) -> User:
        return User(x_user)

    async with site(app_with(cable_router([Me], authenticate=by_number))) as served:
        status, body = await served.refusal(headers={"X-User": "seven"})
    assert status == 422
    assert "header.x-user" in body["detail"]


async def test_an_error_of_lineside_answers_with_its_own_status() -> None:
    async def nobody() -> User:
        raise AccessDeniedError("connect", "the cable")

    async with site(app_with(cable_router([Me], authenticate=nobody))) as served:
        assert (await served.refusal())[0] == 403


async def test_a_fault_of_the_dependency_is_an_error_of_the_server_and_says_nothing() -> None:
    async def broken() -> User:
        raise ZeroDivisionError("a secret of the app")

    async with site(app_with(cable_router([Me], authenticate=broken))) as served:
        status, body = await served.refusal()
    assert status == 500
    assert "secret" not in str(body)


async def test_what_a_dependency_opens_is_closed_before_the_socket_lives_on() -> None:
    opened: list[str] = []

    async def from_database() -> AsyncIterator[User]:
        opened.append("open")
        yield User(1)
        opened.append("closed")

    async with site(app_with(cable_router([Me], authenticate=from_database))) as served, served.client():
        assert opened == ["open", "closed"]


async def test_an_override_of_the_app_replaces_the_authentication() -> None:
    app = app_with(cable_router([Me], authenticate=by_cookie))
    app.dependency_overrides[by_cookie] = lambda: User(99)
    async with site(app) as served:
        assert (await who(served))["id"] == "99"


async def test_an_identity_is_taken_as_it_is() -> None:
    async def somebody(connection: HTTPConnection) -> Identity:
        return Identity(id="u-1", identifiers={"tenant": connection.query_params["tenant"]})

    async with site(app_with(cable_router([Me], authenticate=somebody))) as served:
        found = await who(served, "/cable?tenant=acme")
    assert (found["id"], found["identifiers"], found["may"]) == ("u-1", {"tenant": "acme"}, [])


async def test_identified_by_names_what_connections_are_found_by() -> None:
    router = cable_router(
        [Me], authenticate=lambda: User(5), identified_by=lambda user: {"current_user": f"users/{user.id}"}
    )
    async with site(app_with(router)) as served, served.client() as client:
        await router.cable.disconnect({"current_user": "users/5"}, reconnect=False)
        assert await client.next() == {"type": "disconnect", "reason": "remote", "reconnect": False}


async def test_without_an_authentication_everybody_is_a_guest_without_rights() -> None:
    async with site(app_with(cable_router([Me]))) as served:
        found = await who(served)
    assert (found["id"], found["guest"], found["may"]) == (None, True, [])


async def test_guests_come_in_beside_users_only_where_that_is_said() -> None:
    rights = AnonymousRights(["read:message"])
    router = cable_router([Me], authenticate=by_cookie, anonymous=rights)
    async with site(app_with(router)) as served:
        found = await who(served)
    assert (found["guest"], found["may"]) == (True, ["read:message"])


async def test_a_guest_cannot_have_a_users_client_id() -> None:
    async with site(app_with(cable_router([Me]))) as served:
        assert (await who(served, "/cable?client_id=7"))["client"] == "guest:7"
        assert (await served.refusal("/cable?client_id=a%20b"))[0] == 403


async def test_a_token_tells_who_connects() -> None:
    tokens = JWTAuthentication(SECRET)
    token = tokens.generate_token("u-7", permissions=["send:message"])
    async with site(app_with(cable_router([Me], authenticate=tokens))) as served:
        found = await who(served, headers={"Authorization": f"Bearer {token}"})
        assert (found["id"], found["may"]) == ("u-7", ["send:message"])
        status, body = await served.refusal(headers={"Authorization": f"Bearer {token}x"})
        assert (status, body["detail"]) == (401, "Unauthorized: Invalid token")
        assert (await served.refusal())[0] == 401


async def test_a_guest_without_a_token_comes_in_where_guests_may_and_with_a_bad_one_does_not() -> None:
    tokens = JWTAuthentication(SECRET)
    router = cable_router([Me], authenticate=tokens, anonymous=AnonymousRights([]))
    async with site(app_with(router)) as served:
        assert (await who(served))["guest"] is True
        assert (await served.refusal(headers={"Authorization": "Bearer a.b.c"}))[0] == 401


async def test_a_page_of_another_origin_is_refused_unless_it_is_listed() -> None:
    async with site(app_with(cable_router([Me]))) as served:
        assert (await who(served, origin=own_origin(served)))["guest"] is True
        assert (await served.refusal(origin="https://evil.example"))[0] == 403
    async with site(app_with(cable_router([Me], origins=["https://shop.example"]))) as served:
        assert (await who(served, origin="https://shop.example"))["guest"] is True


async def test_a_peer_that_connects_too_often_is_told_when_it_may_again() -> None:
    router = cable_router([Me], public_streams=["*"], connects_per_second=0.01, connects_burst=2)
    async with site(app_with(router)) as served:
        for _ in range(2):
            await who(served)
        assert (await served.refusal())[0] == 429
        answer = await served.http.get("/cable/events?stream=a")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


async def test_a_token_may_come_in_the_query_of_an_event_stream() -> None:
    tokens = JWTAuthentication(SECRET)
    router = cable_router([Me], authenticate=tokens)
    async with site(app_with(router)) as served:
        url = "/cable/events?channel=Me&raw=1"
        assert (await served.http.get(url)).status_code == 401
        token = tokens.generate_token("u-7")
        async with served.http.stream("GET", f"{url}&jid={token}") as answer:
            assert answer.status_code == 200
            text = ""
            async for line in answer.aiter_lines():
                text += line
                if '"id":"u-7"' in text:
                    break
        assert token not in str([each.handshake.scope for each in router.cable.connections.values()])


def test_every_origin_with_an_authentication_that_may_read_cookies_is_refused() -> None:
    with pytest.raises(CableConfigurationError, match="cookie"):
        cable_router([Me], authenticate=by_cookie, origins="*")


def test_what_is_no_dependency_is_refused() -> None:
    with pytest.raises(CableConfigurationError, match="takes a dependency"):
        cable_router([Me], authenticate="users")


async def test_a_dependency_may_be_given_as_an_annotated_alias() -> None:
    current_user = Annotated[User, Depends(lambda: User(3))]
    async with site(app_with(cable_router([Me], authenticate=current_user))) as served:
        assert (await who(served))["id"] == "3"
