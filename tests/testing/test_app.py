"""TestApp: requests in process, a user who is logged in, the app's lifespan."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Form, HTTPException, Request, UploadFile
from starlette.types import Receive, Scope, Send

from lineside.exceptions import ConfigurationError
from lineside.testing import TestApp


async def get_user() -> str | None:
    return None


CurrentUser = Annotated[str | None, Depends(get_user)]


@pytest.fixture
def app() -> FastAPI:
    """Make an app without anything of ours."""
    app = FastAPI()

    @app.api_route("/echo", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def echo(request: Request) -> dict[str, Any]:
        body = (await request.body()).decode()
        return {"method": request.method, "query": str(request.query_params), "body": body}

    @app.post("/form")
    async def form(title: Annotated[str, Form()], file: UploadFile) -> list[str]:
        return [title, (await file.read()).decode()]

    @app.get("/me")
    async def me(user: CurrentUser) -> str:
        if user is None:
            raise HTTPException(401, "log in first")
        return user

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("out of order")

    return app


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_each_verb_sends_its_method(app: FastAPI, method: str) -> None:
    """The five verbs of HTTP have a method each, with query parameters."""
    response = getattr(TestApp(app), method)("/echo", params={"page": 2})
    response.assert_status(200).assert_json_includes({"method": method.upper(), "query": "page=2"})


def test_a_body_is_json_form_or_file(app: FastAPI) -> None:
    """Keyword arguments say what the body is."""
    client = TestApp(app)
    client.post("/echo", json={"title": "Hi"}).assert_json_includes({"body": '{"title":"Hi"}'})
    client.post("/form", data={"title": "Hi"}, files={"file": b"text"}).assert_json(["Hi", "text"])


def test_headers_go_with_every_request(app: FastAPI) -> None:
    """What is given to TestApp is sent each time; what is given to a request is added."""

    @app.get("/headers")
    async def headers(request: Request) -> list[str | None]:
        return [request.headers.get("x-one"), request.headers.get("x-two")]

    client = TestApp(app, headers={"X-One": "1"})
    client.get("/headers", headers={"X-Two": "2"}).assert_json(["1", "2"])


@pytest.mark.parametrize("dependency", [get_user, CurrentUser], ids=["function", "alias"])
def test_login_as_and_logout(app: FastAPI, dependency: Any) -> None:
    """Requests are the user's between login_as and logout, and anonymous before and after."""
    client = TestApp(app, current_user=dependency)
    client.get("/me").assert_problem(401, "log in first")
    client.login_as("ada").get("/me").assert_json("ada")
    client.login_as("ben").get("/me").assert_json("ben")
    client.logout().get("/me").assert_status(401)
    client.logout()


def test_the_end_of_the_block_logs_out(app: FastAPI) -> None:
    """An override does not outlive its test, even when the test fails."""
    with (
        pytest.raises(RuntimeError, match="out of order"),
        TestApp(app, current_user=get_user) as client,
    ):
        client.login_as("ada").get("/broken")
    assert app.dependency_overrides == {}


def test_an_override_of_the_users_own_comes_back(app: FastAPI) -> None:
    """What the developer had overridden before login_as holds again after logout."""

    async def somebody() -> str:
        return "somebody"

    app.dependency_overrides[get_user] = somebody
    with TestApp(app, current_user=get_user) as client:
        client.login_as("ada").get("/me").assert_json("ada")
    assert app.dependency_overrides == {get_user: somebody}


def test_login_as_says_what_it_needs(app: FastAPI) -> None:
    """Without the dependency there is nothing to replace; the message names the argument."""
    with pytest.raises(ConfigurationError, match="current_user="):
        TestApp(app).login_as("ada")


def test_an_alias_without_a_dependency_is_refused(app: FastAPI) -> None:
    """An Annotated type without Depends is a mistake at once."""
    with pytest.raises(ConfigurationError, match="Depends"):
        TestApp(app, current_user=Annotated[str, "no dependency"])


def test_any_asgi_app_will_do() -> None:
    """A plain ASGI callable answers requests; login_as says that it needs FastAPI."""

    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    client = TestApp(plain, current_user=get_user)
    client.get("/").assert_status(204)
    with pytest.raises(ConfigurationError, match="FastAPI"):
        client.login_as("ada")


def test_with_runs_the_lifespan() -> None:
    """The app is started inside the block, and stopped at its end."""
    happened: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        happened.append("start")
        yield
        happened.append("stop")

    with TestApp(FastAPI(lifespan=lifespan)) as client:
        assert happened == ["start"]
        client.get("/").assert_status(404)
    assert happened == ["start", "stop"]


def test_errors_of_the_app_are_raised_or_seen(app: FastAPI) -> None:
    """A test sees the traceback by default, and the 500 of a client when it asks."""
    with pytest.raises(RuntimeError, match="out of order"):
        TestApp(app).get("/broken")
    TestApp(app, raise_errors=False).get("/broken").assert_status(500)


def test_async_functions_run_on_the_loop_of_the_app(app: FastAPI) -> None:
    """``run`` needs a started app, and says so."""

    async def answer() -> int:
        return 42

    with TestApp(app) as client:
        assert client.run(answer) == 42
    with pytest.raises(ConfigurationError, match="with TestApp"):
        client.run(answer)


def test_db_says_when_there_is_none(app: FastAPI) -> None:
    """An app without a database of ours is told how to get one."""
    with TestApp(app) as client, pytest.raises(ConfigurationError, match="install_database"):
        _ = client.db


def test_requests_can_be_timed_in_process(app: FastAPI) -> None:
    """A benchmark needs no server: the app runs in this process, on one loop (as Gor's ServeHTTP)."""

    @app.get("/pid")
    async def pid() -> list[int]:
        return [os.getpid(), id(asyncio.get_running_loop())]

    with TestApp(app) as client:
        answered = {tuple(client.get("/pid").json()) for _ in range(20)}
    assert [process for process, _ in answered] == [os.getpid()]


def test_a_missing_client_names_the_extra() -> None:
    """Without httpx2 the error types the pip command."""
    code = (
        "import sys; sys.modules['httpx2'] = None; sys.modules['httpx'] = None\n"
        "from lineside.testing import TestApp\n"
        "try:\n    TestApp(None)\nexcept ImportError as error:\n    print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'lineside[testing]'" in result.stdout
