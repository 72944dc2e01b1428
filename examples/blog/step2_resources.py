"""Step 2, a resource: tags, with the RESTful routes of Rails over one model, guarded by an ability.

uvicorn --factory examples.blog.step2_resources:create_app
"""

from collections.abc import AsyncGenerator, Mapping
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from sqlmodel import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from examples.blog import step1_lineside
from examples.blog.before import UNAUTHORIZED, OptionalUser, Role, Session, Table, User
from lineside.abilities import Ability, Rules
from lineside.abilities.fastapi import ability_for
from lineside.config import Config
from lineside.controllers.resource import ResourceController
from lineside.routing import resources


class Tag(Table, table=True):
    id: int = Field(default=None, primary_key=True)
    name: str = Field(unique=True, min_length=1, max_length=40)


def define_tag_abilities(user: User | None, rules: Rules) -> None:
    rules.can("read", Tag)
    rules.cannot(["create", "update", "destroy"], Tag, reason="Only an admin may change tags")
    if user is not None and user.role == Role.ADMIN:
        rules.can("manage", Tag)


async def get_saved_session(session: Session) -> AsyncGenerator[AsyncSession]:
    """The session that the blog has already, committed when the action has succeeded."""
    yield session
    await session.commit()


SavedSession = Annotated[AsyncSession, Depends(get_saved_session, scope="function")]


class TagsController(ResourceController[Tag]):
    permit = ("name",)
    responses = UNAUTHORIZED

    session: SavedSession
    ability: Annotated[Ability, Depends(ability_for(define_tag_abilities, user=OptionalUser))]


def create_app(
    database_url: str | None = None, settings: Config | Mapping[str, Any] = step1_lineside.SETTINGS
) -> FastAPI:
    app = step1_lineside.create_app(database_url, settings)
    resources(app, "tags", TagsController, except_=["new", "edit"])
    return app
