"""GOR-ORM-01: ``created_at`` and ``updated_at``, aware and in UTC."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.orm import registry
from sqlmodel import select

from lineside.exceptions import RecordInvalid, RecordNotFound
from lineside.models import Database
from lineside.models._base._model import Model
from lineside.models._exceptions import UnknownAttributeError

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


class Post(Base, table=True):
    title: str = ""
    seen_at: datetime | None = None


LONG_AGO = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)


async def stored(database: Database) -> Post:
    """Read the one row in a session of its own."""
    async with database.session() as session:
        return (await session.exec(select(Post))).one()


async def test_a_new_record_gets_both_in_utc(database: Database) -> None:
    before = datetime.now(UTC)
    async with database.session():
        post = await Post.create(title="a")
    row = await stored(database)
    assert before <= row.created_at <= datetime.now(UTC)
    assert row.created_at == row.updated_at == post.created_at
    assert row.created_at.tzinfo == row.updated_at.tzinfo == UTC


async def test_a_plain_flush_sets_them_alike(database: Database) -> None:
    async with database.session() as session:
        session.add(Post(title="a"))
    row = await stored(database)
    assert row.created_at == row.updated_at
    async with database.session() as session:
        session.add(row)
        row.title = "b"
    changed = await stored(database)
    assert changed.updated_at > changed.created_at == row.created_at


async def test_a_save_without_changes_leaves_them(database: Database) -> None:
    async with database.session():
        post = await Post.create(title="a")
        before = post.updated_at
        await post.save()
        await post.update(title="a")
    assert (await stored(database)).updated_at == before


async def test_times_set_by_hand_are_kept(database: Database) -> None:
    async with database.session():
        post = await Post.create(created_at=LONG_AGO, updated_at=LONG_AGO)
        assert post.updated_at == LONG_AGO
        await post.update(title="b", updated_at=LONG_AGO + timedelta(days=1))
    row = await stored(database)
    assert (row.created_at, row.updated_at) == (LONG_AGO, LONG_AGO + timedelta(days=1))


async def test_another_time_zone_is_the_same_moment(database: Database) -> None:
    async with database.session():
        await Post.create(seen_at=datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin")))
    assert (await stored(database)).seen_at == datetime(2026, 7, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("name", ["seen_at", "created_at", "updated_at"])
async def test_a_naive_time_is_refused_with_what_to_do(database: Database, name: str) -> None:
    async with database.session():
        with pytest.raises(RecordInvalid) as caught:
            await Post.create(**{name: datetime(2026, 1, 1)})  # noqa: DTZ001 - that is the point
    assert name in caught.value.errors  # type: ignore[operator]
    assert "add one, such as 2026-01-31T12:00:00Z" in str(caught.value)


async def test_touch_sets_them_without_validations_or_callbacks(database: Database) -> None:
    async with database.session():
        post = await Post.create(title="a", created_at=LONG_AGO, updated_at=LONG_AGO)
        post.title = "not saved"
        await post.touch("seen_at")
        assert post.has_changes_to_save
        post.title = "a"
    row = await stored(database)
    assert row.updated_at == row.seen_at == post.updated_at
    assert row.updated_at > LONG_AGO == row.created_at
    assert row.title == "a"


async def test_touch_names_what_does_not_exist(database: Database) -> None:
    async with database.session():
        post = await Post.create()
        with pytest.raises(UnknownAttributeError, match="read_at"):
            await post.touch("read_at")
    with pytest.raises(RecordNotFound):
        async with database.session():
            await Post(title="new").touch()


async def test_rows_of_other_programs_get_them_from_the_database(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("insert into post (title) values ('by hand')"))
    row = await stored(database)
    assert row.created_at.tzinfo == UTC
    assert abs(datetime.now(UTC) - row.created_at) < timedelta(minutes=5)
