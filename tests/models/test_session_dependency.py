"""SessionDep: one session per request, committed before the response, on every database."""

from collections.abc import AsyncGenerator, Iterator
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, WebSocket
from fastapi.responses import JSONResponse
from sqlalchemy import Column, ForeignKey, Integer
from sqlmodel import Field, SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from lineside.controllers import Controller, before_action
from lineside.exceptions import ConfigurationError, RecordNotFound
from lineside.models import Database
from lineside.models.fastapi import DatabaseDep, SessionDep, get_session, install_database
from lineside.routing import resources
from lineside.testing import TestApp


class Note(SQLModel, table=True):
    __tablename__ = "models_note"

    id: int | None = Field(default=None, primary_key=True)
    text: str
    # Checked by the COMMIT and not by the INSERT: the only honest way to make one fail.
    parent_id: int | None = Field(
        default=None,
        sa_column=Column(
            Integer, ForeignKey("models_note.id", deferrable=True, initially="DEFERRED"), nullable=True
        ),
    )


async def add_note(session: AsyncSession, words: str, **values: Any) -> None:
    """Write a note, and send it to the database."""
    session.add(Note(text=words, **values))
    await session.flush()


class HaltingController(Controller):
    """Writes in a callback, which then answers."""

    @before_action(only=["index"])
    async def refuse(self, session: SessionDep) -> JSONResponse:
        await add_note(session, "refused")
        return JSONResponse("no", 403)

    @before_action(only=["show"])
    async def fail(self, session: SessionDep) -> None:
        await add_note(session, "failed")
        raise RecordNotFound("Note", 1)

    async def index(self) -> str:
        raise AssertionError("a halted action does not run")

    async def show(self, id: int) -> str:
        raise AssertionError("an action behind a failed callback does not run")


def plain_routes(app: FastAPI) -> None:
    """Add routes that write, and end in each way."""

    @app.post("/written")
    async def written(session: SessionDep) -> str:
        await add_note(session, "written")
        return "ok"

    @app.post("/uncommittable")
    async def uncommittable(session: SessionDep) -> str:
        await add_note(session, "orphan", parent_id=4_000)
        return "ok"

    @app.post("/refused")
    async def refused(session: SessionDep) -> None:
        await add_note(session, "refused")
        raise HTTPException(409, "conflict")

    @app.post("/broken")
    async def broken(session: SessionDep) -> None:
        await add_note(session, "broken")
        raise RuntimeError("out of order")

    @app.post("/answered")
    async def answered(session: SessionDep) -> JSONResponse:
        await add_note(session, "answered")
        return JSONResponse("sorry", 422)


def other_routes(app: FastAPI) -> None:
    """Add routes for what else may ask for a session."""

    async def writes(session: SessionDep) -> AsyncSession:
        await add_note(session, "from a dependency")
        return session

    @app.post("/shared")
    async def shared(one: Annotated[AsyncSession, Depends(writes)], two: SessionDep) -> bool:
        return one is two

    @app.post("/background")
    async def background(session: SessionDep, database: DatabaseDep, tasks: BackgroundTasks) -> None:
        await add_note(session, "first")

        async def read() -> None:
            async with database.session() as other:
                found = (await other.exec(select(Note))).all()
                other.add(Note(text=f"saw {len(found)}"))

        tasks.add_task(read)

    @app.websocket("/live")
    async def live(websocket: WebSocket, session: SessionDep) -> None:
        await websocket.accept()
        await add_note(session, await websocket.receive_text())
        await websocket.close()


@pytest.fixture
def app(database_url: str) -> FastAPI:
    """Make an app that writes in every way."""
    app = FastAPI()
    install_database(app, database_url, create_tables=True)
    plain_routes(app)
    other_routes(app)
    resources(app, "notes", HaltingController)
    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestApp]:
    """Give a client that sees a 500 as a client does."""
    with TestApp(app, raise_errors=False) as client:
        yield client


def stored(client: TestApp) -> list[str]:
    """Read the notes that were committed."""
    return [note.text for note in client.db.all(Note)]


