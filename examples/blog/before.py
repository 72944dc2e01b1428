"""A blog on FastAPI and SQLModel: users, posts with drafts, comments, one HTML page.

    uvicorn examples.blog.before:app

Everything is in this one file, so that each adoption step reads as a diff against it.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from html import escape
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Request, status
from fastapi.responses import HTMLResponse, PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, StrictBool, StringConstraints
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, col, func, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

# --- tables ---------------------------------------------------------------------------------


class Table(SQLModel, registry=registry()):
    """A registry of our own: two blogs in one process do not share their tables."""


class Role(StrEnum):
    READER = "reader"  # reads and comments
    AUTHOR = "author"  # and writes posts
    ADMIN = "admin"  # and may change everything


class User(Table, table=True):
    id: int = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    role: Role = Role.READER
    token: str = Field(unique=True)  # as it is, for the demo: keep a hash of it in a real app


class Post(Table, table=True):
    id: int = Field(default=None, primary_key=True)
    title: str
    body: str
    published: bool = False
    locked: bool = False
    author_id: int = Field(foreign_key="user.id", index=True)
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class Comment(Table, table=True):
    id: int = Field(default=None, primary_key=True)
    post_id: int = Field(foreign_key="post.id", index=True, ondelete="CASCADE")
    author_id: int = Field(foreign_key="user.id")
    body: str


# --- schemas --------------------------------------------------------------------------------

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Body = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
Remark = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


class PostCreate(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: Title
    body: Body


class PostUpdate(BaseModel):
    """What is left out, or null, stays as it is."""

    model_config = ConfigDict(extra="forbid")
    title: Title | None = None
    body: Body | None = None
    locked: StrictBool | None = None


class PostOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    title: str
    body: str
    published: bool
    locked: bool
    author_id: int
    created_at: datetime


class CommentCreate(BaseModel):
    model_config = ConfigDict(extra="forbid")
    body: Remark


class CommentOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    post_id: int
    author_id: int
    body: str


class Stats(BaseModel):
    users: int
    posts: int
    published: int
    comments: int


class Problem(BaseModel):
    detail: str


class Health(BaseModel):
    status: str = "ok"


# --- dependencies ---------------------------------------------------------------------------


async def get_session(request: Request) -> AsyncGenerator[AsyncSession]:
    async with request.app.state.sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session, scope="function")]
Token = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


async def get_optional_user(session: Session, credentials: Token) -> User | None:
    """Nobody without a token; a wrong token is an error all the same."""
    if credentials is None:
        return None
    user = (await session.exec(select(User).where(User.token == credentials.credentials))).one_or_none()
    if user is None:
        raise HTTPException(401, "Unknown token", headers={"WWW-Authenticate": "Bearer"})
    return user


OptionalUser = Annotated[User | None, Depends(get_optional_user)]


async def get_current_user(user: OptionalUser) -> User:
    if user is None:
        raise HTTPException(401, "Not authenticated", headers={"WWW-Authenticate": "Bearer"})
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]
# SQLite's integers have 64 bits: a larger id is a 422 here and not an error of the driver.
PostId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Limit = Annotated[int, Query(ge=1, le=100)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]


async def get_visible_post(post_id: PostId, session: Session, user: OptionalUser) -> Post:
    """The post, or 404; somebody else's draft is hidden and not forbidden."""
    post = await session.get(Post, post_id)
    if post is None:
        raise HTTPException(404, "Post not found")
    if not post.published and (user is None or (post.author_id != user.id and user.role != Role.ADMIN)):
        raise HTTPException(404, "Post not found")
    return post


VisiblePost = Annotated[Post, Depends(get_visible_post)]

# --- posts ----------------------------------------------------------------------------------

Responses = dict[int | str, dict[str, Any]]


def problem(status_code: int, description: str) -> Responses:
    """Document an error as JSON, also where the route itself answers with text."""
    schema = Problem.model_json_schema()
    return {status_code: {"description": description, "content": {"application/json": {"schema": schema}}}}


UNREADABLE = problem(400, "The body is not JSON")
UNAUTHORIZED = problem(401, "No valid token")
FORBIDDEN = problem(403, "Not allowed")
NOT_FOUND = problem(404, "No such post")
PUBLIC: dict[str, Any] = {"security": [{}]}  # beside the bearer token: "or nothing at all"

