"""What a constraint of the database refuses is said of the record's fields, with ActiveRecord's errors."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship

from lineside.abilities import Ability, Rules
from lineside.abilities.fastapi import ability_for
from lineside.controllers.resource import ResourceController
from lineside.exceptions import RecordInvalid
from lineside.models import Database, InvalidForeignKey, Model, RecordNotUnique, validates
from lineside.models.fastapi import SessionDep, install_database
from lineside.routing import resources
from lineside.testing import TestApp

pytestmark = pytest.mark.anyio

TAKEN = "has already been taken"
MISSING = "must exist"


class Base(Model, registry=registry()): ...


class Shelf(Base, table=True):
    __tablename__ = "refusal_shelf"
    __table_args__ = (UniqueConstraint("room", "place"),)
    permit = ("room", "place")
    room: int = 0
    place: int = 0
    parent_id: int | None = Field(default=None, foreign_key="refusal_shelf.id")
    books: list["Book"] = Relationship(
        back_populates="shelf",
        passive_deletes="all",
        sa_relationship_kwargs={"foreign_keys": "Book.shelf_id"},
    )


@validates("code", uniqueness=True, if_="is_careful", message="is in use")
class Book(Base, table=True):
    __tablename__ = "refusal_book"
    __table_args__ = (
        ForeignKeyConstraint(["room", "place"], ["refusal_shelf.room", "refusal_shelf.place"]),
        Index("refusal_book_partial", "code", unique=True),
    )
    permit = ("isbn", "shelf_id", "room", "place")
    isbn: str = Field(unique=True)
    code: str | None = None
    shelf_id: int | None = Field(default=None, foreign_key="refusal_shelf.id")
    room: int | None = None
    place: int | None = None
    shelf: Shelf | None = Relationship(
        back_populates="books", sa_relationship_kwargs={"foreign_keys": "Book.shelf_id"}
    )

    @property
    def is_careful(self) -> bool:
        return False


Work = Callable[..., Awaitable[None]]


@pytest.fixture(params=["save", "commit", "sync save", "sync commit", "psycopg"])
def write(request: pytest.FixtureRequest, database: Database) -> Work:
    """Give a function that writes records in a session of its own, in each of the ways there are."""

    async def save(*records: Any) -> None:
        async with database.session():
            for record in records:
                await record.save()

    async def commit(*records: Any) -> None:
        async with database.session() as session:
            session.add_all(records)

    async def sync_save(*records: Any) -> None:
        with database.sync_session():
            for record in records:
                record.sync.save()

    async def sync_commit(*records: Any) -> None:
        with database.sync_session() as session:
            session.add_all(records)

    async def psycopg(*records: Any) -> None:
        if database.engine.dialect.name == "sqlite":
            pytest.skip("a driver of PostgreSQL")
        other = Database(database.url.set(drivername="postgresql+psycopg").render_as_string(False))
        try:
            async with other.session() as session:
                session.add_all(records)
        finally:
            await other.dispose()

    ways = {"save": save, "commit": commit, "sync save": sync_save, "sync commit": sync_commit}
    return ways.get(request.param, psycopg)


async def rows(database: Database) -> int:
    async with database.session():
        return await Book.query().count()


class TestUnique:
    """A unique index is a validation that cannot be raced."""

    async def test_of_a_column(self, database: Database, write: Work) -> None:
        """Declared nowhere but in the column; both kinds of error are it."""
        await write(Book(isbn="1"))
        book = Book(isbn="1")
        with pytest.raises(RecordNotUnique) as caught:
            await write(book)
        assert caught.value.record is book
        assert book.errors.messages == {"isbn": [TAKEN]}
        assert str(caught.value) == f"Book is invalid: Isbn {TAKEN}"
        assert isinstance(caught.value, RecordInvalid)
        assert isinstance(caught.value, IntegrityError)
        assert caught.value.orig is caught.value.__cause__
        assert "refusal_book" in (caught.value.statement or "")
        assert await rows(database) == 1

    async def test_of_several_columns(self, write: Work) -> None:
        """Each of them is named."""
        await write(Shelf(room=1, place=1))
        shelf = Shelf(room=1, place=1)
        with pytest.raises(RecordNotUnique):
            await write(shelf)
        assert shelf.errors.messages == {"room": [TAKEN], "place": [TAKEN]}

    async def test_the_message_of_a_declared_uniqueness(self, write: Work) -> None:
        """As when the question had found it out."""
        await write(Book(isbn="1", code="x"))
        book = Book(isbn="2", code="x")
        with pytest.raises(RecordNotUnique):
            await write(book)
        assert book.errors.messages == {"code": ["is in use"]}

    async def test_of_an_update(self, database: Database, write: Work) -> None:
        """A change is refused as a new row is."""
        await write(Book(isbn="1"), Book(isbn="2"))
        async with database.session():
            book = await Book.find_or_raise(isbn="2")
        book.isbn = "1"
        with pytest.raises(RecordNotUnique):
            await write(book)
        assert book.errors.messages == {"isbn": [TAKEN]}

    async def test_the_record_that_is_meant(self, database: Database, write: Work) -> None:
        """Of several that are written at once, whoever was refused has the error, and no other."""
        await write(Book(isbn="1"))
        books = [Book(isbn="0"), Book(isbn="1"), Book(isbn="2")]
        with pytest.raises(RecordNotUnique) as caught:
            await write(*books)
        assert caught.value.record is books[1]
        assert [len(book.errors) for book in books] == [0, 1, 0]
        assert await rows(database) == 1

    async def test_two_that_are_new(self, write: Work) -> None:
        """The later one is too many."""
        books = [Book(isbn="1"), Book(isbn="1"), Book(isbn="2")]
        with pytest.raises(RecordNotUnique) as caught:
            await write(*books)
        assert caught.value.record is books[1]

    async def test_a_savepoint_keeps_the_transaction(self, database: Database) -> None:
        """The error is caught inside, and the rest is written."""
        async with database.session():
            await Book.create(isbn="1")
            with pytest.raises(RecordNotUnique):
                async with database.transaction():
                    await Book.create(isbn="1")
            await Book.create(isbn="2")
        assert await rows(database) == 2


class TestForeignKey:
    """A key that points nowhere is the fault of its field."""

    async def test_of_a_new_record(self, database: Database, write: Work) -> None:
        """SQLite names nothing, and is asked."""
        book = Book(isbn="1", shelf_id=99)
        with pytest.raises(InvalidForeignKey) as caught:
            await write(book)
        assert book.errors.messages == {"shelf_id": [MISSING]}
        assert str(caught.value) == f"Book is invalid: Shelf {MISSING}"
        assert isinstance(caught.value, RecordInvalid)
        assert isinstance(caught.value, IntegrityError)
        assert await rows(database) == 0

    async def test_of_an_update(self, database: Database, write: Work) -> None:
        """A change is refused as a new row is."""
        await write(Shelf(), Book(isbn="1"))
        async with database.session():
            book = await Book.find_or_raise(isbn="1")
        book.shelf_id = 99
        with pytest.raises(InvalidForeignKey):
            await write(book)
        assert book.errors.messages == {"shelf_id": [MISSING]}

    async def test_of_several_columns(self, write: Work) -> None:
        """Each of them is named; the key that is good is not."""
        await write(Shelf(id=1, room=1, place=1))
        book = Book(isbn="1", shelf_id=1, room=1, place=2)
        with pytest.raises(InvalidForeignKey):
            await write(book)
        assert book.errors.messages == {"room": [MISSING], "place": [MISSING]}

    async def test_the_record_that_is_meant(self, write: Work) -> None:
        """Of several that are written at once, whoever was refused has the error, and no other."""
        await write(Shelf(id=1))
        books = [Book(isbn="1", shelf_id=1), Book(isbn="2", shelf_id=99), Book(isbn="3", shelf_id=1)]
        with pytest.raises(InvalidForeignKey) as caught:
            await write(*books)
        assert caught.value.record is books[1]
        assert [len(book.errors) for book in books] == [0, 1, 0]

    async def test_of_the_same_table(self, write: Work) -> None:
        """A tree."""
        shelf = Shelf(parent_id=99)
        with pytest.raises(InvalidForeignKey):
            await write(shelf)
        assert shelf.errors.messages == {"parent_id": [MISSING]}

    async def test_a_row_that_others_point_to(self, database: Database) -> None:
        """Nothing is wrong with its fields: it stays the database's error, for a DELETE and a new key."""
        async with database.session():
            await Book.create(isbn="1", shelf=Shelf(id=1))
        for change in (lambda shelf: shelf.destroy(), lambda shelf: shelf.update(id=2)):
            with pytest.raises(IntegrityError) as caught:
                async with database.session():
                    await change(await Shelf.find(1))
            assert not isinstance(caught.value, RecordInvalid)


