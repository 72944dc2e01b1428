"""The blog on lineside: the same API as `before`, and what the six steps added.

    lineside server examples.blog.after:app

No check of who may do what is written here, no 403 and no SELECT: `define_abilities` has the rules, and
the records of step 6 find and save themselves. Schemas and the reading of tokens are those of `before`.
"""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel

from examples.blog import before
from examples.blog.before import (
    FORBIDDEN,
    NOT_FOUND,
    PUBLIC,
    UNAUTHORIZED,
    UNREADABLE,
    CommentCreate,
    CommentOut,
    CurrentUser,
    Health,
    Limit,
    Offset,
    PostCreate,
    PostId,
    PostOut,
    PostUpdate,
    Session,
    Stats,
)
from examples.blog.step2_resources import TagsController
from examples.blog.step3_callbacks import ModerationController, add_moderation
from examples.blog.step4_abilities import add_abilities, templates
from examples.blog.step5_config import ArchiveController, ArchivePage, add_archive, load_config
from examples.blog.step6_models import (
    Comment,
    CurrentAbility,
    Post,
    User,
    add_feed,
    define_abilities,
    use_records,
)
from lineside.abilities import Ability
from lineside.application import Lineside
from lineside.controllers import Controller, action, before_action, skip_before_action
from lineside.controllers.resource import Page, ResourceController
from lineside.routing import path_for, resources
from lineside.views import respond_to


async def get_post(post_id: PostId, _session: Session, ability: CurrentAbility) -> Post:
    """The post, or 404; what may not be read is hidden and not forbidden."""
    return await Post.where(ability.accessible_by("read", Post)).find(post_id)


VisiblePost = Annotated[Post, Depends(get_post)]

# --- controllers ----------------------------------------------------------------------------


class BlogController(Controller):
    """What posts and comments share: who is there, and which post it is about."""

    responses = UNAUTHORIZED

    session: Session
    ability: CurrentAbility

    @before_action(except_=["index", "show"])
    async def require_user(self, user: CurrentUser) -> None:
        self.user = user

    @before_action()
    async def set_post(self, post: VisiblePost) -> None:
        self.post = post


def as_text(post: dict[str, Any]) -> str:
    return f"{post['title']}\n{'=' * len(post['title'])}\n\n{post['body']}\n"


@skip_before_action("set_post", only=["index", "create"])
class PostsController(BlogController):
    @action(summary="List Posts", openapi_extra=PUBLIC)
    async def index(self, limit: Limit = 20, offset: Offset = 0) -> list[PostOut]:
        readable = Post.newest().where(self.ability.accessible_by("read", Post))
        return [PostOut.model_validate(post) for post in await readable.limit(limit).offset(offset).all()]

    @action(summary="Create Post", responses=UNREADABLE | FORBIDDEN)
    async def create(self, data: PostCreate) -> PostOut:
        post = Post.build(data, author_id=self.user.id)
        self.authorize("create", post)
        return PostOut.model_validate(await post.save())

    @action(summary="Show Post", responses=NOT_FOUND, openapi_extra=PUBLIC)
    @respond_to("json", text=as_text)
    async def show(self) -> PostOut:
        return PostOut.model_validate(self.post)

    @action(summary="Update Post", responses=UNREADABLE | FORBIDDEN | NOT_FOUND)
    async def update(self, data: PostUpdate) -> PostOut:
        permitted = self.ability.permit(data.model_dump(exclude_none=True), "update", self.post)
        return PostOut.model_validate(await self.post.update(**permitted))

    @action(summary="Delete Post", responses=FORBIDDEN | NOT_FOUND)
    async def destroy(self) -> None:
        self.authorize("destroy", self.post)
        await self.post.destroy()

    @action(summary="Publish Post", responses=FORBIDDEN | NOT_FOUND)
    async def publish(self) -> PostOut:
        self.authorize("publish", self.post)
        return PostOut.model_validate(await self.post.update(published=True))


class CommentsController(BlogController):
    responses = UNAUTHORIZED | NOT_FOUND

    @action(summary="List Comments", openapi_extra=PUBLIC)
    async def index(self, limit: Limit = 20, offset: Offset = 0) -> list[CommentOut]:
        comments = self.post.association(Post.comments).order("id").limit(limit).offset(offset)
        return [CommentOut.model_validate(comment) for comment in await comments.all()]

    @action(summary="Create Comment", responses=UNREADABLE | FORBIDDEN)
    async def create(self, data: CommentCreate) -> CommentOut:
        self.authorize("comment", self.post)
        comments = self.post.association(Post.comments)
        return CommentOut.model_validate(await comments.create(data, author_id=self.user.id))


