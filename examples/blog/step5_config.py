"""Step 5, config: the settings come from config/*.yml and the environment, checked when the app is made.

uvicorn --factory examples.blog.step5_config:create_app
"""

from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request
from pydantic import BaseModel, Field
from sqlmodel import col, func, select

from examples.blog import step4_abilities
from examples.blog.before import UNAUTHORIZED, Post, PostOut, Session
from examples.blog.step4_abilities import CurrentAbility
from lineside.config import Config
from lineside.controllers import Controller
from lineside.routing import resource


class BlogSettings(BaseModel):
    """The section "blog"; a value that does not fit stops the start, with the file that set it."""

    title: str = Field(min_length=1)
    page_size: int = Field(ge=1, le=100)


class ArchivePage(BaseModel):
    title: str
    page: int
    pages: int
    posts: list[PostOut]


async def get_settings(request: Request) -> BlogSettings:
    settings: BlogSettings = request.app.state.blog
    return settings


class ArchiveController(Controller):
    responses = UNAUTHORIZED

    session: Session
    ability: CurrentAbility
    settings: Annotated[BlogSettings, Depends(get_settings)]

    async def show(self, page: Annotated[int, Query(ge=1, le=1_000_000)] = 1) -> ArchivePage:
        """Everything that you may read, oldest first, in pages of the size that the settings give."""
        size, readable = self.settings.page_size, self.ability.accessible_by("read", Post)
        count = (await self.session.exec(select(func.count()).select_from(Post).where(readable))).one()
        rows = select(Post).where(readable).order_by(col(Post.id)).limit(size).offset((page - 1) * size)
        posts = [PostOut.model_validate(post) for post in await self.session.exec(rows)]
        return ArchivePage(title=self.settings.title, page=page, pages=-(-count // size), posts=posts)


def load_config(database_url: str | None = None) -> Config:
    """Read the files beside this module; a URL that is given stands above them."""
    config = Config.load(Path(__file__).parent / "config")
    if database_url is not None:
        config.set("database.url", database_url)
    return config


def add_archive(app: FastAPI, config: Config, controller: type[Controller] = ArchiveController) -> None:
    """Add the archive; a file that changes while the app runs changes its pages, too."""

    def read_settings(*_: object) -> None:
        app.state.blog = config.bind("blog", BlogSettings)

    read_settings()
    config.watch("blog", read_settings)
    resource(app, "archive", controller, tags=["site"])


def create_app(database_url: str | None = None) -> FastAPI:
    config = load_config(database_url)
    app = step4_abilities.create_app(config.get_str("database.url"), config)
    add_archive(app, config)
    return app
