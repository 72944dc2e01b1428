"""Find or create: safe against others who do the same at the same moment."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import registry
from sqlmodel import Field

from lineside.exceptions import RecordInvalid
from lineside.models import Database
from lineside.models._base._model import Model
from lineside.models._exceptions import UnknownAttributeError
from lineside.models._validation._declarations import validates

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


class Tag(Base, table=True):
    name: str = Field(unique=True)
    colour: str = "grey"


@validates("email", uniqueness=True)
@validates("name", length=(1, 10))
class User(Base, table=True):
    email: str = Field(unique=True)
    name: str = "x"


async def count(database: Database, table: str) -> int:
    async with database.engine.connect() as connection:
        number: int = (await connection.execute(text(f'select count(*) from "{table}"'))).scalar_one()
        return number


@pytest.mark.parametrize("method", ["find_or_create_by", "create_or_find_by"])
async def test_what_is_not_there_is_created_once(database: Database, method: str) -> None:
    async with database.session():
        made = await getattr(Tag, method)(name="a", create_with={"colour": "red"})
        found = await getattr(Tag, method)(name="a", create_with={"colour": "blue"})
        assert made is found
        assert (made.name, made.colour, made.is_persisted) == ("a", "red", True)
    assert await count(database, "tag") == 1


@pytest.mark.parametrize("method", ["find_or_create_by", "create_or_find_by"])
async def test_what_a_validation_knows_is_found(database: Database, method: str) -> None:
    async with database.session():
        made = await User.create(email="ada@example.com")
        assert await getattr(User, method)(email="ada@example.com") is made


@pytest.mark.parametrize("method", ["find_or_create_by", "create_or_find_by"])
@pytest.mark.parametrize("model", [Tag, User])
async def test_many_at_once_make_one(database: Database, method: str, model: type[Tag | User]) -> None:
    key = "name" if model is Tag else "email"

    async def one() -> int:
        async with database.session():
            found: int = (await getattr(model, method)(**{key: "a"})).id
            return found

    keys = await asyncio.gather(*(one() for _ in range(8)))
    assert len({*keys}) == 1
    assert await count(database, model.__tablename__) == 1


async def test_the_transaction_goes_on_after_a_lost_race(database: Database) -> None:
    async with database.session():
        await Tag.create(name="before")
        found = await Tag.create_or_find_by(name="before")
        await Tag.create(name="after")
        assert found.name == "before"
    assert await count(database, "tag") == 2


async def test_other_errors_are_the_callers(database: Database) -> None:
    async with database.session():
        await User.create(email="a")
        with pytest.raises(RecordInvalid, match="too long"):
            await User.create_or_find_by(email="a", create_with={"name": "far too long a name"})
        # The index refuses it, and nobody has all these values.
        await Tag.create(name="a", colour="red")
        with pytest.raises(IntegrityError):
            await Tag.create_or_find_by(name="a", colour="blue")
        with pytest.raises(UnknownAttributeError, match="colur"):
            await Tag.find_or_create_by(name="b", create_with={"colur": "red"})
    assert await count(database, "tag") == 1


async def test_what_waits_in_the_session_is_not_part_of_the_attempt(database: Database) -> None:
    async with database.session() as session:
        await Tag.create(name="a")
        session.add(Tag(name="a"))
        with pytest.raises(IntegrityError):
            await Tag.create_or_find_by(name="b")
        await session.rollback()


async def test_initialize_saves_nothing(database: Database) -> None:
    async with database.session():
        made = await Tag.find_or_initialize_by(name="a", create_with={"colour": "red"})
        assert made.is_new_record
        assert (made.name, made.colour) == ("a", "red")
        await made.save()
        assert await Tag.find_or_initialize_by(name="a") is made
    assert await count(database, "tag") == 1
