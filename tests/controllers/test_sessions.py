"""What dependencies with `yield` see of callbacks that halt and of actions that end."""

from collections.abc import AsyncGenerator, Generator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Header, Response
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

from lineside.controllers import Controller, after_action, around_action, before_action
from lineside.routing import resources

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


def session(name: str) -> Any:
    """Make a dependency that notes how it ends."""

    async def open_session() -> AsyncGenerator[str]:
        LOG.append(f"{name} opens")
        try:
            yield name
        except BaseException as error:
            LOG.append(f"{name} rolls back {type(error).__name__}")
            raise
        LOG.append(f"{name} commits")

    return open_session


FUNCTION, REQUEST = session("function"), session("request")


class Items(Controller):
    """Uses both sessions in a callback."""

    @before_action()
    async def audit(
        self,
        short: Annotated[str, Depends(FUNCTION, scope="function")],
        long: Annotated[str, Depends(REQUEST)],
        halt: Annotated[str | None, Header()] = None,
    ) -> Response | None:
        return JSONResponse({}, 409) if halt else None

    @around_action()
    async def around(self) -> AsyncGenerator[None, Any]:
        yield
        LOG.append("around")

    @after_action()
    async def after(self) -> None:
        LOG.append("after")

    async def index(self) -> int:
        LOG.append("action")
        return 1


def client() -> TestClient:
    """Route the items."""
    app = FastAPI()
    resources(app, "items", Items)
    return TestClient(app)


def test_sessions_commit_when_a_callback_halts() -> None:
    """A halt is an answer and no error: what an audit wrote stays."""
    assert client().get("/items", headers={"halt": "1"}).status_code == 409
    assert LOG == ["function opens", "request opens", "function commits", "request commits"]


def test_afters_and_arounds_see_open_sessions() -> None:
    """A session closes behind the after-callbacks; the short one before the response is sent."""
    assert client().get("/items").status_code == 200
    assert LOG == [
        "function opens",
        "request opens",
        "action",
        "after",
        "around",
        "function commits",
        "request commits",
    ]


def test_a_failing_commit_is_an_error_and_no_200() -> None:
    """With scope="function" the commit comes before the answer, also behind callbacks."""

    def failing() -> Generator[None]:
        yield
        raise RuntimeError("commit failed")

    class Writes(Controller):
        @before_action()
        async def check(self, page: int = 1) -> None: ...

        async def create(self, session: Annotated[None, Depends(failing, scope="function")]) -> int:
            return 1

    app = FastAPI()
    resources(app, "items", Writes)
    assert TestClient(app, raise_server_exceptions=False).post("/items").status_code == 500


def test_an_around_that_answers_an_error_commits() -> None:
    """It answers inside the dependencies: who wants the rollback writes `rescue_from`."""

    class Answering(Controller):
        @around_action()
        async def around(self) -> AsyncGenerator[Response | None, Response]:
            try:
                yield
            except KeyError:
                yield JSONResponse({}, 404)

        async def index(self, given: Annotated[str, Depends(FUNCTION, scope="function")]) -> None:
            raise KeyError

    app = FastAPI()
    resources(app, "items", Answering)
    assert TestClient(app).get("/items").status_code == 404
    assert LOG == ["function opens", "function commits"]


@pytest.mark.parametrize("where", ["callback", "after"])
def test_an_error_of_a_callback_rolls_back(where: str) -> None:
    """An error before or behind the action is seen by the sessions."""

    class Failing(Controller):
        @before_action()
        async def before(self, given: Annotated[str, Depends(FUNCTION, scope="function")]) -> None:
            if where == "callback":
                raise KeyError

        @after_action()
        async def after(self) -> None:
            raise KeyError

        async def index(self) -> int:
            return 1

    app = FastAPI()
    resources(app, "items", Failing)
    assert TestClient(app, raise_server_exceptions=False).get("/items").status_code == 500
    assert LOG == ["function opens", "function rolls back KeyError"]
