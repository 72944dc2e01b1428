"""`SoftDelete` beside associations, joins, counters and uniqueness: all agree about hidden rows."""

from typing import Any

import pytest
from sqlalchemy import Index, text
from sqlalchemy.orm import Session, registry
from sqlmodel import Field, Relationship

from lineside.exceptions import ConfigurationError, RecordInvalid
from lineside.models import Database, validates
from lineside.models._association._declared import belongs_to, has_many
from lineside.models._base._model import Model
from lineside.models._base._soft_delete import SoftDelete
from lineside.models._exceptions import DeleteRestrictionError
from tests.models.reading import read

pytestmark = pytest.mark.anyio

destroyed: list[str] = []


@pytest.fixture(autouse=True)
def forget() -> None:
    destroyed.clear()


class Base(Model, registry=registry()):
    pass


class Named(Base):
    name: str = ""

    def before_destroy(self) -> None:
        destroyed.append(self.name)


@has_many("reviews", dependent="destroy")
@has_many("loans", dependent="restrict")
@has_many("marks", dependent="nullify")
@has_many("scans", dependent="delete_all")
class Book(Named, table=True):
    __tablename__ = "neighbour_book"
    reviews_count: int = 0
    reviews: list["Review"] = Relationship(back_populates="book")
    loans: list["Loan"] = Relationship()
    marks: list["Mark"] = Relationship()
    scans: list["Scan"] = Relationship()


@belongs_to("book", counter_cache="reviews_count")
@has_many("answers", dependent="destroy")
class Review(SoftDelete, Named, table=True):
    __tablename__ = "neighbour_review"
    book_id: int = Field(foreign_key="neighbour_book.id")
    book: Book = Relationship(back_populates="reviews")
    answers: list["Answer"] = Relationship(back_populates="review")


class Answer(SoftDelete, Named, table=True):
    __tablename__ = "neighbour_answer"
    review_id: int = Field(foreign_key="neighbour_review.id")
    review: Review | None = Relationship(back_populates="answers")


class Loan(SoftDelete, Named, table=True):
    __tablename__ = "neighbour_loan"
    book_id: int = Field(foreign_key="neighbour_book.id")


class Mark(SoftDelete, Named, table=True):
    __tablename__ = "neighbour_mark"
    book_id: int | None = Field(default=None, foreign_key="neighbour_book.id")


class Scan(SoftDelete, Named, table=True):
    __tablename__ = "neighbour_scan"
    book_id: int = Field(foreign_key="neighbour_book.id")


@has_many("papers", dependent="restrict")
@has_many("notes", dependent="nullify")
@has_many("files", dependent="delete_all")
class Desk(SoftDelete, Named, table=True):
    """An owner that is hidden itself."""

    __tablename__ = "neighbour_desk"
    papers: list["Paper"] = Relationship()
    notes: list["Note"] = Relationship()
    files: list["File"] = Relationship()


class Paper(SoftDelete, Named, table=True):
    __tablename__ = "neighbour_paper"
    desk_id: int = Field(foreign_key="neighbour_desk.id")


class Note(SoftDelete, Named, table=True):
    __tablename__ = "neighbour_note"
    desk_id: int | None = Field(default=None, foreign_key="neighbour_desk.id")


class File(SoftDelete, Named, table=True):
    __tablename__ = "neighbour_file"
    desk_id: int = Field(foreign_key="neighbour_desk.id")