class TestOtherConstraints:
    """What says nothing of a field that a client could mend."""

    async def test_a_row_that_no_record_writes(self, database: Database) -> None:
        """A statement of one's own is not a flush."""
        async with database.session():
            with pytest.raises(IntegrityError) as caught:
                await Book.insert_all([{"isbn": "1"}, {"isbn": "1"}])
            assert not isinstance(caught.value, RecordInvalid)


def define_abilities(user: None, rules: Rules) -> None:
    rules.can("manage", Book)


CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities))]


class BooksController(ResourceController[Book]):
    ability: CurrentAbility


class TestAnswer:
    """In a route: a 422 on the field."""

    @pytest.fixture
    def app(self, database: Database) -> FastAPI:
        app = FastAPI()
        install_database(app, database.url.render_as_string(False))
        resources(app, "books", BooksController)

        @app.post("/plain")
        async def create(data: Book.In, _session: SessionDep) -> None:
            await Book.create(data)

        @app.post("/committed")
        async def commit(data: Book.In, session: SessionDep) -> None:
            session.add(Book.build(data))

        return app

    @pytest.mark.parametrize("path", ["/books", "/plain", "/committed"])
    async def test_on_the_field(self, app: FastAPI, path: str) -> None:
        """By hand, at the commit, and by a resource controller, whose 409 is for other conflicts."""
        with TestApp(app) as client:
            assert client.post(path, json={"isbn": "1"}).status_code < 300
            taken = client.post(path, json={"isbn": "1"}).assert_status(422)
            missing = client.post(path, json={"isbn": "2", "shelf_id": 9}).assert_status(422)
        assert taken.json()["detail"] == [
            {"type": "taken", "loc": ["body", "isbn"], "msg": TAKEN, "input": "1"}
        ]
        assert missing.json()["detail"] == [
            {"type": "required", "loc": ["body", "shelf_id"], "msg": MISSING, "input": 9}
        ]
