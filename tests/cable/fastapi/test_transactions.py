"""A broadcast inside a transaction that waits for its commit, and never leaves when it is rolled back."""

from pathlib import Path

import pytest
from fastapi import HTTPException
from sqlalchemy.orm import registry
from sqlmodel import Field

from lineside.cable import Channel
from lineside.cable.fastapi import CableDep, cable_router
from lineside.models import Model, after_all_transactions_commit
from lineside.models.fastapi import SessionDep, install_database
from tests.cable.fastapi.apps import app_with, site

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    """The models of this file."""


class Post(Base, table=True):
    id: int | None = Field(default=None, primary_key=True)
    title: str


class Posts(Channel):
    public = True
    session: SessionDep

    async def subscribed(self) -> None:
        await self.stream_from("posts")

    async def write(self, title: str) -> None:
        await Post.create(title=title)
        after_all_transactions_commit(lambda: self.broadcast("posts", title))


async def test_what_waits_for_the_commit_is_sent_after_it_or_never(tmp_path: Path) -> None:
    app = app_with(cable_router([Posts]))
    database = install_database(app, f"sqlite:///{tmp_path / 'posts.sqlite3'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)

    @app.post("/posts/{title}")
    async def create(title: str, session: SessionDep, cable: CableDep) -> None:
        await Post.create(title=title)
        after_all_transactions_commit(lambda: cable.broadcast("posts", title))
        if title == "bad":
            raise HTTPException(422, "not this one")

    async with site(app) as served, served.client() as client:
        identifier = await client.subscribed("Posts")
        assert (await served.http.post("/posts/bad")).status_code == 422
        assert (await served.http.post("/posts/good")).status_code == 200
        assert (await client.next())["message"] == "good"
        await client.perform(identifier, "write", title="from a channel")
        assert (await client.next())["message"] == "from a channel"
        async with database.session():
            assert await Post.count() == 2
