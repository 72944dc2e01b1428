"""The types of a table's fields, checked before anything is written; SQLModel checks none of them."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from functools import wraps
from typing import Any, Literal

import pytest
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import NaiveDatetime, ValidationInfo, field_validator, model_validator, validator
from sqlalchemy import (
    JSON,
    BigInteger,
    Enum,
    Numeric,
    SmallInteger,
    String,
    create_engine,
    event,
    insert,
    inspect,
)
from sqlalchemy.orm import Session, registry
from sqlmodel import Column, Field, Relationship, SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from lineside.exceptions import ConfigurationError
from lineside.models import Database
from lineside.models._validation._errors import errors_of
from lineside.models._validation._validations import validate

pytestmark = pytest.mark.anyio


class Base(SQLModel, registry=registry()): ...


class Status(StrEnum):
    DRAFT = "draft"
    LIVE = "live"


class Author(Base, table=True):
    __tablename__ = "shadow_author"

    id: int | None = Field(default=None, primary_key=True)
    name: str = "Ada"
    posts: list["Post"] = Relationship(
        back_populates="author", sa_relationship_kwargs={"foreign_keys": "Post.author_id"}
    )
    drafts: list["Draft"] = Relationship()


class Post(Base, table=True):
    __tablename__ = "shadow_post"

    id: int | None = Field(default=None, primary_key=True)
    author_id: int = Field(foreign_key="shadow_author.id")
    editor_id: int | None = Field(default=None, foreign_key="shadow_author.id")
    author: Author = Relationship(
        back_populates="posts", sa_relationship_kwargs={"foreign_keys": "Post.author_id"}
    )


class Draft(Base, table=True):
    """It does not know its author: only the author knows it."""

    __tablename__ = "shadow_draft"

    id: int | None = Field(default=None, primary_key=True)
    author_id: int = Field(foreign_key="shadow_author.id")


class Everything(Base, table=True):
    __tablename__ = "shadow_everything"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(default="abc", min_length=2, max_length=5)
    short: str = Field(default="", sa_type=String(3))
    count: int = 0
    small: int = Field(default=0, sa_type=SmallInteger)
    big: int = Field(default=0, sa_type=BigInteger)
    price: Decimal = Field(default=Decimal(0), max_digits=5, decimal_places=2)
    rate: Decimal = Field(default=Decimal(0), sa_type=Numeric(5, 2))
    weight: float = 0.0
    status: Status = Status.DRAFT
    kind: str = Field(default="a", sa_column=Column(Enum("a", "b", name="shadow_kind"), nullable=False))
    mood: Literal["good", "bad"] = Field(default="good", sa_type=String)
    at: datetime | None = None
    local: NaiveDatetime | None = None
    lasts: timedelta | None = None
    key: uuid.UUID | None = None
    is_on: bool = False
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    numbers: list[int] = Field(default_factory=list, sa_type=JSON)
    server: int | None = Field(default=None, nullable=False, sa_column_kwargs={"server_default": "7"})


class Strict(Base, table=True):
    __tablename__ = "shadow_strict"

    id: int | None = Field(default=None, primary_key=True)
    count: int
    never_null: int | None = Field(nullable=False)


async def check(session: AsyncSession, record: Any, on: Literal["create", "update"] = "create") -> list[str]:
    """Validate a record, and return the sentences."""
    await session.run_sync(lambda sync: validate(record, sync, on=on))
    return errors_of(record).full_messages()


@pytest.fixture(params=["sqlite", "postgresql+asyncpg"])
def offline(request: pytest.FixtureRequest) -> Iterator[Session]:
    """Give a session that knows its dialect and never reaches its database."""
    with Session(create_engine(f"{request.param}://")) as session:
        yield session


def check_offline(session: Session, record: Any) -> list[str]:
    """Validate a new record, and return the sentences."""
    validate(record, session, on="create")
    return errors_of(record).full_messages()


@pytest.mark.parametrize(
    ("field", "given", "kept"),
    [
        ("count", "7", 7),
        ("count", 7.0, 7),
        ("weight", 1, 1.0),
        ("price", "1.50", Decimal("1.50")),
        ("status", "live", Status.LIVE),
        ("at", "2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("local", "2026-01-31T12:00:00", datetime(2026, 1, 31, 12)),  # noqa: DTZ001 - a column without zone
        ("lasts", "PT1H", timedelta(hours=1)),
        ("key", "123e4567-e89b-12d3-a456-426614174000", uuid.UUID("123e4567-e89b-12d3-a456-426614174000")),
        ("is_on", "true", True),
        ("numbers", ["1", 2], [1, 2]),
        ("numbers", (1, 2), [1, 2]),
        ("numbers", [Decimal(1), True], [1, 1]),  # equal before, and no JSON
    ],
)
async def test_a_value_is_put_into_its_type(database: Database, field: str, given: Any, kept: Any) -> None:
    """And that is what the row has, on every database."""
    async with database.session() as session:
        record = Everything(**{field: given})
        assert await check(session, record) == []
        assert getattr(record, field) == kept
        assert type(getattr(record, field)) is type(kept)
        if isinstance(kept, list):
            assert repr(getattr(record, field)) == repr(kept)
        session.add(record)
    async with database.session() as session:
        assert getattr((await session.exec(select(Everything))).one(), field) == kept


@pytest.mark.parametrize(
    ("field", "value", "kind", "message"),
    [
        (
            "count",
            "x",
            "int_parsing",
            "Input should be a valid integer, unable to parse string as an integer",
        ),
        ("count", 10**30, "less_than_equal", "Input should be less than or equal to "),
        ("count", -(10**30), "greater_than_equal", "Input should be greater than or equal to "),
        ("big", 2**63, "less_than_equal", f"Input should be less than or equal to {2**63 - 1}"),
        ("big", -(2**63) - 1, "greater_than_equal", f"Input should be greater than or equal to {-(2**63)}"),
        ("name", "a", "string_too_short", "String should have at least 2 characters"),
        ("name", "abcdef", "string_too_long", "String should have at most 5 characters"),
        ("short", "abcd", "string_too_long", "String should have at most 3 characters"),
        ("name", "a\x00b", "string_nul", "String should not contain NUL characters"),
        ("name", "a\ud800", "string_unicode", "Input should be a valid string"),
        (
            "price",
            "1234.00",
            "decimal_whole_digits",
            "Decimal input should have no more than 3 digits",
        ),
        ("price", "NaN", "finite_number", "Input should be a finite number"),
        ("rate", 1000, "decimal_whole_digits", "Input should have no more than 3 digits before the point"),
        (
            "rate",
            "999.995",
            "decimal_whole_digits",
            "Input should have no more than 3 digits before the point",
        ),
        ("rate", Decimal("1E+5000"), "decimal_whole_digits", "Input should have no more than 3 digits"),
        ("weight", float("nan"), "finite_number", "Input should be a finite number"),
        ("weight", float("-inf"), "finite_number", "Input should be a finite number"),
        ("status", "gone", "enum", "Input should be 'draft' or 'live'"),
        ("kind", "c", "enum", "Input should be 'a' or 'b'"),
        ("mood", "odd", "literal_error", "Input should be 'good' or 'bad'"),
        ("at", datetime(2026, 1, 1), "timezone_aware", "timezone info; add one, such as 2026-"),  # noqa: DTZ001
        ("at", "2026-01-01T00:00:00", "timezone_aware", "timezone info; add one"),
        (
            "at",
            datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))),
            "date_out_of_range",
            "between the years",
        ),
        ("local", datetime(2026, 1, 1, tzinfo=UTC), "timezone_naive", "Input should not have timezone info"),
        ("key", "x", "uuid_parsing", "Input should be a valid UUID"),
        ("data", [], "dict_type", "Input should be a valid dictionary"),
        ("data", {"a": ["b\x00"]}, "string_nul", "String should not contain NUL characters"),
        ("data", {"b\x00": 1}, "string_nul", "String should not contain NUL characters"),
        ("data", {"a": {"b": float("nan")}}, "finite_number", "Input should be a finite number"),
        ("data", {"a": "\ud800"}, "string_unicode", "Input should be a valid string"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_and_not_the_drivers(
    offline: Session, field: str, value: Any, kind: str, message: str
) -> None:
    """One error, on its field, with pydantic's type; nothing is sent to the database."""
    record = Everything(**{field: value})
    check_offline(offline, record)
    errors = list(errors_of(record))
    assert [(error.field, error.type) for error in errors] == [(field, kind)]
    assert message in errors[0].message