# --- what steps 3 to 5 added, on records ----------------------------------------------------


class RecordModerationController(ModerationController):
    async def set_post(self, post_id: PostId) -> None:
        self.post = await Post.find(post_id)

    async def index(self, limit: Limit = 20, offset: Offset = 0) -> list[PostOut]:
        """List the locked posts, newest first."""
        locked = Post.newest().where(locked=True).limit(limit).offset(offset)
        return [PostOut.model_validate(post) for post in await locked.all()]


class MyPostsController(ResourceController[Post, PostCreate, BaseModel, PostOut]):
    responses = UNAUTHORIZED

    session: Session
    ability: CurrentAbility

    async def index(self, page: Annotated[Page, Query()]) -> list[PostOut]:
        """List the posts that you may change, newest first: the rules, as a WHERE clause."""
        mine = Post.newest().where(self.ability.accessible_by("update", Post))
        return [self.shown(post) for post in await mine.limit(page.limit).offset(page.offset).all()]

    def build(self, values: dict[str, Any]) -> Post:
        return Post(**values, author_id=self.ability.user.id)


class RecordArchiveController(ArchiveController):
    ability: CurrentAbility

    async def show(self, page: Annotated[int, Query(ge=1, le=1_000_000)] = 1) -> ArchivePage:
        """Everything that you may read, oldest first, in pages of the size that the settings give."""
        readable = Post.where(self.ability.accessible_by("read", Post)).order("id")
        found = await readable.page(page, self.settings.page_size)
        posts = [PostOut.model_validate(post) for post in found.items]
        return ArchivePage(title=self.settings.title, page=page, pages=found.pages, posts=posts)


# --- the rest: functions stay functions -----------------------------------------------------

site = APIRouter(tags=["site"])


@site.get("/health")
async def health() -> Health:
    return Health()


@site.get("/stats", responses=UNAUTHORIZED | FORBIDDEN)
async def stats(_user: CurrentUser, ability: CurrentAbility) -> Stats:
    ability.authorize("read", "stats")
    return Stats(
        users=await User.count(),
        posts=await Post.count(),
        published=await Post.where(published=True).count(),
        comments=await Comment.count(),
    )


@site.get("/", response_class=HTMLResponse)
async def home(request: Request, _session: Session) -> HTMLResponse:
    """The twenty newest posts, for people."""
    ability = Ability(None, define_abilities)
    readable = Post.newest().where(ability.accessible_by("read", Post))
    posts = await readable.includes("author").limit(20).all()
    context = {
        "ability": ability,
        "comments": await Comment.where(post_id=[post.id for post in posts]).group("post_id").count(),
        "path_for": path_for,
        "posts": posts,
        "title": request.app.state.blog.title,
    }
    return templates.TemplateResponse(request, "home.html", context)


texts = APIRouter(tags=["posts"], responses=UNAUTHORIZED)


@texts.get(
    "/posts/{post_id}.txt", response_class=PlainTextResponse, responses=NOT_FOUND, openapi_extra=PUBLIC
)
async def show_post_as_text(post: VisiblePost) -> str:
    return as_text(post.model_dump())


# --- the app --------------------------------------------------------------------------------


def same_id(route: APIRoute) -> str:
    """Keep the operation ids, and with them generated clients, that the functions of `before` had."""
    (method,) = route.methods or ("",)
    return re.sub(r"\W", "_", f"{route.summary}{route.path_format}_{method}").lower()


def create_app(database_url: str | None = None) -> FastAPI:
    config = load_config(database_url)
    app = FastAPI(title="The blog")
    blog = Lineside(app, config)
    database = blog.database
    use_records(app)

    @blog.after_start
    async def prepare() -> None:
        async with database.engine.begin() as connection:
            await connection.run_sync(before.Table.metadata.create_all)
        async with database.session() as session:
            await before.seed(session)

    app.include_router(site)
    app.include_router(texts)  # before "/posts/{post_id}", which would take "7.txt" for an id
    router = APIRouter(generate_unique_id_function=same_id)
    posts = resources(router, "posts", PostsController, param="post_id", member={"publish": "POST"})
    posts.resources("comments", CommentsController)
    app.include_router(router)

    resources(app, "tags", TagsController, except_=["new", "edit"])
    add_moderation(app, RecordModerationController)
    add_abilities(app, MyPostsController)
    add_archive(app, config, RecordArchiveController)
    add_feed(app)
    return app


app = create_app()