def test_a_request_commits(client: TestApp) -> None:
    """What the action wrote is there when the response is."""
    client.post("/written").assert_json("ok")
    assert stored(client) == ["written"]


def test_a_failing_commit_is_a_500(client: TestApp) -> None:
    """The client is never told 200 about what was not stored."""
    client.post("/uncommittable").assert_status(500)
    assert stored(client) == []


def test_a_failing_commit_costs_the_next_request_nothing(client: TestApp) -> None:
    """SQLite keeps the transaction of a failed COMMIT open: the pool must not hand it on."""
    client.post("/uncommittable").assert_status(500)
    client.post("/written").assert_status(200)
    assert stored(client) == ["written"]


@pytest.mark.parametrize(("path", "status"), [("/refused", 409), ("/broken", 500)])
def test_an_error_rolls_back(client: TestApp, path: str, status: int) -> None:
    """What an action wrote before it raised is gone, and the connection is fit for the next request."""
    client.post(path).assert_status(status)
    assert stored(client) == []
    client.post("/written").assert_status(200)
    assert stored(client) == ["written"]


def test_a_returned_error_response_commits(client: TestApp) -> None:
    """Returning is not raising, whatever the status: as in Rails, only an exception rolls back."""
    client.post("/answered").assert_status(422)
    assert stored(client) == ["answered"]


def test_a_halting_callback_commits(client: TestApp) -> None:
    """A callback that answers has not failed: an audit line that it wrote stays."""
    client.get("/notes").assert_status(403)
    assert stored(client) == ["refused"]


def test_a_callback_that_raises_rolls_back(client: TestApp) -> None:
    """An error of ours is answered with its status, and what the callback wrote is gone."""
    client.get("/notes/1").assert_status(404)
    assert stored(client) == []


def test_one_request_has_one_session(client: TestApp) -> None:
    """Dependencies and the action write in one transaction."""
    client.post("/shared").assert_json(True)
    assert stored(client) == ["from a dependency"]


def test_background_tasks_see_the_commit(client: TestApp) -> None:
    """They run after the response, so after the commit, with sessions of their own."""
    client.post("/background").assert_status(200)
    assert stored(client) == ["first", "saw 1"]


def test_a_websocket_has_a_session_too(client: TestApp) -> None:
    """It is committed when the endpoint ends."""
    with client.client.websocket_connect("/live") as socket:
        socket.send_text("spoken")
        assert socket.receive()["type"] == "websocket.close"
    assert stored(client) == ["spoken"]


def test_it_can_be_overridden(app: FastAPI) -> None:
    """A test may give another session, as with any dependency."""
    other = Database("sqlite://")

    async def another() -> AsyncGenerator[AsyncSession]:
        async with other.session() as session:
            await (await session.connection()).run_sync(SQLModel.metadata.create_all)
            yield session

    app.dependency_overrides[get_session] = another
    with TestApp(app) as client:
        client.post("/written").assert_status(200)
        assert stored(client) == []
        client.run(other.dispose)


def test_an_app_without_a_database_says_so() -> None:
    """The error names the call that is missing."""
    app = FastAPI()
    plain_routes(app)
    with pytest.raises(ConfigurationError, match="install_database"):
        TestApp(app).post("/written")


def test_two_apps_have_two_databases(database_url: str) -> None:
    """What one app stores, the other does not see."""
    one, two = FastAPI(), FastAPI()
    install_database(one, database_url, create_tables=True)
    install_database(two, "sqlite://", create_tables=True)
    plain_routes(one)
    plain_routes(two)
    with TestApp(one) as first, TestApp(two) as second:
        first.post("/written").assert_status(200)
        assert stored(first) == ["written"]
        assert stored(second) == []


def test_a_database_of_your_own_can_be_installed(database_url: str) -> None:
    """A ready Database is used as it is, and found in the app's state."""
    app, database = FastAPI(), Database(database_url)
    assert install_database(app, database) is database
    assert app.state.lineside_database is database


def test_installing_too_late_is_an_error() -> None:
    """After the first request the lifespan can no longer open anything."""
    app = FastAPI()
    TestApp(app).get("/")
    with pytest.raises(ConfigurationError, match="install_database"):
        install_database(app, "sqlite://")