async def test_a_whole_number_has_the_range_that_the_database_gives_it(database: Database) -> None:
    """32 and 16 bits on PostgreSQL; SQLite keeps 64 in every column. What passes is written."""
    is_sqlite = database.engine.dialect.name == "sqlite"
    for field, bits in (("count", 31), ("small", 15), ("big", 63)):
        most = 2 ** (63 if is_sqlite else bits) - 1
        async with database.session() as session:
            for value in (most, -most - 1):
                record = Everything(**{field: value})
                assert await check(session, record) == []
                session.add(record)
            for value in (most + 1, -most - 2):
                assert await check(session, Everything(**{field: value})) != []


def test_places_inside_a_document_are_told(offline: Session) -> None:
    """The loc of FastAPI's 422 leads to the item."""
    record = Everything(numbers=[1, "x"])
    check_offline(offline, record)
    assert [entry["loc"] for entry in errors_of(record).details()] == [("body", "numbers", 1)]


def test_a_deep_document_is_refused(offline: Session) -> None:
    """Without recursion: neither Python's encoder nor the server could keep it."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    said = "Data: Input should not be nested more than 200 levels deep"
    assert check_offline(offline, Everything(data={"x": deep})) == [said]


def test_a_document_that_holds_itself_is_nested_too_deeply(offline: Session) -> None:
    circle: dict[str, Any] = {}
    circle["self"] = circle
    said = "Data: Input should not be nested more than 200 levels deep"
    assert check_offline(offline, Everything(data=circle)) == [said]


_plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**16), 2**16),
    st.sampled_from([2**15, 2**31, 2**63, -(2**15) - 1, -(2**31) - 1, -(2**63) - 1, 10**400]),
    st.floats(),
    st.decimals(),
    st.text(st.characters(codec=None), max_size=6),
    st.text("0123456789.-+eEnaif:TZ ", max_size=12),
    st.sampled_from(["a", "b", "draft", "good", "live", Status.LIVE, "\x00", "\ud800", "1e400"]),
    st.binary(max_size=4),
    st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=14))])),
    st.timedeltas(),
    st.uuids(),
)
_anything = st.recursive(
    _plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
_documents = st.dictionaries(st.text(max_size=3), st.one_of(st.text(max_size=3), st.floats(), st.none()))


async def test_what_is_valid_can_be_written(database: Database) -> None:
    """Whatever a field is given, the validation answers, and the driver accepts what passes."""
    names = sorted(Everything.model_fields.keys() - {"id", "data"})
    given_values = st.tuples(st.sampled_from(names), _anything) | st.tuples(st.just("data"), _documents)

    def try_all(session: Session) -> None:
        @settings(max_examples=250, deadline=None, database=None)
        @given(given_values)
        def holds(pair: tuple[str, Any]) -> None:
            record = Everything(**dict([pair]))
            if validate(record, session, on="create"):
                with session.begin_nested() as savepoint:
                    session.add(record)
                    session.flush()
                    savepoint.rollback()
            JSONResponse(jsonable_encoder(errors_of(record).details()))

        holds()

    async with database.session() as session:
        await session.run_sync(try_all)


class TestWhatIsNotThere:
    """Fields without a value: some are filled in, some must not be, and none is loaded."""

    async def test_what_the_database_fills_in_is_left_to_it(self, database: Database) -> None:
        """A numbered key, and a column with a server default."""
        async with database.session() as session:
            record = Everything()
            assert await check(session, record) == []
            session.add(record)
        async with database.session() as session:
            assert (await session.exec(select(Everything.server))).one() == 7

    async def test_a_row_that_exists_must_have_them(self, database: Database) -> None:
        """A server default is for new rows."""
        async with database.session() as session:
            record = Everything()
            session.add(record)
            await session.flush()
            await session.refresh(record)
            record.server = None
            assert await check(session, record, "update") == ["Server can't be blank"]
            session.expunge(record)

    async def test_a_required_field_that_was_never_set(self, database: Database) -> None:
        """Pydantic's words, and the words of a foreign key."""
        async with database.session() as session:
            record = Post()
            assert await check(session, record) == ["Author must exist"]
            assert errors_of(record).details()[0]["type"] == "required"
            assert await check(session, Post(author_id=None)) == ["Author must exist"]
            assert await check(session, Strict()) == ["Count: Field required", "Never null: Field required"]

    async def test_a_none_that_was_set(self, database: Database) -> None:
        """It is no value of an int, nor of a column that takes no NULL."""
        async with database.session() as session:
            assert await check(session, Strict(count=None, never_null=None)) == [
                "Count: Input should be a valid integer",
                "Never null can't be blank",
            ]

    async def test_what_is_not_loaded_is_not_asked_for(self, database: Database) -> None:
        """Expired and left-out attributes stay so, and no statement is sent."""
        async with database.session() as session:
            session.add(Everything())
        statements: list[str] = []
        async with database.session() as session:
            record = (await session.exec(select(Everything))).one()
            session.expire(record, ["name", "data"])

            @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
            def note(_c: Any, _cur: Any, statement: str, *_rest: Any) -> None:
                statements.append(statement)

            record.count = 5
            assert await check(session, record, "update") == []
            assert "name" not in record.__dict__
        assert [sql.split()[0] for sql in statements if not sql.startswith("SAVE")] == ["UPDATE"]

    async def test_an_unchanged_value_is_validated_and_stays_unchanged(self, database: Database) -> None:
        """As Rails validates the whole record; a validation writes nothing by itself."""
        async with database.session() as session:
            session.add(Everything(data={"a": [1]}, numbers=[1], at=datetime(2026, 1, 1, tzinfo=UTC)))
        async with database.session() as session:
            record = (await session.exec(select(Everything))).one()
            assert await check(session, record, "update") == []
            assert not session.is_modified(record)

    async def test_an_old_row_that_breaks_a_new_rule(self, database: Database) -> None:
        """It is refused with the next change, as in Rails, whatever that changes."""
        async with database.session() as session:
            await session.exec(insert(Everything).values(name="a", kind="a"))
        async with database.session() as session:
            record = (await session.exec(select(Everything))).one()
            record.count = 5
            assert await check(session, record, "update") == [
                "Name: String should have at least 2 characters"
            ]
            session.expunge(record)


