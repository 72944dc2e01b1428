"""Lineside(app): what it adds to an app, and that nothing else of the app changes."""

import asyncio
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import text

from lineside.application import Lineside
from lineside.config import Config
from lineside.exceptions import ConfigurationError, LinesideError, RecordNotFound, SignatureError
from lineside.instrumentation import request_id
from lineside.models.fastapi import SessionDep
from lineside.testing import TestApp, capture_events

MINUTE = timedelta(minutes=1)
SECRET = "s" * 48
FIT_FOR_PRODUCTION = {"app": {"secret_key": SECRET, "allowed_hosts": ["testserver"]}}


def make_app() -> FastAPI:
    """Make an app as a developer has it before adopting anything."""
    app = FastAPI(title="Blog")

    @app.get("/posts/{id}")
    async def show(id: int) -> dict[str, Any]:
        if id == 404:
            raise RecordNotFound("Post", id)
        if id == 500:
            raise RuntimeError("hunter2 is the password")
        return {"id": id, "request_id": request_id()}

    return app


def shape(app: FastAPI) -> tuple[object, object]:
    """Return what a client can see of an app."""
    return app.openapi(), [getattr(route, "path", None) for route in app.routes]


class TestInstalling:
    """Making it, once, twice, too late."""

    def test_twice_is_the_same_object(self) -> None:
        """It is made once for an app, and found at app.state.lineside."""
        app = make_app()
        first = Lineside(app, {"x": 1})
        assert Lineside(app) is first
        assert app.state.lineside is first
        assert len(app.user_middleware) == 1

    def test_twice_with_the_same_settings_is_the_same_object(self) -> None:
        """The same Config, or an equal mapping, changes nothing."""
        config = Config.from_dict({})
        app, other = make_app(), make_app()
        assert Lineside(app, config) is Lineside(app, config)
        assert Lineside(other, {"x": {"y": 1}}) is Lineside(other, {"x": {"y": 1}})

    def test_twice_with_other_settings_is_an_error(self) -> None:
        """Settings that would be ignored are refused."""
        app = make_app()
        Lineside(app, {"x": 1})
        with pytest.raises(ConfigurationError, match="has a Lineside already"):
            Lineside(app, {"x": 2})

    def test_after_the_first_request_is_an_error(self) -> None:
        """The app has built its middleware; the message says where to move the line."""
        app = make_app()
        TestApp(app).get("/posts/1").assert_status(200)
        with pytest.raises(ConfigurationError, match="move it to where the app is made"):
            Lineside(app, {})
        assert not hasattr(app.state, "lineside")

    def test_it_can_be_found_after_the_first_request(self) -> None:
        """What was installed in time is still there."""
        app = make_app()
        lineside = Lineside(app, {})
        TestApp(app).get("/posts/1")
        assert Lineside(app) is lineside

    @pytest.mark.parametrize(
        "settings",
        [
            {"database": {"url": "oracle://x"}},
            {"metrics": {"path": "metrics"}},
            {"app": {"allowed_hosts": ["http://blog.example/"]}},
            {"app": {"debug": "perhaps"}},
            {"metrics": {"pth": "/metrics"}},
            {"metrics": True},
            "config",
        ],
    )
    def test_wrong_settings_leave_the_app_alone(self, settings: Any) -> None:
        """An error of the settings is a ConfigurationError, and the app can be tried again."""
        app = make_app()
        before, handlers, lifespan = shape(app), dict(app.exception_handlers), app.router.lifespan_context
        with pytest.raises(ConfigurationError):
            Lineside(app, settings)
        assert shape(app) == before
        assert app.exception_handlers == handlers
        assert app.router.lifespan_context == lifespan
        assert app.user_middleware == []
        Lineside(app, {})
        TestApp(app).get("/posts/1").assert_status(200)

    @pytest.mark.parametrize(
        ("settings", "answer"),
        [
            ({"metrics": {"pth": "/metrics"}}, "unknown setting 'metrics.pth'; did you mean 'metrics.path'?"),
            ({"metrics": {"enabled": True}}, "unknown setting 'metrics.enabled'; did you mean"),
            ({"metrics": True}, "'metrics' is a bool and no map; set metrics.path instead"),
            (
                {"database": {"URI": "sqlite://"}},
                "unknown setting 'database.URI'; did you mean 'database.url'?",
            ),
            ({"database": "postgresql://me:hunter2@db/blog"}, "'database' is a str and no map"),
        ],
    )
    def test_a_key_that_would_be_ignored_is_named(self, settings: dict[str, Any], answer: str) -> None:
        """A misspelled key is no app without metrics; a value, which may be secret, is not shown."""
        with pytest.raises(ConfigurationError) as caught:
            Lineside(make_app(), settings)
        assert answer in caught.value.message
        assert "hunter2" not in caught.value.message

    def test_keys_of_the_apps_own_stay(self) -> None:
        """A section may be null, or hold what the app binds to a model of its own."""
        own = {
            "app": {"name": "Blog"},
            "metrics": None,
            "database": {"host": "db", "pool": 5, "timeout": "5s"},
        }
        assert Lineside(make_app(), own).config.get_int("database.pool") == 5

    def test_it_shows_itself_without_settings(self) -> None:
        """Its repr has the environment and the title, no secret."""
        assert repr(Lineside(make_app(), FIT_FOR_PRODUCTION)) == "Lineside(environment='test', app='Blog')"


