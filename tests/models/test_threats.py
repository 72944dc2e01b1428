"""A database beside an app adds no door: paths, documents, handlers and answers stay as they were."""

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import event
from starlette.testclient import TestClient

from lineside.abilities import Ability, Rules
from lineside.abilities.fastapi import ability_for
from lineside.controllers import Controller
from lineside.instrumentation.asgi import RequestContextMiddleware
from lineside.models.fastapi import install_database
from lineside.problems import install_error_handlers
from lineside.routing import namespace, resources

REQUESTS = (
    ("GET", "/posts"),
    ("GET", "/posts/1"),
    ("GET", "/api/posts"),
    ("POST", "/posts"),
    ("DELETE", "/posts/1"),
    ("GET", "/private"),
    ("GET", "/broken"),
    ("GET", "/nothing"),
    ("GET", "/openapi.json"),
    ("OPTIONS", "/posts"),
)


class Post(BaseModel):
    title: str


def define_abilities(user: None, rules: Rules) -> None:
    rules.can("read", Post)


CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities))]


class PostsController(Controller):
    async def index(self) -> list[Post]:
        return [Post(title="Hello")]

    async def show(self, id: int) -> Post:
        return Post(title=str(id))

    async def create(self, post: Post) -> Post:
        return post


def make_app() -> FastAPI:
    """Make an app of every other concept: routes, controllers, abilities, problems, request ids."""
    app = FastAPI()
    install_error_handlers(app)
    app.add_middleware(RequestContextMiddleware)
    resources(app, "posts", PostsController, only=["index", "show", "create"])
    resources(namespace(app, "api"), "posts", PostsController, only=["index"])

    @app.get("/private")
    async def private(ability: CurrentAbility) -> None:
        ability.authorize("update", Post(title="a"))

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("its text is not for clients")

    return app


def shape(app: FastAPI) -> dict[str, Any]:
    """Describe what can be seen of an app from outside and inside."""
    return {
        "openapi": app.openapi(),
        "routes": [(getattr(route, "path", None), getattr(route, "name", None)) for route in app.routes],
        "handlers": sorted(str(key) for key in app.exception_handlers),
        "middleware": [str(item.cls) for item in app.user_middleware],
        "overrides": dict(app.dependency_overrides),
    }


@pytest.mark.parametrize("creates", [False, True], ids=["as it is", "with its tables"])
def test_routes_openapi_and_handlers_are_unchanged(creates: bool) -> None:
    """Before and after, in the same app."""
    app = make_app()
    before = shape(app)
    app.openapi_schema = None  # FastAPI keeps the document once it is made
    install_database(app, "sqlite://", create_tables=creates)
    assert shape(app) == before


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_answers_of_other_concepts_are_the_same(method: str, path: str) -> None:
    """Status, body and headers, but for the id of the request."""
    answers = []
    for has_database in (False, True):
        app = make_app()
        if has_database:
            install_database(app, "sqlite://")
        with TestClient(app, raise_server_exceptions=False) as client:
            answer = client.request(method, path, headers={"X-Request-ID": "a" * 16})
        answers.append((answer.status_code, answer.text, dict(answer.headers)))
    assert answers[0] == answers[1]


def test_a_request_without_a_session_opens_no_connection() -> None:
    """Who does not ask for the database does not wait for it."""
    app = make_app()
    database = install_database(app, "sqlite://")
    connected: list[object] = []
    event.listen(database.engine.sync_engine, "connect", lambda *_: connected.append(1))
    with TestClient(app) as client:
        assert client.get("/posts").status_code == 200
    assert connected == []