class TestForeignKeys:
    """A key that the flush copies from a related record need not be there before."""

    async def test_a_related_record_fills_its_key_in(self, database: Database) -> None:
        """Whether it has a key already or not."""
        async with database.session() as session:
            author = Author()
            post = Post(author=author)
            assert await check(session, post) == []
            session.add(post)
            await session.flush()
            other = Post(author=author)
            assert await check(session, other) == []
            session.add(other)
        async with database.session() as session:
            assert (await session.exec(select(Post.author_id))).all() == [author.id] * 2

    async def test_a_collection_fills_the_key_in(self, database: Database) -> None:
        """Also where the record has no relationship back: a parent in the session holds it."""
        async with database.session() as session:
            author = Author()
            author.posts.append(Post())
            author.drafts.append(Draft())
            session.add(author)
            for record in (author.posts[0], author.drafts[0]):
                assert await check(session, record) == []
            assert await check(session, Draft()) == ["Author must exist"]

    async def test_a_related_record_that_is_taken_away_leaves_no_key(self, database: Database) -> None:
        """The flush would write NULL, whatever stands in the foreign key now."""
        async with database.session() as session:
            post = Post(author=Author())
            session.add(post)
            await session.flush()
            post.author = None  # type: ignore[assignment]
            assert post.author_id is not None
            assert await check(session, post, "update") == ["Author must exist"]
            session.expunge_all()

    async def test_an_optional_key_may_be_missing(self, database: Database) -> None:
        """NULL is a value of a nullable column."""
        async with database.session() as session:
            author = Author()
            session.add(author)
            await session.flush()
            assert await check(session, Post(author_id=author.id, editor_id=None)) == []

    async def test_a_key_has_a_type(self, database: Database) -> None:
        """As every other field."""
        async with database.session() as session:
            post = Post(author_id="x")
            assert await check(session, post) == [
                "Author: Input should be a valid integer, unable to parse string as an integer"
            ]


