"""`uniqueness`: the question before, the index behind, and one error for both."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Index, UniqueConstraint, event, func, insert, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship, SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from lineside.exceptions import RecordInvalid
from lineside.models import Database
from lineside.models._base._model import Model
from lineside.models._validation._declarations import validates
from lineside.models._validation._errors import errors_of
from lineside.models._validation._uniqueness import unique_violation
from lineside.models._validation._validations import add_taken, validate

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()): ...


class Tenant(Base, table=True):
    __tablename__ = "unique_tenant"


@validates("email", uniqueness={"case_sensitive": False}, allow_none=True)
@validates("login", uniqueness=True, length={"maximum": 8})
@validates("slug", uniqueness={"scope": "tenant_id"}, message="is used here already")
class User(Base, table=True):
    __tablename__ = "unique_user"
    __table_args__ = (UniqueConstraint("tenant_id", "slug"),)

    email: str | None = None
    login: str | None = Field(default=None, unique=True)
    slug: str | None = None
    tenant_id: int | None = Field(default=None, foreign_key="unique_tenant.id")
    tenant: Tenant | None = Relationship()
    # Nothing declares it but the index.
    badge: str | None = Field(default=None, unique=True)


Index("unique_user_lower_email", func.lower(User.email), unique=True)


async def said(session: AsyncSession, user: User, on: str = "create") -> dict[str, list[str]]:
    """Validate a user without saving it."""
    await session.run_sync(lambda sync: validate(user, sync, on=on))  # type: ignore[arg-type]
    return errors_of(user).messages


def user(**values: Any) -> User:
    return User(**{"login": None, "slug": None, **values})


async def save(database: Database, *users: User) -> None:
    async with database.session() as session:
        for each in users:
            await each.save(validate=False, session=session)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Note the statements that reach the database."""
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)


TAKEN = "has already been taken"


class TestQuestion:
    """What is asked before the row is written."""

    async def test_a_value_that_another_row_has_is_taken(self, database: Database) -> None:
        """The error has Rails' words, its type and the value."""
        await save(database, user(login="ada"))
        async with database.session() as session:
            other = user(login="ada", slug="x")
            assert await said(session, other) == {"login": [TAKEN]}
            assert errors_of(other).details() == [
                {"type": "taken", "loc": ("body", "login"), "msg": TAKEN, "input": "ada"}
            ]
            assert await said(session, user(login="Ada", slug="x")) == {}

    async def test_a_record_does_not_stand_in_its_own_way(self, database: Database) -> None:
        """Neither unchanged, nor changed there and back; another row's value is refused."""
        await save(database, user(login="ada"), user(login="bob", slug="b"))
        async with database.session() as session:
            ada = (await session.exec(select(User).where(User.login == "ada"))).one()
            ada.login = "eve"
            ada.login = "ada"
            assert await said(session, ada, "update") == {}
            ada.login = "bob"
            assert await said(session, ada, "update") == {"login": [TAKEN]}
            session.expunge(ada)

    async def test_an_unchanged_value_is_not_asked_for(self, database: Database) -> None:
        """An update of another column costs no query."""
        await save(database, user(login="ada", email="a@b", slug="a"))
        async with database.session() as session:
            ada = (await session.exec(select(User))).one()
            ada.badge = "1"
            with statements(database) as seen:
                assert await said(session, ada, "update") == {}
            assert seen == []

    async def test_a_value_that_is_wrong_anyway_is_not_asked_for(self, database: Database) -> None:
        """The database is asked about good values only."""
        async with database.session() as session:
            with statements(database) as seen:
                assert await said(session, user(login="a" * 9, slug=5)) == {
                    "login": ["is too long (maximum is 8 characters)"],
                    "slug": ["Input should be a valid string"],
                }
            assert seen == []

    async def test_the_question_writes_nothing(self, database: Database) -> None:
        """A pending record is not flushed by the query that is about it."""
        async with database.session() as session:
            ada = user(login="ada")
            session.add(ada)
            assert await said(session, ada) == {}
            assert ada in session.new
            session.expunge(ada)

    @pytest.mark.parametrize(
        ("slug", "tenant", "is_taken"),
        [
            ("a", 1, True),
            ("a", 2, False),
            ("b", 1, False),
            ("a", None, False),
            ("n", None, True),
            ("n", 1, False),
        ],
    )
    async def test_a_scope(self, database: Database, slug: str, tenant: int | None, is_taken: bool) -> None:
        """Unique within its tenant; None is a tenant as any other, as in Rails."""
        async with database.session() as session:
            session.add_all([Tenant(id=1), Tenant(id=2)])
        await save(database, user(login="x", slug="a", tenant_id=1), user(login="y", slug="n"))
        async with database.session() as session:
            expected = {"slug": ["is used here already"]} if is_taken else {}
            assert await said(session, user(login="z", slug=slug, tenant_id=tenant)) == expected

    async def test_the_scope_may_come_from_a_related_record(self, database: Database) -> None:
        """Its key is copied by the flush; a record without one has no rows beside it."""
        async with database.session() as session:
            session.add(Tenant(id=1))
        await save(database, user(login="x", slug="a", tenant_id=1))
        async with database.session() as session:
            tenant = await session.get_one(Tenant, 1)
            assert "slug" in await said(session, user(login="y", slug="a", tenant=tenant))
            assert await said(session, user(login="z", slug="a", tenant=Tenant())) == {}
            session.expunge_all()

    async def test_without_case(self, database: Database) -> None:
        """Lower case against lower case."""
        await save(database, user(login="x", slug="x", email="Ada@Example.org"))
        async with database.session() as session:
            assert await said(session, user(login="y", slug="y", email="aDA@example.ORG")) == {
                "email": [TAKEN]
            }
            assert await said(session, user(login="y", slug="y", email="a_a@example.org")) == {}

    async def test_none_is_a_value_unless_it_is_allowed(self, database: Database) -> None:
        """As in Rails: a second None is taken, though the index would let it pass."""
        await save(database, user())
        async with database.session() as session:
            assert await said(session, user()) == {"login": [TAKEN], "slug": ["is used here already"]}


