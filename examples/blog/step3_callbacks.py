"""Step 3, callbacks: an area for admins, where posts are locked and unlocked, and each change is logged.

uvicorn --factory examples.blog.step3_callbacks:create_app
"""

import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import NoResultFound
from sqlmodel import col, select

from examples.blog import step1_lineside, step2_resources
from examples.blog.before import (
    FORBIDDEN,
    NOT_FOUND,
    UNAUTHORIZED,
    CurrentUser,
    Limit,
    Offset,
    Post,
    PostId,
    PostOut,
    Role,
)
from examples.blog.step2_resources import SavedSession
from lineside.config import Config
from lineside.controllers import Controller, action, around_action, before_action, rescue_from
from lineside.routing import namespace, resources

logger = logging.getLogger("blog.moderation")


async def admin_only(user: CurrentUser) -> Response | None:
    """A guard: it answers itself, or returns None and lets the action run."""
    return None if user.role == Role.ADMIN else JSONResponse({"detail": "Only for admins"}, 403)


class ModerationController(Controller):
    responses = UNAUTHORIZED | FORBIDDEN

    session: SavedSession

    @before_action(only=["lock", "unlock"])
    async def set_post(self, post_id: PostId) -> None:
        self.post = await self.session.get_one(Post, post_id)

    @around_action(only=["lock", "unlock"])
    async def log_change(self) -> AsyncGenerator[None, Response]:
        was_locked = self.post.locked
        response = yield
        logger.info("post %d: locked %s -> %s", self.post.id, was_locked, self.post.locked)
        response.headers["X-Was-Locked"] = str(was_locked).lower()

    @rescue_from(NoResultFound, status_code=404, description="No such post")
    async def not_found(self) -> dict[str, str]:
        return {"detail": "Post not found"}

    async def index(self, limit: Limit = 20, offset: Offset = 0) -> list[PostOut]:
        """List the locked posts, newest first."""
        locked = select(Post).where(col(Post.locked)).order_by(col(Post.id).desc())
        page = locked.limit(limit).offset(offset)
        return [PostOut.model_validate(post) for post in await self.session.exec(page)]

    @action(responses=NOT_FOUND)
    async def lock(self) -> PostOut:
        """Close a post to everybody but admins."""
        self.post.locked = True
        return PostOut.model_validate(self.post)

    @action(responses=NOT_FOUND)
    async def unlock(self) -> PostOut:
        """Open a post again."""
        self.post.locked = False
        return PostOut.model_validate(self.post)


def add_moderation(app: FastAPI, controller: type[Controller] = ModerationController) -> None:
    admin = namespace(app, "admin", before=[admin_only])
    changes = {"lock": "POST", "unlock": "POST"}
    resources(admin, "posts", controller, param="post_id", member=changes, tags=["admin"])


def create_app(
    database_url: str | None = None, settings: Config | Mapping[str, Any] = step1_lineside.SETTINGS
) -> FastAPI:
    app = step2_resources.create_app(database_url, settings)
    add_moderation(app)
    return app
