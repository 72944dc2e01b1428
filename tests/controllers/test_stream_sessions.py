"""A stream outlives the session of its request."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import InvalidRequestError
from starlette.testclient import TestClient

from lineside.controllers import Controller
from lineside.models.fastapi import DatabaseDep, SessionDep, install_database
from lineside.routing import resources


class Borrowing(Controller):
    session: SessionDep

    async def index(self) -> AsyncIterator[int]:
        yield await self.session.scalar(text("SELECT 1"))


class Owning(Controller):
    database: DatabaseDep

    async def index(self) -> AsyncIterator[int]:
        async with self.database.session() as session:
            yield await session.scalar(text("SELECT 1"))


def client_for(controller: type[Controller]) -> TestClient:
    app = FastAPI()
    install_database(app, "sqlite://")
    resources(app, "numbers", controller)
    return TestClient(app)


def test_the_session_of_the_request_refuses_a_stream() -> None:
    """It has committed and closed; taking a connection again would leak it."""
    with client_for(Borrowing) as client, pytest.raises(InvalidRequestError, match="closed"):
        client.get("/numbers")


def test_a_stream_with_a_session_of_its_own_reads() -> None:
    """It closes with the stream."""
    with client_for(Owning) as client:
        assert client.get("/numbers").text == "1\n"