class TestRace:
    """Two that ask at the same moment both hear that the value is free (T43)."""

    async def test_the_index_refuses_the_second(self, database: Database) -> None:
        """And its refusal becomes the error of the validation."""
        is_sqlite = database.engine.dialect.name == "sqlite"
        asked = asyncio.Barrier(2)
        refused: list[User] = []

        async def write(record: User) -> None:
            async with database.session() as session:
                assert await said(session, record) == {}
                if is_sqlite:
                    await session.rollback()  # there is one writer at a time: the other could not ask
                await asked.wait()
                try:
                    await session.run_sync(lambda sync: insert_plainly(sync, record))
                except IntegrityError as error:
                    violated = unique_violation(error, among=[User])
                    assert violated == (User, ("login",))
                    add_taken(record, violated[1])
                    refused.append(record)
                    await session.rollback()

        def insert_plainly(sync: Any, record: User) -> None:
            sync.execute(insert(User).values(login=record.login, slug=record.slug))
            sync.commit()

        await asyncio.gather(write(user(login="ada", slug="1")), write(user(login="ada", slug="2")))
        assert [errors_of(record).messages for record in refused] == [{"login": [TAKEN]}]
        async with database.engine.connect() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM unique_user")) == 1

    async def test_two_writers_twenty_times(self, database: Database) -> None:
        """One is saved and the other one gets RecordInvalid, whichever way it was found out."""

        async def write(name: str, slug: str) -> str:
            try:
                async with database.session() as session:
                    await user(login=name, slug=slug).save(session=session)
            except RecordInvalid as error:
                return error.errors.details()[0]["type"]
            return "saved"

        for number in range(20):
            found = await asyncio.gather(*(write(f"u{number}", f"{number}{side}") for side in "ab"))
            assert sorted(found) == ["saved", "taken"]
        async with database.engine.connect() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM unique_user")) == 20


class Odd(Base, table=True):
    """Everything that can be unique, under every kind of name."""

    __tablename__ = "unique_odd_with_a_name_that_is_so_long_that_it_is_cut"
    __table_args__ = (
        UniqueConstraint("one", "two"),
        UniqueConstraint("three", name="my_own_name"),
        Index("my_index", "four", "five", unique=True),
        Index("my_lower", func.lower(text("seven")), unique=True),
    )

    one: str | None = None
    two: str | None = None
    three: str | None = None
    four: str | None = None
    five: str | None = None
    six_with_a_name_that_is_long: str | None = Field(default=None, unique=True)
    seven: str | None = None
    eight: str | None = Field(default=None, unique=True, sa_column_kwargs={"name": "number 8, quoted"})
    tenant_id: int | None = Field(default=None, foreign_key="unique_tenant.id")
    needed: int = Field(default=0, ge=0)


