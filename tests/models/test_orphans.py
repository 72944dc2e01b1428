"""Records that leave a collection with the cascade "delete-orphan" are destroyed as any other."""

from typing import Any

import pytest
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship

from lineside.models import Database
from lineside.models._base._model import Model
from lineside.models._base._soft_delete import SoftDelete
from tests.models.reading import read
from tests.models.ways import STYLES, Style, Way

pytestmark = pytest.mark.anyio

happened: list[str] = []
CASCADE: dict[str, Any] = {"cascade": "all, delete-orphan", "lazy": "selectin"}


@pytest.fixture(autouse=True)
def forget() -> None:
    happened.clear()


class Base(Model, registry=registry()):
    pass


class Watched(Base):
    title: str

    def before_destroy(self) -> None:
        happened.append(f"{self.title} before_destroy")

    def after_destroy(self) -> None:
        happened.append(f"{self.title} after_destroy")


class Album(Base, table=True):
    __tablename__ = "orphan_album"
    songs: list["Song"] = Relationship(sa_relationship_kwargs=CASCADE)
    covers: list["Cover"] = Relationship(sa_relationship_kwargs=CASCADE)
    notes: list["Note"] = Relationship(back_populates="album", sa_relationship_kwargs=CASCADE)


class Song(Watched, table=True):
    """Knows nothing of its album but the foreign key."""

    __tablename__ = "orphan_song"
    album_id: int = Field(foreign_key="orphan_album.id")


class Cover(SoftDelete, Watched, table=True):
    __tablename__ = "orphan_cover"
    album_id: int = Field(foreign_key="orphan_album.id")


class Note(SoftDelete, Watched, table=True):
    """Knows its album."""

    __tablename__ = "orphan_note"
    album_id: int = Field(foreign_key="orphan_album.id")
    album: Album = Relationship(back_populates="notes")


@pytest.mark.parametrize("style", STYLES)
async def test_one_that_does_not_know_its_owner_is_destroyed(database: Database, style: Style) -> None:
    way = Way(database, style)
    album = Album(songs=[Song(title="a"), Song(title="b")])
    await way.write(album)
    song = album.songs.pop()
    await way.write(album)
    assert happened == ["b before_destroy", "b after_destroy"]
    assert song.is_destroyed
    assert await read(database, "SELECT title FROM orphan_song") == [("a",)]


@pytest.mark.parametrize("style", STYLES)
async def test_one_that_another_owner_takes_is_not(database: Database, style: Style) -> None:
    way = Way(database, style)
    first, second = Album(songs=[Song(title="a")]), Album(songs=[])
    await way.write(first, second)
    second.songs.append(first.songs.pop())
    async with way.session() as session:
        session.add_all([first, second])
    assert happened == []
    assert await read(database, "SELECT title, album_id FROM orphan_song") == [("a", second.id)]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("name", "kind"), [("covers", Cover), ("notes", Note)])
async def test_one_that_is_hidden_keeps_its_row_and_its_owner(
    database: Database, style: Style, name: str, kind: Any
) -> None:
    way = Way(database, style)
    album = Album(**{name: [kind(title="a"), kind(title="b")]})
    await way.write(album)
    taken = getattr(album, name).pop()
    await way.write(album)
    assert happened == ["b before_destroy", "b after_destroy"]
    assert taken.is_deleted
    found = await read(database, f"SELECT title, album_id, deleted_at IS NULL FROM {kind.__tablename__}")
    assert sorted((title, key, bool(shown)) for title, key, shown in found) == [
        ("a", album.id, True),
        ("b", album.id, False),
    ]
