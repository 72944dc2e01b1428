"""What a client is told of our errors, in an app with and without handlers for them."""

import logging
from collections.abc import Callable

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlmodel import Field, SQLModel, select

from lineside.application import Lineside
from lineside.exceptions import LinesideError, RecordNotFound
from lineside.models import Database
from lineside.models._exceptions import (
    ConnectionNotEstablished,
    ReadOnlyError,
    StaleObjectError,
    StatementTimeout,
)
from lineside.models.fastapi import ReadingSessionDep, SessionDep, install_database
from lineside.problems import install_error_handlers
from lineside.testing import TestApp


class Card(SQLModel, table=True):
    __tablename__ = "models_errors_card"

    id: int | None = Field(default=None, primary_key=True)
    text: str


def app_that_raises(error: LinesideError) -> FastAPI:
    """Make an app without handlers, whose one route writes and then fails."""
    app = FastAPI()
    install_database(app, "sqlite://", create_tables=True)

    @app.post("/")
    async def fail(session: SessionDep) -> None:
        session.add(Card(text="undone"))
        await session.flush()
        raise error

    return app


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (RecordNotFound("Card", 7), 404, "no Card with key 7"),
        (StaleObjectError("Card", 7), 409, "Card 7 was changed by somebody else; load it again"),
        (StatementTimeout(30), 503, "Service Unavailable"),
    ],
)
def test_an_app_without_handlers_answers(error: LinesideError, status: int, detail: str) -> None:
    """With the status of the error, and its text where that is public; and nothing is written."""
    with TestApp(app_that_raises(error)) as client:
        client.post("/").assert_status(status).assert_json({"detail": detail})
        assert client.db.all(Card) == []


def test_a_fault_of_ours_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Its text is not sent, so it stands there, with its traceback."""
    with TestApp(app_that_raises(ConnectionNotEstablished("db.internal is down"))) as client:
        caplog.set_level(logging.ERROR, "lineside.models")
        client.post("/").assert_status(503)
    (record,) = caplog.records
    assert "db.internal is down" in record.getMessage()
    assert record.exc_info is not None


def test_a_mistake_of_the_developer_is_raised() -> None:
    """As any exception: tests see it, and the server logs it."""
    with TestApp(app_that_raises(ReadOnlyError("no"))) as client, pytest.raises(ReadOnlyError):
        client.post("/")


def lineside_with_debug(app: FastAPI) -> None:
    """Install everything, with the texts of errors shown."""
    Lineside(app, {"app": {"debug": True}})


def handlers_with_debug(app: FastAPI) -> None:
    """Install the handlers alone."""
    install_error_handlers(app, debug=True)


@pytest.mark.parametrize("install", [lineside_with_debug, handlers_with_debug])
def test_the_handlers_of_the_app_win(install: Callable[[FastAPI], None]) -> None:
    """Also those that came after the database."""
    app = app_that_raises(StatementTimeout(30))
    install(app)
    with TestApp(app) as client:
        assert "did not answer within 30 s" in client.post("/").assert_status(503).text


def test_a_handler_of_the_author_wins() -> None:
    """For its class of error."""
    app = app_that_raises(RecordNotFound("Card", 7))

    @app.exception_handler(RecordNotFound)
    async def found_nothing(_request: Request, _error: RecordNotFound) -> JSONResponse:
        return JSONResponse("nothing", 410)

    with TestApp(app) as client:
        client.post("/").assert_status(410).assert_json("nothing")


def test_a_reading_session_cannot_write(database_url: str) -> None:
    """Whatever the method of the request."""
    app = FastAPI()
    install_database(app, database_url, create_tables=True)

    @app.get("/")
    async def read(session: ReadingSessionDep) -> int:
        return len((await session.exec(select(Card))).all())

    @app.post("/")
    async def write(session: ReadingSessionDep) -> None:
        session.add(Card(text="undone"))

    with TestApp(app) as client:
        client.get("/").assert_json(0)
        with pytest.raises(ReadOnlyError):
            client.post("/")
        assert client.db.all(Card) == []


def test_a_reading_session_is_that_of_the_replica(tmp_path: object) -> None:
    """Where there is one."""
    app = FastAPI()
    database = Database(
        f"sqlite:///{tmp_path}/first.sqlite3", replica_url=f"sqlite:///{tmp_path}/second.sqlite3"
    )
    install_database(app, database)

    @app.get("/")
    async def where(session: ReadingSessionDep) -> str:
        connection = await session.connection()
        return str(connection.engine.url.database)

    with TestApp(app) as client:
        assert client.get("/").json().endswith("second.sqlite3")
