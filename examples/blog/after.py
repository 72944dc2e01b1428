"""The blog on lineside: the same API as `before`, and what the five steps added.

    lineside server examples.blog.after:app

No check of who may do what is written here, and no 403: `define_abilities` has the rules.
Tables, schemas and the reading of tokens are those of `before`.
"""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from fastapi.routing import APIRoute
from sqlmodel import col, func, select

from examples.blog.before import (
    FORBIDDEN,
    NOT_FOUND,
    PUBLIC,
    UNAUTHORIZED,
    UNREADABLE,
    Comment,
    CommentCreate,
    CommentOut,
    CurrentUser,
    Health,
    Limit,
    Offset,
    Post,
    PostCreate,
    PostId,
    PostOut,
    PostUpdate,
    Session,
    Stats,
    Table,
    User,
    seed,
)
from examples.blog.step2_resources import TagsController
from examples.blog.step3_callbacks import add_moderation
from examples.blog.step4_abilities import CurrentAbility, add_abilities, define_abilities, templates
from examples.blog.step5_config import add_archive, load_config
from lineside.abilities import Ability
from lineside.application import Lineside
from lineside.controllers import Controller, action, before_action, skip_before_action
from lineside.exceptions import RecordNotFound
from lineside.routing import path_for, resources
from lineside.views import respond_to


async def get_post(post_id: PostId, session: Session, ability: CurrentAbility) -> Post:
    """The post, or 404; what may not be read is hidden and not forbidden."""
    post = await session.get(Post, post_id)
    if post is None or ability.cannot("read", post):
        raise RecordNotFound("Post", post_id)
    return post


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
        readable = select(Post).where(self.ability.accessible_by("read", Post)).order_by(col(Post.id).desc())
        posts = await self.session.exec(readable.limit(limit).offset(offset))
        return [PostOut.model_validate(post) for post in posts]

    @action(summary="Create Post", responses=UNREADABLE | FORBIDDEN)
    async def create(self, data: PostCreate) -> PostOut:
        post = Post(title=data.title, body=data.body, author_id=self.user.id)
        self.authorize("create", post)
        self.session.add(post)
        await self.session.flush()
        return PostOut.model_validate(post)

    @action(summary="Show Post", responses=NOT_FOUND, openapi_extra=PUBLIC)
    @respond_to("json", text=as_text)
    async def show(self) -> PostOut:
        return PostOut.model_validate(self.post)

    @action(summary="Update Post", responses=UNREADABLE | FORBIDDEN | NOT_FOUND)
    async def update(self, data: PostUpdate) -> PostOut:
        permitted = self.ability.permit(data.model_dump(exclude_none=True), "update", self.post)
        self.post.sqlmodel_update(permitted)
        return PostOut.model_validate(self.post)

    @action(summary="Delete Post", responses=FORBIDDEN | NOT_FOUND)
    async def destroy(self) -> None:
        self.authorize("destroy", self.post)
        await self.session.delete(self.post)

    @action(summary="Publish Post", responses=FORBIDDEN | NOT_FOUND)
    async def publish(self) -> PostOut:
        self.authorize("publish", self.post)
        self.post.published = True
        return PostOut.model_validate(self.post)


class CommentsController(BlogController):
    responses = UNAUTHORIZED | NOT_FOUND

    @action(summary="List Comments", openapi_extra=PUBLIC)
    async def index(self, limit: Limit = 20, offset: Offset = 0) -> list[CommentOut]:
        written = select(Comment).where(Comment.post_id == self.post.id).order_by(col(Comment.id))
        comments = await self.session.exec(written.limit(limit).offset(offset))
        return [CommentOut.model_validate(comment) for comment in comments]

    @action(summary="Create Comment", responses=UNREADABLE | FORBIDDEN)
    async def create(self, data: CommentCreate) -> CommentOut:
        self.authorize("comment", self.post)
        comment = Comment(post_id=self.post.id, author_id=self.user.id, body=data.body)
        self.session.add(comment)
        await self.session.flush()
        return CommentOut.model_validate(comment)


# --- the rest: functions stay functions -----------------------------------------------------

site = APIRouter(tags=["site"])


@site.get("/health")
async def health() -> Health:
    return Health()


@site.get("/stats", responses=UNAUTHORIZED | FORBIDDEN)
async def stats(_user: CurrentUser, ability: CurrentAbility, session: Session) -> Stats:
    ability.authorize("read", "stats")

    async def count(table: type[Table], *where: Any) -> int:
        return (await session.exec(select(func.count()).select_from(table).where(*where))).one()

    return Stats(
        users=await count(User),
        posts=await count(Post),
        published=await count(Post, col(Post.published)),
        comments=await count(Comment),
    )


@site.get("/", response_class=HTMLResponse)
async def home(request: Request, session: Session) -> HTMLResponse:
    """The twenty newest posts, for people."""
    comments = select(func.count()).where(Comment.post_id == Post.id).scalar_subquery()
    ability = Ability(None, define_abilities)
    readable = select(Post, User, comments).join(User).where(ability.accessible_by("read", Post))
    context = {
        "ability": ability,
        "path_for": path_for,
        "posts": list(await session.exec(readable.order_by(col(Post.id).desc()).limit(20))),
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
    # `before` opens its sessions here; these commit when the request has succeeded.
    app.state.sessions = database.session

    @blog.after_start
    async def prepare() -> None:
        async with database.engine.begin() as connection:
            await connection.run_sync(Table.metadata.create_all)
        async with database.session() as session:
            await seed(session)

    app.include_router(site)
    app.include_router(texts)  # before "/posts/{post_id}", which would take "7.txt" for an id
    router = APIRouter(generate_unique_id_function=same_id)
    posts = resources(router, "posts", PostsController, param="post_id", member={"publish": "POST"})
    posts.resources("comments", CommentsController)
    app.include_router(router)

    resources(app, "tags", TagsController, except_=["new", "edit"])
    add_moderation(app)
    add_abilities(app)
    add_archive(app, config)
    return app


app = create_app()
