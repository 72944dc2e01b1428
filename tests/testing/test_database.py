"""``app.db``: the app's database from a test that is not async."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from lineside.models.fastapi import SessionDep, install_database
from lineside.testing import TestApp


class Book(SQLModel, table=True):
    __tablename__ = "testing_book"

    id: int | None = Field(default=None, primary_key=True)
    title: str = Field(unique=True)


@pytest.fixture(params=["file", "memory"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> FastAPI:
    """Make an app with a database in a file, and in memory."""
    app = FastAPI()
    url = f"sqlite:///{tmp_path / 'books.sqlite3'}" if request.param == "file" else "sqlite://"
    install_database(app, url, create_tables=True)

    @app.post("/books", status_code=201)
    async def create(title: str, session: SessionDep) -> None:
        session.add(Book(title=title))

    @app.get("/books")
    async def count(session: SessionDep) -> list[str]:
        from sqlmodel import select

        return [book.title for book in (await session.exec(select(Book))).all()]

    return app


def test_a_test_sees_what_a_request_stored(test_app: TestApp) -> None:
    """``first`` gives the row with the lowest key, ``all`` gives all, ``count`` their number."""
    assert test_app.db.first(Book) is None
    for title in ("Emma", "Dune", "Ivanhoe"):
        test_app.post("/books", params={"title": title}).assert_status(201)
    first = test_app.db.first(Book)
    assert first is not None
    assert first.title == "Emma"
    assert [book.title for book in test_app.db.all(Book)] == ["Emma", "Dune", "Ivanhoe"]
    assert [book.title for book in test_app.db.all(Book, Book.title == "Dune")] == ["Dune"]
    assert test_app.db.count(Book, Book.title != "Dune") == 2


def test_a_request_sees_what_a_test_stored(test_app: TestApp) -> None:
    """``add`` commits, and gives the row its key."""
    assert test_app.db.add(Book(title="Emma")).id == 1
    test_app.get("/books").assert_json(["Emma"])


def test_run_commits_or_rolls_back(test_app: TestApp) -> None:
    """A function gets a session, and what it raises leaves nothing behind."""

    async def two(session: AsyncSession) -> str:
        session.add_all([Book(title="Emma"), Book(title="Dune")])
        return "done"

    async def broken(session: AsyncSession) -> None:
        session.add(Book(title="Ivanhoe"))
        await session.flush()
        raise ZeroDivisionError

    assert test_app.db.run(two) == "done"
    with pytest.raises(ZeroDivisionError):
        test_app.db.run(broken)
    with pytest.raises(IntegrityError):
        test_app.db.add(Book(title="Emma"))
    assert test_app.db.count(Book) == 2