@validates("login", uniqueness=True)
class Member(SoftDelete, Base, table=True):
    __tablename__ = "neighbour_member"
    __table_args__ = (
        Index(
            "neighbour_live_logins",
            "login",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )
    login: str


@validates("login", uniqueness=True)
class Guest(SoftDelete, Base, table=True):
    """Its index counts hidden rows."""

    __tablename__ = "neighbour_guest"
    login: str = Field(unique=True)


@validates("login", uniqueness=True)
class Visitor(SoftDelete, Base, table=True):
    """No index keeps its names apart."""

    __tablename__ = "neighbour_visitor"
    login: str


async def rows(database: Database, table: str) -> int:
    [(number,)] = await read(database, f"SELECT count(*) FROM neighbour_{table}")
    return int(number)


async def with_reviews(database: Database, *names: str, hidden: str = "") -> Book:
    async with database.session():
        book = await Book.create(name="book")
        for name in names:
            review = await Review.create(name=name, book=book)
            await Answer.create(name=f"to {name}", review=review)
            if name == hidden:
                await review.destroy()
    destroyed.clear()
    async with database.session():
        return await Book.find(book.id)


async def test_rows_go_with_an_owner_whose_row_goes_be_they_hidden_or_not(database: Database) -> None:
    book = await with_reviews(database, "hidden", "shown", hidden="hidden")
    async with database.session():
        await book.destroy()
    assert [await rows(database, table) for table in ("book", "review", "answer")] == [0, 0, 0]
    assert destroyed == ["book", "hidden", "shown", "to hidden", "to shown"]


async def test_a_plain_delete_takes_them_along_too(database: Database) -> None:
    book = await with_reviews(database, "hidden", "shown", hidden="hidden")
    async with database.session() as session:
        await session.delete(await session.get_one(Book, book.id))
    assert [await rows(database, table) for table in ("book", "review", "answer")] == [0, 0, 0]


async def test_one_that_is_destroyed_in_the_same_flush_goes_for_good(database: Database) -> None:
    book = await with_reviews(database, "shown")
    async with database.session() as session:
        await session.delete(await Review.find_or_raise(name="shown"))
        await session.delete(await session.get_one(Book, book.id))
    assert [await rows(database, table) for table in ("book", "review", "answer")] == [0, 0, 0]


async def test_an_owner_that_is_only_hidden_leaves_hidden_rows_alone(database: Database) -> None:
    await with_reviews(database, "a")
    async with database.session():
        review = await Review.find_or_raise(name="a")
        await Answer.create(name="hidden", review=review)
        answer = await Answer.find_or_raise(name="hidden")
        await answer.destroy()
        before = answer.deleted_at
    destroyed.clear()
    async with database.session():
        await (await Review.find(review.id)).destroy()
    assert destroyed == ["a", "to a"]
    async with database.session():
        hidden = await Answer.with_deleted().find(answer.id)
        assert hidden.deleted_at == before
        assert hidden.review_id == review.id
        assert await Answer.only_deleted().count() == 2


async def test_a_hidden_owner_that_goes_for_good_takes_its_rows_along(database: Database) -> None:
    await with_reviews(database, "a")
    async with database.session():
        review = await Review.find_or_raise(name="a")
        await review.destroy()
        await review.really_destroy()
    assert [await rows(database, table) for table in ("book", "review", "answer")] == [1, 0, 0]


async def test_a_refused_destruction_for_good_is_forgotten(database: Database) -> None:
    book = await with_reviews(database, "a")
    async with database.session() as session:
        loan = await Loan.create(book_id=book.id)
        with pytest.raises(DeleteRestrictionError):
            await book.destroy()
        await loan.really_destroy()
        await session.commit()
        await (await Review.find_or_raise(name="a")).destroy()
    assert await rows(database, "review") == 1


async def test_shown_rows_restrict(database: Database) -> None:
    async with database.session():
        desk = await Desk.create()
        paper = await Paper.create(desk_id=desk.id)
        with pytest.raises(DeleteRestrictionError, match="Desk still has papers"):
            await desk.destroy()
        await paper.destroy()
        await desk.destroy()
    assert [await rows(database, table) for table in ("desk", "paper")] == [1, 1]


async def test_hidden_rows_restrict_an_owner_whose_row_goes_and_the_error_says_so(database: Database) -> None:
    async with database.session():
        book = await Book.create()
        loan = await Loan.create(book_id=book.id)
        await loan.destroy()
        with pytest.raises(DeleteRestrictionError, match=r"hides.*really_destroy"):
            await book.destroy()
        await loan.really_destroy()
        await book.destroy()
    assert [await rows(database, table) for table in ("book", "loan")] == [0, 0]


async def test_nullify_and_delete_all_see_hidden_rows_when_the_owners_row_goes(database: Database) -> None:
    async with database.session():
        book = await Book.create()
        await (await Mark.create(book_id=book.id)).destroy()
        await (await Scan.create(book_id=book.id)).destroy()
        await book.destroy()
    assert await read(database, "SELECT book_id FROM neighbour_mark") == [(None,)]
    assert await rows(database, "scan") == 0


async def test_nullify_and_delete_all_leave_hidden_rows_to_a_hidden_owner(database: Database) -> None:
    async with database.session():
        desk = await Desk.create()
        await (await Note.create(desk_id=desk.id)).destroy()
        await Note.create(name="shown", desk_id=desk.id)
        await (await File.create(desk_id=desk.id)).destroy()
        await File.create(name="shown", desk_id=desk.id)
        await desk.destroy()
    assert await read(database, "SELECT name, desk_id FROM neighbour_note ORDER BY name") == [
        ("", desk.id),
        ("shown", None),
    ]
    assert await read(database, "SELECT name FROM neighbour_file") == [("",)]


async def test_counters_are_reset_to_what_is_shown(database: Database) -> None:
    book = await with_reviews(database, "hidden", "shown", hidden="hidden")
    async with database.session():
        await Book.where(id=book.id).update_all(reviews_count=9)
        await Book.reset_counters(book.id, "reviews")
    assert await read(database, "SELECT reviews_count FROM neighbour_book") == [(1,)]


async def test_an_association_can_be_asked_for_hidden_rows(database: Database) -> None:
    book = await with_reviews(database, "hidden", "shown", hidden="hidden")
    async with database.session():
        reviews = book.association(Book.reviews)
        assert await reviews.pluck("name") == ["shown"]
        assert await reviews.with_deleted().order("name").pluck("name") == ["hidden", "shown"]
        assert await reviews.only_deleted().pluck("name") == ["hidden"]
        assert await reviews.where(name="shown").only_deleted().count() == 0
        review = await Review.find_or_raise(name="shown")
        with pytest.raises(ConfigurationError, match=r"Book hides no rows.*unscoped"):
            review.association("book").with_deleted()


def in_sync(session: Session, book_id: int) -> list[str]:
    book = session.get_one(Book, book_id)
    return book.sync.association(Book.reviews).only_deleted().pluck("name", session=session)


async def test_the_same_without_await(database: Database) -> None:
    book = await with_reviews(database, "hidden", "shown", hidden="hidden")
    async with database.session() as session:
        assert await session.run_sync(in_sync, book.id) == ["hidden"]


async def test_a_hidden_owner_is_not_loaded(database: Database) -> None:
    await with_reviews(database, "a")
    async with database.session():
        review = await Review.find_or_raise(name="a")
        await Answer.query().update_all(name="kept")
        await review.update_columns(deleted_at=review.created_at)
    async with database.session():
        answer = await Answer.find_or_raise(name="kept")
        assert (await answer.load("review")).review is None
        assert answer.review_id == review.id
        assert (await Answer.includes("review").find(answer.id)).review is None
        await answer.update(name="saved")
    async with database.session():
        found = await Answer.find_or_raise(name="saved")
        assert (await found.association("review").with_deleted().first()).is_deleted  # type: ignore[union-attr]


async def test_joins_leave_hidden_rows_out(database: Database) -> None:
    first = await with_reviews(database, "hidden", "shown", hidden="hidden")
    second = await with_reviews(database, "also hidden", hidden="also hidden")
    async with database.session():
        assert await Book.joins("reviews").ids() == [first.id]
        assert await Book.joins("reviews").order("id", "reviews.name").pluck("reviews.name") == ["shown"]
        outer = Book.query().left_joins("reviews").order("id").pluck("reviews.name")
        assert await outer == ["shown", None]
        assert await Book.joins("reviews.answers").pluck("reviews.answers.name") == ["to shown"]
        assert await Book.query().left_joins("reviews").where(**{"reviews.id": None}).ids() == [second.id]
        assert await Book.joins("reviews").group("reviews.name").count() == {"shown": 1}


async def test_each_way_to_load_an_association_leaves_hidden_rows_out(database: Database) -> None:
    await with_reviews(database, "hidden", "shown", hidden="hidden")
    await with_reviews(database, "also hidden", hidden="also hidden")
    for query in (Book.query().eager_load("reviews.answers"), Book.includes("reviews.answers")):
        async with database.session():
            books = await query.order("id").all()
            assert [[review.name for review in book.reviews] for book in books] == [["shown"], []]
            assert [answer.name for answer in books[0].reviews[0].answers] == ["to shown"]


async def taken(model: Any, login: str) -> Any:
    with pytest.raises(RecordInvalid) as caught:
        await model.create(login=login)
    return caught.value.errors["login"]  # type: ignore[index]


async def test_a_value_of_a_hidden_row_is_not_taken(database: Database) -> None:
    async with database.session():
        first = await Member.create(login="ada")
        assert await taken(Member, "ada") == ["has already been taken"]
        await first.destroy()
        await Member.create(login="ada")
    assert await rows(database, "member") == 2


async def test_an_index_that_counts_hidden_rows_says_it_in_the_same_words(database: Database) -> None:
    async with database.session():
        await (await Guest.create(login="ada")).destroy()
    async with database.session() as session:
        assert await taken(Guest, "ada") == ["has already been taken"]
        await session.rollback()


@pytest.mark.parametrize("model", [Member, Visitor])
async def test_what_is_restored_must_still_be_unique(database: Database, model: Any) -> None:
    async with database.session():
        first = await model.create(login="ada")
        await first.destroy()
        await model.create(login="ada")
    async with database.session():
        with pytest.raises(RecordInvalid):
            await (await model.only_deleted().find(first.id)).restore()
    async with database.session():
        assert await model.count() == 1
