"""The heart of abilities: a rule allows an object exactly when its filter finds the row."""

import asyncio
import enum
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from lineside.abilities import Ability, Rules
from lineside.exceptions import ConfigurationError


class Base(DeclarativeBase):
    pass


class Status(enum.Enum):
    DRAFT = "draft"
    LIVE = "live"


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str | None]
    posts: Mapped[list["Post"]] = relationship(back_populates="author", order_by="Post.id")


class Comment(Base):
    __tablename__ = "comments"
    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(sa.ForeignKey("posts.id"))
    spam: Mapped[bool | None]


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey("authors.id"))
    score: Mapped[int | None]
    limit: Mapped[int | None]
    title: Mapped[str | None]
    published: Mapped[bool | None]
    locked: Mapped[bool | None]
    status: Mapped[Status | None]
    author: Mapped[Author | None] = relationship(back_populates="posts")
    comments: Mapped[list[Comment]] = relationship()

    @hybrid_property
    def hot(self) -> Any:
        return self.score > 1


class Event(Base):
    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date | None]
    at: Mapped[datetime | None]
    ratio: Mapped[float | None]


INTS = st.none() | st.integers(0, 3)
BOOLS = st.none() | st.booleans()
WORDS = st.none() | st.sampled_from(["", "a", "B", "é", "a "])
STATUSES = st.none() | st.sampled_from(Status)

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "author_id": st.none() | st.integers(1, 3),
            "score": INTS,
            "limit": INTS,
            "title": WORDS,
            "published": BOOLS,
            "locked": BOOLS,
            "status": STATUSES,
            "spam": st.lists(BOOLS, max_size=2),
        }
    ),
    min_size=1,
    max_size=5,
)


def _values(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(values, max_size=3)
    return values | several | several.map(tuple) | several.map(frozenset)


CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "author_id": _values(INTS),
        "score": _values(INTS),
        "title": _values(WORDS),
        "published": _values(BOOLS),
        "status": _values(STATUSES),
        "author": st.fixed_dictionaries(
            {}, optional={"role": _values(WORDS), "posts": st.just({"locked": True})}
        ),
        "comments": st.fixed_dictionaries({}, optional={"spam": _values(BOOLS)}),
    },
)

INT_COLUMNS = st.sampled_from([Post.author_id, Post.score, Post.limit])
INT_OPERANDS = st.one_of(INT_COLUMNS, st.integers(0, 3))
FLAGS = st.sampled_from([Post.published, Post.locked])

LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.builds(lambda a, b: a == b, INT_COLUMNS, INT_OPERANDS | st.none()),
    st.builds(lambda a, b: a != b, INT_COLUMNS, INT_OPERANDS | st.none()),
    st.builds(lambda a, b: a < b, INT_COLUMNS, INT_OPERANDS),
    st.builds(lambda a, b: a <= b, INT_COLUMNS, INT_OPERANDS),
    st.builds(lambda a, b: a > b, INT_COLUMNS, INT_OPERANDS),
    st.builds(lambda a, b: a >= b, INT_COLUMNS, INT_OPERANDS),
    st.builds(lambda a, b: a.is_distinct_from(b), INT_COLUMNS, INT_OPERANDS | st.none()),
    st.builds(lambda a, b: a.is_not_distinct_from(b), INT_COLUMNS, INT_OPERANDS | st.none()),
    st.builds(lambda a, b: a.in_(b), INT_COLUMNS, st.lists(INTS, max_size=3)),
    st.builds(lambda a, b: a.not_in(b), INT_COLUMNS, st.lists(INTS, max_size=3)),
    st.builds(lambda a, b, c: a.between(b, c), INT_COLUMNS, INT_OPERANDS, INT_OPERANDS),
    st.builds(lambda a, b: a == b, st.just(Post.title), WORDS),
    st.builds(lambda a, b: a != b, st.just(Post.title), WORDS),
    st.builds(lambda a, b: a == b, st.just(Post.status), STATUSES),
    st.builds(lambda a, b: a.is_(b), FLAGS, BOOLS),
    st.builds(lambda a, b: a.is_not(b), FLAGS, BOOLS),
    st.builds(lambda a, b: a == b, FLAGS, BOOLS),
    st.builds(lambda a, b: a != b, FLAGS, BOOLS),
    st.just(Post.published == Post.locked),
    FLAGS,
    FLAGS.map(lambda flag: ~flag),
    st.just(Post.hot),
    st.sampled_from([sa.true(), sa.false()]),
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: sa.and_(*parts)),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: sa.or_(*parts)),
        inner.map(sa.not_),
    ),
    max_leaves=5,
)

