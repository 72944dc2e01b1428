"""Lineside(app): request ids, errors, hosts, and the settings they come from."""

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from starlette.websockets import WebSocketDisconnect

from lineside.application import Lineside
from lineside.config import Config, ProductionCheckError
from lineside.exceptions import ConfigurationError, RecordNotFound, SignatureError
from lineside.instrumentation import request_id
from lineside.testing import TestApp

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


class TestAnswers:
    """Errors, request ids, hosts."""

    def test_our_errors_are_answered(self) -> None:
        """An error of ours is its status, and the text of an unexpected one is not sent."""
        app = make_app()
        Lineside(app, {})
        client = TestApp(app, raise_errors=False)
        client.get("/posts/404").assert_problem(404, "no Post with key 404")
        broken = client.get("/posts/500").assert_problem(500, "Internal Server Error")
        assert "hunter2" not in broken.text
        assert broken.json()["request_id"]

    def test_an_id_of_the_client_is_used_or_replaced(self) -> None:
        """A well-formed X-Request-ID is kept through the app and back; another one is not."""
        app = make_app()
        Lineside(app, {})
        client = TestApp(app)
        mine = "0b8c2a52-0f4e-4c5a-9d53-5a8f0c7d8e10"
        kept = client.get("/posts/1", headers={"X-Request-ID": mine})
        assert kept.assert_header("X-Request-ID", mine).json()["request_id"] == mine
        forged = client.get("/posts/1", headers={"X-Request-ID": "a b<script>"})
        assert "script" not in forged.headers["x-request-id"]

    def test_log_lines_have_the_id(self, caplog: pytest.LogCaptureFixture) -> None:
        """Every record that is made during a request of a started app carries it."""
        app = make_app()
        lineside = Lineside(app, {})

        @app.get("/logs")
        async def logs() -> None:
            lineside.logger.warning("here")

        with TestApp(app) as client, caplog.at_level("WARNING"):
            identifier = client.get("/logs").headers["x-request-id"]
        assert [getattr(record, "request_id", None) for record in caplog.records] == [identifier]

    @pytest.mark.parametrize("host", ["evil.example", "blog.example.evil.example", "blog.example@evil", ""])
    def test_a_foreign_host_is_refused(self, host: str) -> None:
        """With allowed_hosts, any other Host header answers 400 (OWASP ASVS 4.1.3), on WebSockets too."""
        app = make_app()

        @app.websocket("/live")
        async def live(websocket: WebSocket) -> None:
            await websocket.accept()

        Lineside(app, {"app": {"allowed_hosts": ["blog.example", "*.blog.example"]}})
        client = TestApp(app)
        client.get("/posts/1", headers={"Host": host}).assert_problem(400, "host")
        with pytest.raises(WebSocketDisconnect):
            client.client.websocket_connect("/live", headers={"Host": host}).__enter__()

    @pytest.mark.parametrize("host", ["blog.example", "www.blog.example:8000"])
    def test_an_allowed_host_is_served(self, host: str) -> None:
        """The names that are listed are served, at any port."""
        app = make_app()
        Lineside(app, {"app": {"allowed_hosts": ["blog.example", "*.blog.example"]}})
        TestApp(app).get("/posts/1", headers={"Host": host}).assert_status(200)

    def test_without_allowed_hosts_any_is_served(self) -> None:
        """Outside production nothing has to be set."""
        app = make_app()
        Lineside(app, {})
        TestApp(app).get("/posts/1", headers={"Host": "anything.test"}).assert_status(200)

    def test_debug_shows_the_text_of_our_errors(self) -> None:
        """With app.debug, a server-side fault says what it is; without, it does not."""
        for debug, shown in ((True, True), (False, False)):
            app = make_app()

            @app.get("/fault")
            async def fault() -> None:
                raise ConfigurationError("set the colour")

            Lineside(app, {"app": {"debug": debug}})
            answer = TestApp(app, raise_errors=False).get("/fault").assert_status(500)
            assert ("set the colour" in answer.text) is shown