posts = APIRouter(prefix="/posts", tags=["posts"], responses=UNAUTHORIZED)


@posts.get("", openapi_extra=PUBLIC)
async def list_posts(
    session: Session, user: OptionalUser, limit: Limit = 20, offset: Offset = 0
) -> list[PostOut]:
    query = select(Post).order_by(col(Post.id).desc()).limit(limit).offset(offset)
    if user is None:
        query = query.where(col(Post.published))
    elif user.role != Role.ADMIN:
        query = query.where(or_(col(Post.published), Post.author_id == user.id))
    return [PostOut.model_validate(post) for post in await session.exec(query)]


@posts.post("", status_code=status.HTTP_201_CREATED, responses=UNREADABLE | FORBIDDEN)
async def create_post(data: PostCreate, session: Session, user: CurrentUser) -> PostOut:
    if user.role == Role.READER:
        raise HTTPException(403, "Readers may not write posts")
    post = Post(title=data.title, body=data.body, author_id=user.id)
    session.add(post)
    await session.commit()
    return PostOut.model_validate(post)


# Before "/{post_id}", which would take "7.txt" for an id.
@posts.get("/{post_id}.txt", response_class=PlainTextResponse, responses=NOT_FOUND, openapi_extra=PUBLIC)
async def show_post_as_text(post: VisiblePost) -> str:
    return f"{post.title}\n{'=' * len(post.title)}\n\n{post.body}\n"


@posts.get("/{post_id}", responses=NOT_FOUND, openapi_extra=PUBLIC)
async def show_post(post: VisiblePost) -> PostOut:
    return PostOut.model_validate(post)


@posts.put("/{post_id}", responses=UNREADABLE | FORBIDDEN | NOT_FOUND)
@posts.patch("/{post_id}", responses=UNREADABLE | FORBIDDEN | NOT_FOUND)
async def update_post(user: CurrentUser, post: VisiblePost, data: PostUpdate, session: Session) -> PostOut:
    if post.author_id != user.id and user.role != Role.ADMIN:
        raise HTTPException(403, "Not your post")
    if post.locked and user.role != Role.ADMIN:
        raise HTTPException(403, "The post is locked")
    if data.locked is not None and user.role != Role.ADMIN:
        raise HTTPException(403, "Only an admin may change: locked")
    post.sqlmodel_update(data.model_dump(exclude_none=True))
    await session.commit()
    return PostOut.model_validate(post)


@posts.delete("/{post_id}", status_code=status.HTTP_204_NO_CONTENT, responses=FORBIDDEN | NOT_FOUND)
async def delete_post(user: CurrentUser, post: VisiblePost, session: Session) -> None:
    if post.author_id != user.id and user.role != Role.ADMIN:
        raise HTTPException(403, "Not your post")
    if post.locked and user.role != Role.ADMIN:
        raise HTTPException(403, "The post is locked")
    await session.delete(post)
    await session.commit()


@posts.post("/{post_id}/publish", responses=FORBIDDEN | NOT_FOUND)
async def publish_post(user: CurrentUser, post: VisiblePost, session: Session) -> PostOut:
    if post.author_id != user.id and user.role != Role.ADMIN:
        raise HTTPException(403, "Not your post")
    if post.locked and user.role != Role.ADMIN:
        raise HTTPException(403, "The post is locked")
    post.published = True
    await session.commit()
    return PostOut.model_validate(post)


# --- comments -------------------------------------------------------------------------------

comments = APIRouter(
    prefix="/posts/{post_id}/comments", tags=["comments"], responses=UNAUTHORIZED | NOT_FOUND
)


@comments.get("", openapi_extra=PUBLIC)
async def list_comments(
    post: VisiblePost, session: Session, limit: Limit = 20, offset: Offset = 0
) -> list[CommentOut]:
    query = select(Comment).where(Comment.post_id == post.id).order_by(col(Comment.id))
    return [CommentOut.model_validate(row) for row in await session.exec(query.limit(limit).offset(offset))]


@comments.post("", status_code=status.HTTP_201_CREATED, responses=UNREADABLE | FORBIDDEN)
async def create_comment(
    user: CurrentUser, post: VisiblePost, data: CommentCreate, session: Session
) -> CommentOut:
    if post.locked and user.role != Role.ADMIN:
        raise HTTPException(403, "The post is locked")
    comment = Comment(post_id=post.id, author_id=user.id, body=data.body)
    session.add(comment)
    await session.commit()
    return CommentOut.model_validate(comment)


