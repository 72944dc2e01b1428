"""Enum columns: what may be assigned, and what is stored."""

from enum import Enum, IntEnum, StrEnum

import pytest
from sqlalchemy import text
from sqlalchemy.orm import registry
from sqlmodel import select

from lineside.exceptions import LinesideError, RecordInvalid
from lineside.models import Database
from lineside.models._attribute._enums import EnumField
from lineside.models._base._model import Model

pytestmark = pytest.mark.anyio


class Status(StrEnum):
    DRAFT = "draft"
    ON_AIR = "on-air"


class Level(IntEnum):
    LOW = 1
    HIGH = 20


class Colour(Enum):
    RED = "#f00"


class Base(Model, registry=registry()):
    pass


class Post(Base, table=True):
    status: Status = EnumField(Status, default=Status.DRAFT)
    level: Level = EnumField(Level, default=Level.LOW)
    colour: Colour | None = EnumField(Colour, default=None)
    kept: Status = Status.DRAFT  # as SQLModel does it


async def stored(database: Database, column: str) -> object:
    async with database.engine.connect() as connection:
        return (await connection.execute(text(f"select {column} from post"))).scalar_one()


async def test_values_are_stored_and_members_come_back(database: Database) -> None:
    async with database.session():
        await Post.create(status=Status.ON_AIR, level=Level.HIGH, colour=Colour.RED)
    assert await stored(database, "status") == "on-air"
    assert await stored(database, "level") == "20"
    assert await stored(database, "colour") == "#f00"
    async with database.session() as session:
        post = (await session.exec(select(Post))).one()
    assert (post.status, post.level, post.colour) == (Status.ON_AIR, Level.HIGH, Colour.RED)
    assert type(post.status) is Status


async def test_what_sqlmodel_stores_stays_as_it_is(database: Database) -> None:
    async with database.session():
        await Post.create(kept="on-air")
    assert await stored(database, "kept") == "ON_AIR"


async def test_strings_are_cast(database: Database) -> None:
    async with database.session():
        post = await Post.create(status="on-air", level=20)
        assert post.status is Status.ON_AIR
        assert post.level is Level.HIGH
        await post.update(status="draft")
        assert post.status is Status.DRAFT
        assert post.saved_changes["status"] == (Status.ON_AIR, Status.DRAFT)
    assert await stored(database, "status") == "draft"


@pytest.mark.parametrize("value", ["gone", "ON_AIR", "DRAFT", 1, ["draft"]])
async def test_anything_else_is_an_error_that_names_the_values(database: Database, value: object) -> None:
    async with database.session():
        with pytest.raises(RecordInvalid) as caught:
            await Post.create(status=value)
    assert "status" in caught.value.errors  # type: ignore[operator]
    assert "'draft' or 'on-air'" in str(caught.value)


async def test_a_new_member_needs_no_migration(database: Database) -> None:
    async with database.engine.begin() as connection:
        columns = "status, level, kept, created_at, updated_at"
        values = f"'{'x' * 64}', '1', 'DRAFT', now(), now()".replace(
            "now()", "now()" if database.engine.dialect.name == "postgresql" else "'2026-01-01 00:00:00'"
        )
        await connection.execute(text(f"insert into post ({columns}) values ({values})"))
    assert await stored(database, "status") == "x" * 64


async def test_expressions_take_members_and_their_values(database: Database) -> None:
    async with database.session() as session:
        await Post.create(status=Status.ON_AIR)
        for wanted in (Status.ON_AIR, "on-air"):
            found = await session.exec(select(Post).where(Post.status == wanted))
            assert len(found.all()) == 1


@pytest.mark.parametrize("wanted", [Status.ON_AIR, "on-air"])
@pytest.mark.parametrize("column", ["status", "kept"])
async def test_queries_take_members_and_their_values(database: Database, column: str, wanted: object) -> None:
    async with database.session():
        post = await Post.create(**{column: Status.ON_AIR})
        await Post.create()
        assert await Post.where(**{column: wanted}).ids() == [post.id]
        assert await Post.where(**{column: [wanted]}).ids() == [post.id]
        assert await Post.where(**{column: wanted}).update_all(**{column: "draft"}) == 1
        assert await Post.where(**{column: "draft"}).count() == 2


async def test_a_query_for_no_member_is_refused(database: Database) -> None:
    async with database.session():
        with pytest.raises(LinesideError, match="status"):
            await Post.where(status="gone").all()
