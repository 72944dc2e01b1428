"""Whether a connection is let in, and as whom."""

import time
from typing import Annotated

import jwt
import pytest
from fastapi import Cookie, FastAPI

from lineside.cable import AnonymousRights, Channel, JWTAuthentication, JWTKey
from lineside.cable.fastapi import cable_router
from lineside.testing import ConnectionRejected, assert_reject_connection, connect

pytestmark = pytest.mark.anyio

SECRET = "a secret that is long enough for HS256"


class Nothing(Channel):
    public = True


async def by_cookie(session: Annotated[str | None, Cookie()] = None) -> str | None:
    return session


def app(authenticate: object, **options: object) -> FastAPI:
    made = FastAPI()
    router = cable_router([Nothing], authenticate=authenticate, **options)  # type: ignore[arg-type]
    made.include_router(router, prefix="/cable")
    return made


def with_tokens() -> FastAPI:
    return app(JWTAuthentication(JWTKey(SECRET, "HS256")))


def token(*, seconds: float = 60.0) -> str:
    return jwt.encode({"sub": "ada", "exp": int(time.time() + seconds)}, SECRET, algorithm="HS256")


async def test_a_cookie_says_who_it_is() -> None:
    assert (await connect(app(by_cookie), cookies={"session": "ada"})).user == "ada"


async def test_a_token_says_who_it_is() -> None:
    assert (await connect(with_tokens(), token=token())).id == "ada"


async def test_a_guest_is_anonymous() -> None:
    assert (await connect(app(None))).anonymous
    assert (await connect(app(by_cookie, anonymous=AnonymousRights(["read:message"])))).anonymous


async def test_nobody_is_rejected() -> None:
    with assert_reject_connection(401, code=4401, detail="Token required") as rejection:
        await connect(app(by_cookie))
    assert (rejection.status, rejection.code) == (401, 4401)


async def test_a_page_of_another_origin_is_rejected() -> None:
    with assert_reject_connection(403):
        await connect(app(None), origin="https://evil.example")


async def test_a_cookie_without_a_page_is_rejected() -> None:
    with assert_reject_connection(403):
        await connect(app(by_cookie), cookies={"session": "ada"}, origin=None)


async def test_a_token_that_has_expired_is_rejected() -> None:
    with assert_reject_connection(401):
        await connect(with_tokens(), token=token(seconds=-60))


async def test_action_cables_clients_are_let_in_to_be_told_that_it_has() -> None:
    with assert_reject_connection(detail="token_expired") as rejection:
        await connect(with_tokens(), token=token(seconds=-60), protocol="actioncable-v1-json")
    assert rejection.status is None


async def test_a_connection_that_is_let_in_fails_the_assertion() -> None:
    with pytest.raises(AssertionError, match="it was let in"), assert_reject_connection():
        await connect(app(None))


@pytest.mark.parametrize("expected", [{"status": 403}, {"code": 4403}, {"detail": "banned"}])
async def test_another_rejection_fails_the_assertion(expected: dict[str, object]) -> None:
    with (
        pytest.raises(AssertionError, match="the connection was rejected: status 401, code 4401"),
        assert_reject_connection(**expected),  # type: ignore[arg-type]
    ):
        await connect(app(by_cookie))


async def test_without_the_assertion_a_rejection_fails_the_test() -> None:
    with pytest.raises(ConnectionRejected, match="status 401"):
        await connect(app(by_cookie))