class TestRefusal:
    """What is read from the error of each driver."""

    @pytest.mark.parametrize(
        ("values", "fields"),
        [
            ({"id": 1}, ("id",)),
            ({"one": "x", "two": "y"}, ("one", "two")),
            ({"three": "x"}, ("three",)),
            ({"four": "x", "five": "y"}, ("four", "five")),
            ({"six_with_a_name_that_is_long": "x"}, ("six_with_a_name_that_is_long",)),
            ({"eight": "x"}, ("eight",)),
        ],
    )
    @pytest.mark.parametrize("is_sync", [False, True], ids=["await", "sync"])
    async def test_the_fields_of_each_constraint(
        self, database: Database, is_sync: bool, values: dict[str, Any], fields: tuple[str, ...]
    ) -> None:
        """By column on SQLite, by name on PostgreSQL, also by the name that nobody has given."""
        error = await violation(database, Odd, values, values, is_sync=is_sync)
        assert unique_violation(error, among=[Tenant, Odd]) == (Odd, fields)
        assert unique_violation(error) == (Odd, fields)
        assert unique_violation(error, among=[User]) is None

    async def test_a_value_that_reads_like_a_refusal(self, database: Database) -> None:
        """PostgreSQL repeats the value in its message; it is not taken for SQLite's."""
        row = {"three": "UNIQUE constraint failed: unique_user.login"}
        assert unique_violation(await violation(database, Odd, row, row)) == (Odd, ("three",))

    @pytest.mark.parametrize("is_sync", [False, True], ids=["await", "sync"])
    async def test_an_index_on_an_expression(self, database: Database, is_sync: bool) -> None:
        """An index on lower(email) is about email."""
        error = await violation(database, User, {"email": "A"}, {"email": "a"}, is_sync=is_sync)
        assert unique_violation(error) == (User, ("email",))

    async def test_an_index_that_names_no_column(self, database: Database) -> None:
        """Written as text it is about nothing that is known."""
        error = await violation(database, Odd, {"seven": "A"}, {"seven": "a"})
        assert unique_violation(error) is None

    @pytest.mark.parametrize("values", [{"tenant_id": 99}, {"needed": None}])
    async def test_other_violations_are_not_meant(self, database: Database, values: dict[str, Any]) -> None:
        """A foreign key without a row, a NULL where there must be a value."""
        assert unique_violation(await violation(database, Odd, values)) is None

    async def test_what_is_not_declared_is_said_of_every_column(self, database: Database) -> None:
        """The class says nothing of badges; its index does."""
        record = user()
        add_taken(record, ("badge", "tenant_id"))
        assert errors_of(record).messages == {"badge": [TAKEN], "tenant_id": [TAKEN]}

    async def test_the_message_of_the_declaration_is_used(self, database: Database) -> None:
        """As when the question had found it out."""
        record = user()
        add_taken(record, ("slug", "tenant_id"))
        assert errors_of(record).messages == {"slug": ["is used here already"]}


async def violation(
    database: Database, model: type[SQLModel], *rows: dict[str, Any], is_sync: bool = False
) -> IntegrityError:
    """Insert rows until the database refuses one."""
    table: Any = model.__table__  # type: ignore[attr-defined]
    statements = [
        insert(table).values({table.c[_column(model, name)]: value for name, value in row.items()})
        for row in rows
    ]

    def write(connection: Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    async def write_async() -> None:
        async with database.engine.begin() as connection:
            await connection.run_sync(write)

    def write_sync() -> None:
        with database.sync_engine.begin() as connection:
            write(connection)

    with pytest.raises(IntegrityError) as caught:
        write_sync() if is_sync else await write_async()
    return caught.value


def _column(model: type[SQLModel], name: str) -> str:
    return str(model.__mapper__.columns[name].name)  # type: ignore[attr-defined]