class TestTheAppStaysAsItIs:
    """Routes, OpenAPI, handlers, WebSockets, mounts."""

    def test_routes_and_openapi_are_unchanged(self) -> None:
        """Not one operation is added or renamed."""
        app = make_app()
        before = shape(make_app())
        Lineside(app, {"database": {"url": "sqlite://"}})
        assert shape(app) == before

    def test_metrics_are_opted_in(self) -> None:
        """A path makes the route, which is not in OpenAPI; without one there is none."""
        app, without = make_app(), make_app()
        Lineside(app, {"metrics": {"path": "/metrics"}})
        Lineside(without, {})
        client = TestApp(app)
        client.get("/posts/7")
        client.get("/metrics").assert_status(200).assert_contains("/posts/{id}")
        assert app.openapi() == make_app().openapi()
        TestApp(without).get("/metrics").assert_status(404)

    def test_one_middleware_is_added(self) -> None:
        """One, whatever is switched on; the developer's own stay."""
        app = make_app()

        @app.middleware("http")
        async def mine(request: Request, call_next: Any) -> Any:
            response = await call_next(request)
            response.headers["X-Mine"] = "yes"
            return response

        Lineside(app, {"metrics": {"path": "/metrics"}, "database": {"url": "sqlite://"}})
        assert len(app.user_middleware) == 2
        TestApp(app).get("/posts/1").assert_header("X-Mine", "yes").assert_header("X-Request-ID")

    @pytest.mark.parametrize("kind", [LinesideError, HTTPException, RequestValidationError, Exception, 500])
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_a_handler_of_the_developer_is_never_replaced(self, kind: Any, when: str) -> None:
        """Installed before or after, it is the one that is called."""

        async def mine(request: Request, error: Exception) -> JSONResponse:
            return JSONResponse("mine", 418)

        app = make_app()
        if when == "before":
            app.add_exception_handler(kind, mine)
        Lineside(app, {})
        if when == "after":
            app.add_exception_handler(kind, mine)
        assert app.exception_handlers[kind] is mine
        if kind in (Exception, 500):
            TestApp(app, raise_errors=False).get("/posts/500").assert_status(418)

    def test_websockets_are_untouched(self) -> None:
        """A WebSocket is accepted, carries its messages and knows its request id."""
        app = make_app()

        @app.websocket("/echo")
        async def echo(websocket: WebSocket) -> None:
            await websocket.accept()
            await websocket.send_json([await websocket.receive_text(), request_id() is not None])
            await websocket.close()

        Lineside(app, {})
        with TestApp(app).client.websocket_connect("/echo") as socket:
            socket.send_text("hello")
            assert socket.receive_json() == ["hello", True]

    def test_a_mounted_app_is_served_with_the_same_id(self) -> None:
        """The id of the outer app reaches the mounted one, which may have a Lineside of its own."""
        outer, inner = make_app(), make_app()
        outer.mount("/inner", inner)
        Lineside(outer, {})
        Lineside(inner, {})
        response = TestApp(outer).get("/inner/posts/7").assert_status(200)
        assert response.json()["request_id"] == response.headers["x-request-id"]
        assert response.raw.headers.get_list("x-request-id") == [response.headers["x-request-id"]]

    def test_without_lifespan_everything_works(self) -> None:
        """A TestClient without ``with``, or a script, never starts the app; the database opens itself."""
        app = make_app()

        @app.get("/one")
        async def one(session: SessionDep) -> int:
            return int((await session.connection()).dialect.name == "sqlite")

        lineside = Lineside(app, {"database": {"url": "sqlite://"}})
        TestApp(app).get("/one").assert_json(1)
        asyncio.run(lineside.database.dispose())