# A rule is open, has one condition, or has many: mostly simple, so that rules often overlap.
PARTS: st.SearchStrategy[tuple[list[Any], dict[str, Any]]] = st.one_of(
    st.just(([], {})),
    LEAVES.map(lambda one: ([one], {})),
    st.tuples(st.sampled_from(["score", "published"]), BOOLS).map(
        lambda pair: ([], {pair[0]: pair[1] if pair[0] == "published" else 1})
    ),
    EXPRESSIONS.map(lambda one: ([one], {})),
    st.tuples(st.lists(EXPRESSIONS, max_size=2), CONDITIONS),
)
RULES = st.lists(
    st.tuples(
        st.booleans(),  # can or cannot
        st.sampled_from(["read", "read", "manage", "index", "update", ["update", "read"]]),
        st.sampled_from([Post, Post, Post, "all", Author]),
        PARTS,
        st.sampled_from([None, None, None, ["title"]]),
    ),
    max_size=5,
)


def _definition(written: list[Any]) -> Callable[[object, Rules], None]:
    def define(_: object, rules: Rules) -> None:
        for allow, actions, subject, (expressions, conditions), attributes in written:
            parts = (expressions, conditions) if subject is Post else ((), {})
            verb = rules.can if allow else rules.cannot
            limited = attributes if subject is Post else None
            verb(actions, subject, *parts[0], attributes=limited, **parts[1])

    return define