class TestSettings:
    """What is read from the configuration, and what production demands."""

    def test_environment_router_and_logger(self) -> None:
        """Gor's accessors: Router(), Config(), Environment(), Logger()."""
        app = make_app()
        config = Config.from_dict({"name": "blog"}, environment="development")
        lineside = Lineside(app, config)
        assert lineside.router is app.router
        assert lineside.config is config
        assert lineside.environment == "development"
        assert lineside.config.is_development
        assert isinstance(lineside.logger, logging.Logger)

    @pytest.mark.parametrize(
        ("part", "variable"),
        [("database", "LINESIDE_DATABASE__URL"), ("metrics", "LINESIDE_METRICS__PATH")],
    )
    def test_a_part_that_is_not_set_says_how_to_set_it(self, part: str, variable: str) -> None:
        """Asking for it is an error that names the variable, not None to stumble over later."""
        with pytest.raises(ConfigurationError, match=variable):
            getattr(Lineside(make_app(), {}), part)

    def test_settings_are_loaded_when_none_are_given(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """``Lineside(app)`` reads config/*.yml and LINESIDE_* variables."""
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "config.yml").write_text("database:\n  url: 'sqlite://'\nname: from file\n")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("LINESIDE_ENV", "test")
        monkeypatch.setenv("LINESIDE_COLOUR", "red")
        lineside = Lineside(make_app())
        assert lineside.config.get_str("name") == "from file"
        assert lineside.config.get_str("colour") == "red"
        assert repr(lineside.database) == "Database('sqlite+aiosqlite://')"

    @pytest.mark.parametrize(
        ("settings", "variable"),
        [
            ({"secret_key": ""}, "LINESIDE_APP__SECRET_KEY"),
            ({"secret_key": "short"}, "LINESIDE_APP__SECRET_KEY"),
            ({"debug": True}, "LINESIDE_APP__DEBUG"),
            ({"allowed_hosts": []}, "LINESIDE_APP__ALLOWED_HOSTS"),
            ({"allowed_hosts": ["*"]}, "LINESIDE_APP__ALLOWED_HOSTS"),
        ],
    )
    def test_production_refuses_an_unsafe_setting(
        self, settings: dict[str, Any], variable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The start is refused, the variable is named, and a mapping is checked like a file."""
        monkeypatch.setenv("LINESIDE_ENV", "production")
        app = make_app()
        with pytest.raises(ProductionCheckError, match=variable) as caught:
            Lineside(app, {"app": {**FIT_FOR_PRODUCTION["app"], **settings}})
        assert SECRET not in str(caught.value)
        assert not hasattr(app.state, "lineside")

    def test_production_starts_with_safe_settings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """With all of them set the app is served, for its hosts only."""
        monkeypatch.setenv("LINESIDE_ENV", "production")
        app = make_app()
        assert Lineside(app, FIT_FOR_PRODUCTION).config.is_production
        TestApp(app).get("/posts/1").assert_status(200)
        TestApp(app, base_url="http://evil.example").get("/posts/1").assert_status(400)

    def test_the_signer_rotates_keys(self) -> None:
        """A value signed with an old key verifies; one of an unknown key does not."""
        old, new, foreign = "o" * 48, "n" * 48, "f" * 48
        before = Lineside(make_app(), {"app": {"secret_key": old}})
        after = Lineside(make_app(), {"app": {"secret_key": new, "old_secret_keys": [old]}})
        token = before.signer.sign("7", purpose="login", expires_in=MINUTE)
        assert after.signer.verify(token, purpose="login") == "7"
        assert after.signer is after.signer
        with pytest.raises(SignatureError):
            before.signer.verify(after.signer.sign("7", purpose="login", expires_in=MINUTE), purpose="login")
        with pytest.raises(SignatureError):
            Lineside(make_app(), {"app": {"secret_key": foreign}}).signer.verify(token, purpose="login")

    def test_without_a_key_values_end_with_the_process(self, caplog: pytest.LogCaptureFixture) -> None:
        """Outside production a random key does, and a warning says so once."""
        lineside = Lineside(make_app(), {})
        with caplog.at_level("WARNING"):
            token = lineside.signer.sign("7", purpose="login", expires_in=MINUTE)
        assert lineside.signer.verify(token, purpose="login") == "7"
        warnings = [record.message for record in caplog.records if record.name == "lineside.signing"]
        assert len(warnings) == 1
        assert warnings[0].startswith("LINESIDE_APP__SECRET_KEY is not set")