def passed_on(method: Any) -> Any:
    """Decorate a method without a word about its parameters, as decorators do."""

    @wraps(method)
    def passing(*arguments: Any) -> Any:
        return method(*arguments)

    return passing


class Checked(Base, table=True):
    """Everything that pydantic lets a model declare about its values."""

    __tablename__ = "shadow_checked"
    model_config = {"str_strip_whitespace": True}

    id: int | None = Field(default=None, primary_key=True)
    name: str
    start: int = 0
    end: int = 10

    @field_validator("name")
    @classmethod
    def not_root(cls, value: str) -> str:
        if value == "root":
            raise ValueError(f"no {cls.__name__} is called root")
        return value.title()

    @field_validator("end")
    @classmethod
    def not_before_start(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("start", 0):
            raise ValueError("is before start")
        return value

    @model_validator(mode="before")
    @classmethod
    def swapped(cls, data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "start": 1} if data.get("start") == "one" else data

    @model_validator(mode="after")
    def is_not_too_long(self) -> "Checked":
        # The record itself, and not a copy: SQLAlchemy knows it.
        assert inspect(self) is not None
        if self.end - self.start > 100:
            raise ValueError("too long")
        return self

    @model_validator(mode="after")
    @passed_on
    def with_info_behind_a_decorator(self, info: ValidationInfo) -> "Checked":
        if self.end == 14 and info is not None:
            raise ValueError("decorated")
        return self

    @model_validator(mode="after")
    def with_info(self, info: ValidationInfo) -> "Checked":
        if self.end == 13 and info is not None:
            raise ValueError("unlucky")
        return self


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": " ada "}, []),
        ({"name": "root"}, ["Name: Value error, no Checked is called root"]),
        ({"name": "a", "start": 5, "end": 4}, ["End: Value error, is before start"]),
        ({"name": "a", "start": "one"}, []),
        ({"name": "a", "end": 500}, ["Value error, too long"]),
        ({"name": "a", "end": 13}, ["Value error, unlucky"]),
        ({"name": "a", "end": 14}, ["Value error, decorated"]),
        ({"name": "root", "end": 500}, ["Name: Value error, no Checked is called root"]),
    ],
)
def test_pydantics_own_validators_hold(offline: Session, values: dict[str, Any], said: list[str]) -> None:
    """Those of fields, before and after, with the class and the other values they expect."""
    record = Checked(**values)
    assert check_offline(offline, record) == said
    if not said:
        assert record.name in ("Ada", "A")
        assert record.start in (0, 1)


def test_good_values_are_typed_beside_bad_ones(offline: Session) -> None:
    """What is validated next can rely on them."""
    record = Checked(name="root", start="5")
    assert check_offline(offline, record) == ["Name: Value error, no Checked is called root"]
    assert record.start == 5


@pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20")
def test_a_validator_of_pydantic_1_is_refused(offline: Session) -> None:
    """It cannot be carried over, and must not be left out in silence."""

    class OldBase(SQLModel, registry=registry()): ...

    class Old(OldBase, table=True):
        id: int | None = Field(default=None, primary_key=True)

        @validator("id")
        def old(cls, value: int) -> int:
            return value

    with pytest.raises(ConfigurationError, match="old; write them with @field_validator"):
        check_offline(offline, Old())