class TestLazy:
    """Nothing is opened before it is used."""

    def test_no_file_is_made_before_the_first_query(self, tmp_path: Path) -> None:
        """Neither making it nor starting the app touches the database."""
        path = tmp_path / "app.sqlite3"
        app = make_app()
        lineside = Lineside(app, {"database": {"url": f"sqlite:///{path}"}})
        with TestApp(app) as client:
            client.get("/posts/1").assert_status(200)
            assert not path.exists()
            assert client.db.run(lambda session: session.scalar(text("SELECT 1"))) == 1
        assert path.exists()
        assert lineside.database is app.state.lineside_database

    def test_a_database_that_is_down_does_not_stop_the_app(self) -> None:
        """An app starts, and answers what needs no database, while PostgreSQL is away."""
        app = make_app()
        Lineside(app, {"database": {"url": "postgresql://nobody@127.0.0.1:1/none"}})
        with TestApp(app) as client:
            client.get("/posts/1").assert_status(200)

    def test_without_a_database_no_sqlalchemy_is_loaded(self) -> None:
        """An app that does not use it does not pay for it."""
        code = (
            "import sys\nfrom fastapi import FastAPI\nfrom lineside.application import Lineside\n"
            "Lineside(FastAPI(), {})\nprint('sqlalchemy' in sys.modules, 'prometheus_client' in sys.modules)"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert result.stdout == "False False\n"


class TestTwoApps:
    """Two apps in one process share nothing."""

    @staticmethod
    def requests_counted(app: FastAPI) -> float:
        """Read the app's own count of requests for posts."""
        lines = TestApp(app).get("/metrics").text.splitlines()
        counted = [line for line in lines if "_total{" in line and "/posts/{id}" in line]
        return float(counted[0].rpartition(" ")[2])

    def test_they_are_separate(self) -> None:
        """Events, metrics, databases, signers and settings belong to one app each."""
        settings = {"metrics": {"path": "/metrics"}, "database": {"url": "sqlite://"}}
        one_app, two_app = make_app(), make_app()
        one, two = Lineside(one_app, settings), Lineside(two_app, {**settings, "name": "two"})
        assert one.database is not two.database
        assert one.config is not two.config
        with capture_events(one_app) as heard_one, capture_events(two_app) as heard_two:
            TestApp(one_app).get("/posts/1")
            TestApp(one_app).get("/posts/2")
            TestApp(two_app).get("/posts/3")
        assert [event.payload["path"] for event in heard_one] == ["/posts/1", "/posts/2"]
        assert [event.payload["path"] for event in heard_two] == ["/posts/3"]
        assert self.requests_counted(one_app) == 2
        assert self.requests_counted(two_app) == 1
        token = one.signer.sign("x", purpose="test", expires_in=MINUTE)
        with pytest.raises(SignatureError):
            two.signer.verify(token, purpose="test")