Run = Callable[[Callable[[Session], None]], None]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Give a function that runs another one with a session; its rows are gone the next time."""
    start = _on_sqlite if request.param == "sqlite" else _on_postgresql
    with start(request) as run:
        yield run


@contextmanager
def _on_sqlite(_: pytest.FixtureRequest) -> Iterator[Run]:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:

        def run(work: Callable[[Session], None]) -> None:
            work(session)
            session.rollback()

        yield run
    engine.dispose()


@contextmanager
def _on_postgresql(request: pytest.FixtureRequest) -> Iterator[Run]:
    server: str = request.getfixturevalue("postgres_url")
    name = f"test_{secrets.token_hex(8)}"
    with asyncio.Runner() as runner:

        async def create() -> AsyncEngine:
            connection = await asyncpg.connect(server)
            await connection.execute(f'CREATE DATABASE "{name}"')
            await connection.close()
            url = sa.make_url(server).set(drivername="postgresql+asyncpg", database=name)
            engine = create_async_engine(url)
            async with engine.begin() as opened:
                await opened.run_sync(Base.metadata.create_all)
            return engine

        engine = runner.run(create())

        async def in_session(work: Callable[[Session], None]) -> None:
            async with AsyncSession(engine) as session:
                await session.run_sync(work)

        yield lambda work: runner.run(in_session(work))
        runner.run(engine.dispose())


def _fill(session: Session, rows: list[dict[str, Any]]) -> None:
    roles = {1: "editor", 2: None, 3: "a"}
    session.add_all([Author(id=key, role=role) for key, role in roles.items()])
    for row in rows:
        spam = row["spam"]
        columns = {name: value for name, value in row.items() if name != "spam"}
        session.add(Post(**columns, comments=[Comment(spam=one) for one in spam]))
    session.flush()
    session.expire_all()


def _allowed(session: Session, ability: Ability, action: str) -> set[int]:
    return {post.id for post in session.scalars(sa.select(Post)) if ability.can(action, post)}


def _found(session: Session, condition: Any) -> set[int]:
    return set(session.scalars(sa.select(Post.id).where(condition)))


@settings(max_examples=300, deadline=None)
@given(rows=ROWS, written=RULES, action=st.sampled_from(["read", "read", "index", "update", "manage"]))
def test_the_filter_finds_what_the_check_allows(
    run: Run, rows: list[dict[str, Any]], written: list[Any], action: str
) -> None:
    """For any rules and rows: {rows that can} is {rows of accessible_by}."""

    def compare(session: Session) -> None:
        _fill(session, rows)
        ability = Ability(None, _definition(written))
        assert _found(session, ability.accessible_by(action, Post)) == _allowed(session, ability, action)

    run(compare)


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, expression=EXPRESSIONS)
def test_an_expression_alone_means_the_same(run: Run, rows: list[dict[str, Any]], expression: Any) -> None:
    """One expression, and its negation, agree with the database row by row."""

    def compare(session: Session) -> None:
        _fill(session, rows)
        for one in (expression, sa.not_(expression)):
            ability = Ability(None, lambda _, rules, one=one: rules.can("read", Post, one))
            assert _allowed(session, ability, "read") == _found(session, one)

    run(compare)


@settings(max_examples=200, deadline=None)
@given(
    rows=ROWS, name=st.sampled_from(["author_id", "score", "title", "published", "status"]), data=st.data()
)
def test_an_attribute_condition_alone_means_the_same(
    run: Run, rows: list[dict[str, Any]], name: str, data: st.DataObject
) -> None:
    """One attribute condition, None and lists with None included, agrees with the database."""
    strategies = {"title": WORDS, "published": BOOLS, "status": STATUSES}
    wanted = data.draw(_values(strategies.get(name, INTS)))
    ability = Ability(None, lambda _, rules: rules.can("read", Post, **{name: wanted}))

    def compare(session: Session) -> None:
        _fill(session, rows)
        assert _found(session, ability.accessible_by("read", Post)) == _allowed(session, ability, "read")

    run(compare)


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, written=RULES)
def test_the_permitted_attributes_are_those_that_can(rows: list[dict[str, Any]], written: list[Any]) -> None:
    """For any rules: an attribute is permitted when asking about it alone says yes."""
    ability = Ability(None, _definition(written))
    names = {"title", "score", "author_id"}
    for row in rows:
        post = Post(**{name: value for name, value in row.items() if name != "spam"})
        permitted = ability.permitted_attributes("update", post)
        singly = {name for name in names if ability.can("update", post, attribute=name)}
        assert singly == (names if permitted is None else names & permitted)


def test_times_and_floats_mean_the_same(run: Run) -> None:
    """Dates, times and floats are ordered in Python as in the database."""
    noon = [datetime(2026, 1, day, 12) for day in (1, 2, 3)]  # noqa: DTZ001 - the column is naive

    def compare(session: Session) -> None:
        session.add_all([Event(day=at.date(), at=at, ratio=at.day / 2) for at in noon])
        session.add(Event())
        session.flush()
        for expression in (
            Event.day > date(2026, 1, 1),
            Event.day.between(date(2026, 1, 2), date(2026, 1, 3)),
            Event.at <= noon[1],
            Event.ratio >= 1,
            Event.ratio != 1.5,
        ):
            ability = Ability(None, lambda _, rules, one=expression: rules.can("read", Event, one))
            allowed = {event.id for event in session.scalars(sa.select(Event)) if ability.can("read", event)}
            found = set(session.scalars(sa.select(Event.id).where(ability.accessible_by("read", Event))))
            assert found == allowed
            assert 0 < len(found) < 4

    run(compare)


def test_a_related_object_as_a_value_means_the_same(run: Run) -> None:
    """`Post.author == author` compares the foreign key in both."""

    def compare(session: Session) -> None:
        author = Author(id=1)
        session.add_all([author, Author(id=2)])
        session.flush()
        session.add_all([Post(author_id=1), Post(author_id=2), Post()])
        session.flush()
        ability = Ability(None, lambda _, rules: rules.can("read", Post, Post.author == author))
        allowed = [post for post in session.scalars(sa.select(Post)) if ability.can("read", post)]
        assert [post.author_id for post in allowed] == [1]
        assert _found(session, ability.accessible_by("read", Post)) == {allowed[0].id}

    run(compare)


def test_mixing_aware_and_naive_times_is_an_error() -> None:
    """A comparison that the database would guess at is refused, at the definition or at the check."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ConfigurationError, match="naive datetime"):
        Ability(None, lambda _, rules: rules.can("read", Event, Event.at < now))
    ability = Ability(None, lambda _, rules: rules.can("read", Event, Event.at < now.replace(tzinfo=None)))
    with pytest.raises(ConfigurationError, match="zone"):
        ability.can("read", Event(at=now))
    equal = Ability(None, lambda _, rules: rules.can("read", Event, at=now.replace(tzinfo=None)))
    with pytest.raises(ConfigurationError, match="zone"):
        equal.can("read", Event(at=now))


def test_a_decimal_column_refuses_floats() -> None:
    """A float equals no Decimal in Python but does in the database."""

    class Price(Base):
        __tablename__ = "prices"
        id: Mapped[int] = mapped_column(primary_key=True)
        amount: Mapped[Decimal]

    with pytest.raises(ConfigurationError, match="Decimal"):
        Ability(None, lambda _, rules: rules.can("read", Price, amount=0.1))
    ability = Ability(None, lambda _, rules: rules.can("read", Price, amount=Decimal("0.1")))
    assert ability.can("read", Price(amount=Decimal("0.10")))
