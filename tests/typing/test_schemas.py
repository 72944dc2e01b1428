"""What type checkers infer about the schemas of records."""

from collections.abc import Sequence
from typing import Annotated, Any, assert_type

from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel
from sqlalchemy.orm import registry
from sqlmodel import Field

from lineside.abilities import Ability, Rules
from lineside.abilities.fastapi import ability_for
from lineside.controllers.resource import ResourceController
from lineside.models import KeysetPage, KeysetParams, Model, Page, PageParams, SortBy
from lineside.models.fastapi import SessionDep


class Base(Model, registry=registry()):
    """Keeps these tables apart from those of other tests."""


class Song(Base, table=True):
    """A record that says what may be set, and what is shown."""

    permit = ("title",)
    expose = ("id", "title")
    title: str = Field(default="", max_length=20)


class SongParams(PageParams):
    """A page and an order."""

    sort: Annotated[list[str], SortBy("title")] = []


def define_abilities(user: None, rules: Rules) -> None:
    """Allow everything."""
    rules.can("manage", Song)


CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities))]


class SongsController(ResourceController[Song]):
    """All seven actions, with what clients may filter and sort by."""

    filter = ("title",)
    sort = ("title",)
    ability: CurrentAbility

    def build(self, values: dict[str, Any]) -> Song:
        """Make a song of permitted values."""
        return Song.build(values)


def test_schemas_are_types_for_annotations() -> None:
    """In parameters, answers, aliases and generics."""
    app = FastAPI()

    @app.post("/songs", response_model=Song.Out)
    async def create(data: Song.In, session: SessionDep) -> Song:
        assert_type(data, Song.In)
        return await Song.create(data)

    @app.patch("/songs/{id}")
    async def update(id: int, data: Song.Patch, ability: CurrentAbility, session: SessionDep) -> Song.Out:
        song = await Song.find(id)
        return await song.update(ability.permit(data, "update", song))

    @app.get("/songs/{id}")
    async def show(id: int, session: SessionDep) -> Song.Out:
        return Song.Out.model_validate(await Song.find(id))

    @app.get("/all")
    async def everything(session: SessionDep) -> Sequence[Song.Out]:
        return await Song.all()

    @app.get("/songs", response_model=Page[Song.Out])
    async def index(params: Annotated[SongParams, Query()], session: SessionDep) -> Page[Song]:
        assert_type(params.sort, list[str])
        return await Song.order(*params.sort).page(params.page, params.per_page)

    @app.get("/newest", response_model=KeysetPage[Song.Out])
    async def newest(params: Annotated[KeysetParams, Query()], session: SessionDep) -> KeysetPage[Song]:
        return await Song.order("-id").keyset(params.after, params.limit)

    assert None not in (create, update, show, everything, index, newest)


def test_schemas_are_pydantic_models() -> None:
    """Whoever takes a model takes them; what they have is known when the program runs."""
    schema: type[BaseModel] = Song.In
    data = Song.In(title="Blue")
    title: str = data.title
    assert_type(data.model_dump(), dict[str, Any])
    assert_type(Song.build(data), Song)
    assert (schema.__name__, title) == ("SongIn", "Blue")
    assert SongsController.model is Song
