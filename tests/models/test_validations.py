"""`validates`, `validates_with` and `validate`: when a rule counts, who inherits it, what runs when."""

import asyncio
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from sqlalchemy import create_engine, func
from sqlalchemy.orm import Session, make_transient_to_detached, registry
from sqlmodel import Field, Relationship, SQLModel, select

from lineside.exceptions import CallbackError
from lineside.models import Database
from lineside.models._validation._declarations import validate, validates, validates_with
from lineside.models._validation._errors import Errors, errors_of
from lineside.models._validation._validations import validate as run


class Base(SQLModel, registry=registry()): ...


def shouts(record: Any, errors: Errors) -> None:
    if record.title.isupper():
        errors.add("title", "shouts")


class Polite:
    """A validator as an object."""

    def validate(self, record: Any, errors: Errors) -> None:
        if "damn" in record.title:
            errors.add_to_base("Be polite")


@validates("title", presence=True, length={"maximum": 20})
@validates("title", exclusion=["old"], on="create")
@validates("title", exclusion=["new"], on="update")
@validates("summary", presence=True, if_="is_published")
@validates("summary", length={"maximum": 5}, unless=lambda post: post.is_long)
@validates("views", numericality={"less_than": "limit"})
@validates_with(shouts, Polite())
class Entry(Base):
    title: str
    summary: str = ""
    views: int = 0
    limit: int = 100
    is_long: bool = False
    state: str = "draft"

    def is_published(self) -> bool:
        return self.state == "published"

    @validate
    def has_no_spam(self) -> None:
        if "spam" in self.title:
            errors_of(self).add("title", "looks like spam", type="spam")

    @validate(on="create", if_="is_published")
    def is_not_published_at_once(self) -> None:
        errors_of(self).add_to_base("Write it first")


class Author(Base, table=True):
    __tablename__ = "validations_author"

    id: int | None = Field(default=None, primary_key=True)
    posts: list["Post"] = Relationship(back_populates="author")


@validates("author", presence=True)
class Post(Entry, table=True):
    __tablename__ = "validations_post"

    id: int | None = Field(default=None, primary_key=True)
    author_id: int | None = Field(default=None, foreign_key="validations_author.id")
    author: Author | None = Relationship(back_populates="posts")


@validates("title", length={"minimum": 3})
class Page(Entry, table=True):
    __tablename__ = "validations_page"

    id: int | None = Field(default=None, primary_key=True)

    def has_no_spam(self) -> None:
        """Pages may have it: the method of the subclass takes the place of the base's."""


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(create_engine("sqlite://")) as session:
        yield session


def page(session: Session, *, on: Literal["create", "update"] = "create", **values: Any) -> list[str]:
    record = Page(**{"title": "hello", "id": 1, **values})
    assert run(record, session, on=on) is not bool(errors_of(record))
    return errors_of(record).full_messages()


class TestWhen:
    """A rule counts on its occasion and under its condition."""

    @pytest.mark.parametrize(
        ("on", "title", "said"),
        [
            ("create", "old", ["Title is reserved"]),
            ("update", "old", []),
            ("create", "new", []),
            ("update", "new", ["Title is reserved"]),
        ],
    )
    def test_on(self, session: Session, on: Literal["create", "update"], title: str, said: list[str]) -> None:
        """For new records, or for changes."""
        assert page(session, on=on, title=title) == said

    def test_if_names_a_method(self, session: Session) -> None:
        """It is called."""
        assert page(session, on="update", state="draft") == []
        assert page(session, on="update", state="published") == ["Summary can't be blank"]

    def test_unless_is_a_function(self, session: Session) -> None:
        """It is given the record."""
        assert page(session, summary="abcdef") == ["Summary is too long (maximum is 5 characters)"]
        assert page(session, summary="abcdef", is_long=True) == []

    def test_a_condition_of_a_method(self, session: Session) -> None:
        """On and if, both."""
        values = {"state": "published", "summary": "x"}
        assert page(session, on="create", **values) == ["Write it first"]
        assert page(session, on="update", **values) == []

    def test_a_condition_is_not_asked_of_values_of_other_types(self, session: Session) -> None:
        """What a client has sent must not reach code that expects an int; the type is told alone."""
        said = "Is long: Input should be a valid boolean, unable to interpret input"
        assert page(session, is_long="maybe", summary="abcdef") == [said]

    def test_an_operand_of_another_type_says_nothing(self, session: Session) -> None:
        """It is no number to be less than."""
        said = "Limit: Input should be a valid integer, unable to parse string as an integer"
        assert page(session, limit="x", views=5) == [said]