# --- the rest -------------------------------------------------------------------------------

site = APIRouter(tags=["site"])


@site.get("/health")
async def health() -> Health:
    return Health()


@site.get("/stats", responses=UNAUTHORIZED | FORBIDDEN)
async def stats(user: CurrentUser, session: Session) -> Stats:
    if user.role != Role.ADMIN:
        raise HTTPException(403, "Only an admin may see the numbers")

    async def count(table: type[Table], *where: Any) -> int:
        return (await session.exec(select(func.count()).select_from(table).where(*where))).one()

    return Stats(
        users=await count(User),
        posts=await count(Post),
        published=await count(Post, col(Post.published)),
        comments=await count(Comment),
    )


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>The blog</title><style>
body {{ font: 17px/1.6 Georgia, serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; color: #222; }}
article {{ border-top: 1px solid #ddd; padding: 1rem 0; }} h2 {{ margin: 0; font-size: 1.25rem; }}
small, footer {{ color: #666; }} a {{ color: #a33; }} p {{ white-space: pre-line; overflow-wrap: anywhere; }}
</style></head><body><h1>The blog</h1>
{articles}
<footer><a href="/docs">API documentation</a></footer></body></html>
"""
ARTICLE = """<article><h2>{title}</h2><small>{author}, {day:%d %B %Y}</small>
<p>{body}</p><a href="/posts/{id}.txt">as text</a></article>"""


@site.get("/", response_class=HTMLResponse)
async def home(session: Session) -> str:
    """The twenty newest posts, for people."""
    newest = select(Post, User).join(User).where(col(Post.published)).order_by(col(Post.id).desc()).limit(20)
    articles = [
        ARTICLE.format(
            title=escape(post.title),
            body=escape(post.body),
            author=escape(author.name),
            day=post.created_at,
            id=post.id,
        )
        for post, author in await session.exec(newest)
    ]
    return PAGE.format(articles="\n".join(articles) or "<p>Nothing here yet.</p>")


# --- the app --------------------------------------------------------------------------------


async def seed(session: AsyncSession) -> None:
    """Fill an empty database with three users, five posts and two comments."""
    if (await session.exec(select(User).limit(1))).first() is not None:
        return
    ada = User(name="Ada", role=Role.ADMIN, token="ada-token")
    ben = User(name="Ben", role=Role.AUTHOR, token="ben-token")
    cleo = User(name="Cleo", role=Role.READER, token="cleo-token")
    session.add_all([ada, ben, cleo])
    await session.flush()
    welcome = Post(title="Welcome", body="This is the blog.", published=True, author_id=ada.id)
    rails = Post(title="On rails", body="Two lines, always parallel.", published=True, author_id=ben.id)
    session.add_all([welcome, rails])
    await session.flush()
    session.add_all(
        [
            Post(title="House rules", body="Be kind.", published=True, locked=True, author_id=ben.id),
            Post(title="Ada's draft", body="Not ready.", author_id=ada.id),
            Post(title="Ben's draft", body="Not ready either.", author_id=ben.id),
            Comment(post_id=welcome.id, author_id=cleo.id, body="Hello!"),
            Comment(post_id=rails.id, author_id=ada.id, body="Mind the gap."),
        ]
    )
    await session.commit()


def make_engine(database_url: str) -> AsyncEngine:
    """An engine that has not connected yet."""
    engine = create_async_engine(database_url)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine.sync_engine, "connect")
        def enforce_foreign_keys(connection: Any, _record: object) -> None:
            connection.execute("PRAGMA foreign_keys = ON").close()

    return engine


def create_app(database_url: str | None = None) -> FastAPI:
    """Build the blog on `database_url`, or BLOG_DATABASE_URL, or `blog.sqlite3` in the current folder."""
    engine = make_engine(
        database_url or os.environ.get("BLOG_DATABASE_URL") or "sqlite+aiosqlite:///blog.sqlite3"
    )
    sessions = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(Table.metadata.create_all)
        async with sessions() as session:
            await seed(session)
        yield
        await engine.dispose()

    app = FastAPI(title="The blog", lifespan=lifespan)
    app.state.sessions = sessions
    app.include_router(site)
    app.include_router(posts)
    app.include_router(comments)
    return app


app = create_app()
