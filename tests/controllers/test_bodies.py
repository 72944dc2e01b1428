"""Odd, deep and oversized bodies answer 4xx, never 500."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Response, UploadFile
from fastapi.testclient import TestClient

from lineside.controllers import Controller, action, before_action
from lineside.routing import resources

#: The edge bodies that plain FastAPI answers with 500, or takes without a word.
BODIES: dict[str, bytes] = {
    "empty object in pieces": b"{",
    "nesting of 900": b"[" * 900 + b"]" * 900,
    "nesting of 33": b"[" * 33 + b"]" * 33,
    "100,000 open brackets": b"[" * 100_000,
    "deep objects": b'{"a":' * 900 + b"1" + b"}" * 900,
    "NaN": b'{"a": NaN}',
    "Infinity": b"[Infinity]",
    "minus Infinity": b"-Infinity",
    "1e999": b'{"a": 1e999}',
    "5,000 digits": b"1" * 5_000,
    "more than 64 bits": b"9223372036854775808",
    "lone surrogate in a value": rb'{"a": "\ud800"}',
    "lone surrogate in a key": rb'{"\udc00": 1}',
    "NUL in a value": rb'{"a": "x\u0000"}',
    "NUL in a key": rb'{"\u0000": 1}',
    "duplicate keys": b'{"a": 1, "a": 2}',
    "duplicate keys by an escape": rb'{"a": 1, "\u0061": 2}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "not UTF-8": b'{"a": "\xff"}',
    "overlong UTF-8": b'"\xc0\x80"',
    "text behind the value": b"{} {}",
    "1,001 keys": b"{" + b",".join(b'"%d":1' % n for n in range(1_001)) + b"}",
}


class Plain(Controller):
    """Takes anything."""

    async def create(self, data: Any = None) -> bool:
        return True


class Early(Plain):
    """Behind a callback that runs before the body is read."""

    @before_action()
    async def check(self) -> Response | None: ...


class Late(Plain):
    """Behind a callback that runs when the body has been read."""

    @before_action()
    async def check(self, page: int = 1) -> Response | None: ...


class AnyBody(Controller):
    """Takes any JSON as a dict, list or value."""

    async def create(self, data: dict[str, Any] | list[Any] | str | float | None) -> Any:
        return data


class AnyEarly(AnyBody, Early):
    """Behind the early callback."""


class AnyLate(AnyBody, Late):
    """Behind the late callback."""


def client_for(controller: type[Controller], **options: Any) -> TestClient:
    """Route a controller as `/items`."""
    app = FastAPI()
    resources(app, "items", controller, **options)
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize("controller", [AnyBody, AnyEarly, AnyLate])
@pytest.mark.parametrize("case", BODIES)
def test_an_edge_body_is_4xx(controller: type[Controller], case: str) -> None:
    """Each of them is refused, and the answer can be written."""
    response = client_for(controller).post(
        "/items", content=BODIES[case], headers={"content-type": "application/json"}
    )
    assert 400 <= response.status_code < 500
    assert response.json()["detail"]


def test_there_are_23_edge_bodies() -> None:
    """The table is as long as the measured one."""
    assert len(BODIES) == 23


class Small(AnyBody):
    """Accepts 100 bytes."""

    max_body_size = 100

    @action(max_body_size=1_000)
    async def update(self, id: int, data: list[int]) -> int:
        return len(data)

    async def upload(self, file: UploadFile) -> int:
        return file.size or 0


class SmallEarly(Small, Early):
    """The same behind an early callback."""


class SmallLate(Small, Late):
    """The same behind a late callback."""


def chunks(size: int) -> Iterator[bytes]:
    """Send a JSON string of some bytes without a Content-Length."""
    yield b'"'
    for _ in range(size // 10):
        yield b"x" * 10
    yield b'"'


@pytest.mark.parametrize("controller", [Small, SmallEarly, SmallLate])
def test_an_oversized_body_is_413(controller: type[Controller]) -> None:
    """By its Content-Length, and while it is read when there is none; what fits passes."""
    client = client_for(controller, collection={"upload": "POST"})
    json = {"content-type": "application/json"}
    assert client.post("/items", content=b'"' + b"x" * 50 + b'"', headers=json).status_code == 201
    assert client.post("/items", content=chunks(50), headers=json).status_code == 201
    assert client.post("/items", content=b'"' + b"x" * 200 + b'"', headers=json).status_code == 413
    assert client.post("/items", content=chunks(200), headers=json).status_code == 413
    assert client.post("/items/upload", files={"file": ("a", b"x" * 500)}).status_code == 413


def test_an_action_may_have_a_limit_of_its_own() -> None:
    """`action(max_body_size=)` in bytes wins over that of the class."""
    client = client_for(Small)
    assert client.put("/items/1", json=[1] * 200).json() == 200
    assert client.put("/items/1", json=[1] * 2_000).status_code == 413


def test_controllers_have_a_limit_by_default() -> None:
    """Nobody has to think of it: 2.5 MiB; one attribute of the class lifts it."""

    class Roomy(AnyBody):
        max_body_size = 3_000_000

    json = {"content-type": "application/json"}
    within, beyond = b'"' + b"x" * 2_621_438 + b'"', b'"' + b"x" * 2_621_439 + b'"'
    assert client_for(AnyBody).post("/items", content=within, headers=json).status_code == 201
    assert client_for(AnyBody).post("/items", content=beyond, headers=json).status_code == 413
    assert client_for(Roomy).post("/items", content=beyond, headers=json).status_code == 201


async def with_body(data: dict[str, Any] | list[Any] | str | float | None) -> None:
    """Ask for any body."""


class Decoding(Controller):
    """Decodes the body itself."""

    async def create(self) -> Any:
        return await self.request.json()


@pytest.mark.parametrize("case", BODIES)
def test_an_action_that_decodes_the_body_itself_answers_4xx_too(case: str) -> None:
    """`self.request.json()` is as strict, and its error has an answer."""
    response = client_for(Decoding).post("/items", content=BODIES[case])
    assert response.status_code == 422
    assert "invalid JSON" in response.json()["detail"]
    assert client_for(Decoding).post("/items", content=b'{"a": 1}').json() == {"a": 1}


@pytest.mark.parametrize("case", BODIES)
def test_a_body_that_an_including_router_asks_for_is_strict(case: str) -> None:
    """The route itself has no body; its strictness does not depend on that."""

    class Empty(Controller):
        async def create(self) -> bool:
            return True

    router = APIRouter()
    resources(router, "items", Empty)
    app = FastAPI()
    app.include_router(router, dependencies=[Depends(with_body)])
    client = TestClient(app, raise_server_exceptions=False)
    headers = {"content-type": "application/json"}
    assert client.post("/items", content=BODIES[case], headers=headers).status_code == 422
    assert client.post("/items", content=b'{"a": 1}', headers=headers).status_code == 201


def test_a_get_with_a_body_has_the_limit_too() -> None:
    """Rare, and as dear as any other body."""

    class Searching(Controller):
        max_body_size = 100

        async def index(self, terms: list[str]) -> int:
            return len(terms)

    app = FastAPI()
    resources(app, "posts", Searching)
    client = TestClient(app)
    assert client.request("GET", "/posts", json=["a"]).json() == 1
    assert client.request("GET", "/posts", json=["a" * 200]).status_code == 413