class TestOrder:
    """Types first, then rules, then what looks at the whole record."""

    def test_a_broken_field_is_told_once(self, session: Session) -> None:
        """No rule looks at a value that is not of its type."""
        said = "Views: Input should be a valid integer, unable to parse string as an integer"
        assert page(session, views="x") == [said]

    def test_what_is_missing_can_be_blank_in_rails_words(self, session: Session) -> None:
        """Where presence is declared, it speaks for the type."""
        record = Page()
        run(record, session, on="create")
        assert errors_of(record)["title"] == ["can't be blank", "is too short (minimum is 3 characters)"]
        assert errors_of(record).on("title")[0].type == "blank"

    def test_methods_do_not_run_without_types(self, session: Session) -> None:
        """They would fail on them: `"spam" in None`."""
        assert page(session, title=None) == [
            "Title can't be blank",
            "Title is too short (minimum is 3 characters)",
        ]

    def test_methods_run_beside_broken_rules(self, session: Session) -> None:
        """All that is wrong is told at once, from the top of the class to its bottom."""
        assert page(session, title="DAMN damn damn damn damn", views=200) == [
            "Title is too long (maximum is 20 characters)",
            "Views must be less than 100",
            "Be polite",
        ]

    def test_errors_begin_anew(self, session: Session) -> None:
        """What was wrong before, or was added by hand, is forgotten."""
        record = Page(title="")
        assert not run(record, session, on="create")
        record.title = "hello"
        errors_of(record).add("title", "is mine")
        assert run(record, session, on="create")
        assert errors_of(record).messages == {}


class TestInheritance:
    """A class has the rules of its bases, and keeps its own to itself."""

    def test_a_subclass_adds_rules(self, session: Session) -> None:
        """Its siblings do not see them."""
        assert page(session, title="ab") == ["Title is too short (minimum is 3 characters)"]
        post = Post(title="ab", author=Author())
        assert run(post, session, on="create")

    def test_a_method_that_is_overridden_gives_way(self, session: Session) -> None:
        """The subclass decides what it does."""
        assert page(session, title="spam") == []
        post = Post(title="spam", author=Author())
        run(post, session, on="create")
        assert [(error.field, error.type) for error in errors_of(post)] == [("title", "spam")]


class TestRelationships:
    """A relationship is present if the other record is there, or its key."""

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({}, ["can't be blank"]),
            ({"author": None}, ["can't be blank"]),
            ({"author": Author()}, []),
            ({"author_id": 1}, []),  # it is not loaded to be looked at
        ],
    )
    def test_presence(self, session: Session, values: dict[str, Any], said: list[str]) -> None:
        """Without a query."""
        post = Post(title="hello", **values)
        run(post, session, on="create")
        assert errors_of(post)["author"] == said


@validates("name", presence=True)
class Account(Base, table=True):
    __tablename__ = "validations_account"

    id: int | None = Field(default=None, primary_key=True)
    name: str
    limit: int = 2

    async def is_limited(self) -> bool:
        await asyncio.sleep(0)
        return self.limit > 0

    @validate(if_="is_limited")
    async def is_within_its_limit(self) -> None:
        # A query of its own, in the session that is going to write it.
        session: Any = self._session  # type: ignore[attr-defined]
        count = (await session.exec(select(func.count()).select_from(Account))).one()
        if count >= self.limit:
            errors_of(self).add_to_base("There are too many")


async def async_validator(record: Any, errors: Errors) -> None:
    await asyncio.sleep(0)
    errors.add_to_base("Never")


@validates_with(async_validator)
class Never(Base, table=True):
    __tablename__ = "validations_never"

    id: int | None = Field(default=None, primary_key=True)


class TestAsync:
    """Under an AsyncSession a method may wait; under a sync one it is refused by name."""

    @pytest.mark.anyio
    async def test_a_method_may_ask_the_database(self, database: Database) -> None:
        """It is waited for, and so is its condition."""
        async with database.session() as session:
            for number, is_valid in ((1, True), (2, True), (3, False)):
                account = Account(name=f"{number}")
                object.__setattr__(account, "_session", session)
                found = await session.run_sync(lambda sync, it=account: run(it, sync, on="create"))
                assert found is is_valid
                if is_valid:
                    session.add(account)
                    await session.flush()
        assert errors_of(account).full_messages() == ["There are too many"]

    @pytest.mark.anyio
    async def test_a_validator_may_wait(self, database: Database) -> None:
        """A function or an object."""
        never = Never()
        async with database.session() as session:
            assert not await session.run_sync(lambda sync: run(never, sync, on="create"))
        assert errors_of(never)["base"] == ["Never"]

    @pytest.mark.parametrize("record", [Account(name="x"), Never()])
    def test_a_sync_session_cannot_wait(self, session: Session, record: Any) -> None:
        """The error says what to write, and no coroutine is left behind."""
        with pytest.raises(CallbackError, match="is async, and this session is a sync Session"):
            run(record, session, on="create")


@validates("title", "owner", presence=True, length={"minimum": 3})
class Sparse(Base, table=True):
    __tablename__ = "validations_sparse"

    id: int | None = Field(default=None, primary_key=True)
    title: str
    owner_id: int = Field(foreign_key="validations_author.id")
    owner: Author = Relationship()


def test_an_attribute_that_is_not_loaded_is_not_validated(session: Session) -> None:
    """Nor read: a query for it would fail here, without a table."""
    record = Sparse(id=1)
    make_transient_to_detached(record)
    session.add(record)
    assert "title" not in record.__dict__
    assert run(record, session, on="update")
    assert "title" not in record.__dict__
