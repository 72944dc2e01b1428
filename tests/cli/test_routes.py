"""``lineside routes``, as a real command."""

import json
from pathlib import Path

import pytest

APP = """
from fastapi import APIRouter, FastAPI, WebSocket
from lineside.controllers import Controller
from lineside.routing import resources

class PostsController(Controller):
    async def index(self) -> list[str]: return []
    async def show(self, id: int) -> int: return id

app = FastAPI(openapi_url=None)

@app.get("/health")
async def health() -> str: return "ok"

@app.websocket("/live")
async def live(websocket: WebSocket) -> None: ...

resources(app, "posts", PostsController)
router = APIRouter(prefix="/users")

@router.post("")
async def create_user() -> None: ...

app.include_router(router, prefix="/v1")

def create_app():
    return app

async def plain(scope, receive, send): ...
"""


@pytest.fixture(autouse=True)
def _app(tmp_path: Path) -> None:
    (tmp_path / "myapp.py").write_text(APP)


def test_all_routes_are_listed_in_order(run) -> None:
    """Plain FastAPI routes, resources, included routers and WebSockets stand in one table."""
    lines = run("routes", "myapp:app").stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["METHOD", "PATH", "NAME", "TARGET"],
        ["GET", "/health", "health", "myapp.health"],
        ["WEBSOCKET", "/live", "live", "myapp.live"],
        ["GET", "/posts", "posts", "PostsController.index"],
        ["GET", "/posts/{id}", "post", "PostsController.show"],
        ["POST", "/v1/users", "create_user", "myapp.create_user"],
    ]


def test_columns_line_up(run) -> None:
    """A person can read it: each column begins at one place."""
    lines = run("routes", "myapp:app").stdout.splitlines()
    assert {line.index("/") for line in lines[1:]} == {lines[0].index("PATH")}


def test_grep_looks_at_every_column(run) -> None:
    """``--grep`` finds by path, name, target or method, in any case."""
    for text, found in (("USERS", 1), ("postscontroller", 2), ("websocket", 1), ("post", 3)):
        assert len(run("routes", "myapp:app", "--grep", text).stdout.splitlines()) == found + 1


def test_nothing_found_is_said(run) -> None:
    """An empty list is not silence, and no failure."""
    result = run("routes", "myapp:app", "--grep", "nowhere")
    assert (result.returncode, result.stdout) == (0, "")
    assert "no route contains 'nowhere'" in result.stderr


def test_json_is_for_programs(run) -> None:
    """``--format json`` prints one object per route; none are an empty list."""
    rows = json.loads(run("routes", "myapp:create_app()", "--format", "json", "--grep", "v1").stdout)
    assert rows == [
        {"methods": ["POST"], "path": "/v1/users", "name": "create_user", "target": "myapp.create_user"}
    ]
    assert json.loads(run("routes", "myapp:app", "--format", "json", "--grep", "nowhere").stdout) == []


def test_only_fastapi_lists_its_routes(run) -> None:
    """A plain ASGI app is refused with one line and exit 1."""
    result = run("routes", "myapp:plain")
    assert result.returncode == 1
    assert "only a FastAPI app" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_wrong_name_is_one_line(run) -> None:
    """Exit 1 and what is there."""
    result = run("routes", "myapp:ap")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines() == ["lineside: module 'myapp' has no 'ap'; apps there: myapp:app"]
