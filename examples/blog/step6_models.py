"""Step 6, models: the tables that are there, as records that check, find and announce themselves.

uvicorn --factory examples.blog.step6_models:create_app
"""

import logging
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Query
from pydantic import BaseModel
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship

from examples.blog import before, step4_abilities, step5_config
from examples.blog.before import UNAUTHORIZED, CommentOut, OptionalUser, PostOut, Role, Session
from lineside.abilities import Ability, Rules
from lineside.abilities.fastapi import ability_for
from lineside.controllers.resource import ResourceController
from lineside.models import (
    Database,
    Page,
    PageParams,
    Record,
    after_destroy_commit,
    after_update_commit,
    has_many,
    normalizes,
    scope,
    validates,
)
from lineside.models import Query as Records
from lineside.routing import namespace, resources

logger = logging.getLogger("blog.models")


class Table(Record, registry=registry()):
    """In an app that has no older classes beside these, this is the one line that changes."""


class User(Table, table=True):
    expose = ("id", "name")
    id: int = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    role: Role = Role.READER
    token: str = Field(unique=True)


@has_many("comments", dependent="destroy")
@normalizes("title", "body", with_=str.strip)
@validates("title", presence=True, length=(1, 200))
@validates("body", presence=True, length=(1, 20_000))
class Post(Table, table=True):
    id: int = Field(default=None, primary_key=True)
    title: str
    body: str
    published: bool = False
    locked: bool = False
    author_id: int = Field(foreign_key="user.id", index=True)
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    author: User = Relationship()
    comments: list["Comment"] = Relationship(back_populates="post")

    @scope
    @staticmethod
    def newest(query: Records["Post"]) -> Records["Post"]:
        return query.order("-id")

    @after_update_commit(if_="published")
    def announce(self) -> None:
        if self.saved_change_to_attribute("published"):
            logger.info("post %d is published: %s", self.id, self.title)


@normalizes("body", with_=str.strip)
@validates("body", presence=True, length=(1, 2_000))
class Comment(Table, table=True):
    permit = ("body",)
    id: int = Field(default=None, primary_key=True)
    post_id: int = Field(foreign_key="post.id", index=True, ondelete="CASCADE")
    author_id: int = Field(foreign_key="user.id")
    body: str
    post: Post = Relationship(back_populates="comments")

    @after_destroy_commit
    def announce(self) -> None:
        logger.info("comment %d of post %d is gone", self.id, self.post_id)


def define_abilities(user: before.User | None, rules: Rules) -> None:
    """The rules of step 4, about records; and your comments are yours."""
    step4_abilities.define_abilities(user, rules, Post)
    if user is not None:
        rules.can(["read", "update", "destroy"], Comment, author_id=user.id)


CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities, user=OptionalUser))]


class MyCommentsController(ResourceController[Comment, BaseModel, BaseModel, CommentOut]):
    """Your comments: the model says what may be sent, and what is wrong with it."""

    responses = UNAUTHORIZED

    session: Session
    ability: CurrentAbility


class FeedPost(PostOut):
    author: User.Out


feed = APIRouter(tags=["site"])


@feed.get("/feed", responses=UNAUTHORIZED)
async def show_feed(
    page: Annotated[PageParams, Query()], ability: CurrentAbility, _session: Session
) -> Page[FeedPost]:
    """Everything that you may read, with its author, newest first."""
    readable = Post.newest().where(ability.accessible_by("read", Post))
    found = await readable.includes("author").page(page.page, page.per_page)
    return Page[FeedPost].model_validate(found)


def use_records(app: FastAPI) -> None:
    """Let `before` open sessions of ours: there a record finds its session by itself."""
    database: Database = app.state.lineside.database
    app.state.sessions = database.session


def add_feed(app: FastAPI) -> None:
    app.include_router(feed)
    mine = namespace(app, "my", before=[step4_abilities.signed_in])
    changes = ["index", "show", "update", "destroy"]
    resources(mine, "comments", MyCommentsController, only=changes, tags=["my comments"])


def create_app(database_url: str | None = None) -> FastAPI:
    app = step5_config.create_app(database_url)
    use_records(app)
    add_feed(app)
    return app
