"""Step 4, abilities: the rules of the whole blog in one place, for checks, queries and pages.

uvicorn --factory examples.blog.step4_abilities:create_app
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel
from sqlmodel import col, select

from examples.blog import step1_lineside, step3_callbacks
from examples.blog.before import (
    UNAUTHORIZED,
    CurrentUser,
    OptionalUser,
    Post,
    PostCreate,
    PostOut,
    Role,
    Session,
    User,
)
from examples.blog.step2_resources import SavedSession, define_tag_abilities
from lineside.abilities import Ability, Rules
from lineside.abilities.fastapi import ability_for
from lineside.config import Config
from lineside.controllers import Controller, action
from lineside.controllers.resource import Page, ResourceController
from lineside.routing import namespace, resource, resources

templates = Jinja2Templates(Path(__file__).parent / "templates")
CHANGES = ["update", "destroy", "publish"]


def define_abilities(user: User | None, rules: Rules, post: type[Any] = Post) -> None:
    """Who may do what: refused unless allowed, and of the rules that match, the last one decides."""
    define_tag_abilities(user, rules)
    rules.can("read", post, published=True)
    rules.cannot("create", post, reason="Readers may not write posts")
    rules.cannot(CHANGES, post, reason="Not your post")
    rules.cannot("comment", post, reason="Sign in to comment")
    rules.cannot("read", "stats", reason="Only an admin may see the numbers")
    if user is None:
        return
    rules.can("comment", post, published=True)
    rules.can(["read", "comment", *CHANGES], post, author_id=user.id)
    rules.cannot("update", post, attributes=["locked"])
    rules.cannot([*CHANGES, "comment"], post, locked=True, reason="The post is locked")
    if user.role != Role.READER:
        rules.can("create", post)
    if user.role == Role.ADMIN:
        rules.can("manage", "all")


CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities, user=OptionalUser))]


class MyPostsController(ResourceController[Post, PostCreate, BaseModel, PostOut]):
    """The posts that you may change; all that is written here is where the rules are applied."""

    responses = UNAUTHORIZED

    session: SavedSession
    ability: CurrentAbility

    async def index(self, page: Annotated[Page, Query()]) -> list[PostOut]:
        """List the posts that you may change, newest first: the rules, as a WHERE clause."""
        mine = select(Post).where(self.ability.accessible_by("update", Post)).order_by(col(Post.id).desc())
        rows = await self.session.exec(mine.limit(page.limit).offset(page.offset))
        return [self.shown(post) for post in rows]

    def build(self, values: dict[str, Any]) -> Post:
        return Post(**values, author_id=self.ability.user.id)


class PermissionsController(Controller):
    session: Session

    @action(response_class=HTMLResponse)
    async def show(self) -> HTMLResponse:
        """Who may do what with the newest posts, and why not: the rules, in a page for people."""
        people = [None, *await self.session.exec(select(User).order_by(col(User.id)))]
        newest = select(Post).where(col(Post.published)).order_by(col(Post.id).desc()).limit(20)
        context = {
            "abilities": [Ability(person, define_abilities) for person in people],
            "actions": ["read", "comment", *CHANGES],
            "posts": list(await self.session.exec(newest)),
        }
        return templates.TemplateResponse(self.request, "permissions.html", context)


async def signed_in(_user: CurrentUser) -> None:
    """A guard that needs no code of its own: without a user the dependency answers 401."""


def add_abilities(app: FastAPI, controller: type[Controller] = MyPostsController) -> None:
    mine = namespace(app, "my", before=[signed_in])
    resources(mine, "posts", controller, except_=["new", "edit"], tags=["my posts"])
    resource(app, "permissions", PermissionsController, tags=["site"])


def create_app(
    database_url: str | None = None, settings: Config | Mapping[str, Any] = step1_lineside.SETTINGS
) -> FastAPI:
    app = step3_callbacks.create_app(database_url, settings)
    add_abilities(app)
    return app
