"""What type checkers know of associations; read by them, never run."""

from typing import Any, assert_type

from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship

from lineside.models._association._associations import Association, SyncAssociation
from lineside.models._association._declared import belongs_to, has_many
from lineside.models._base._model import Model


class Base(Model, registry=registry()):
    """Tables of this file."""


@has_many("comments", dependent="destroy")
class Post(Base, table=True):
    """Has comments."""

    title: str
    comments_count: int = 0
    comments: list["Comment"] = Relationship(back_populates="post")


@belongs_to("post", counter_cache="comments_count", touch=True)
class Comment(Base, table=True):
    """Belongs to a post."""

    body: str
    post_id: int = Field(foreign_key="post.id")
    post: Post = Relationship(back_populates="comments")


async def associations(post: Post) -> None:
    """Know what an association holds, when it is named by its attribute."""
    comments = post.association(Post.comments)
    assert_type(comments, Association[Comment])
    assert_type(comments.where(body="x"), Association[Comment])
    assert_type(comments.build(body="x"), Comment)
    assert_type(await comments.create(body="x"), Comment)
    assert_type(await comments.all(), list[Comment])
    assert_type(post.association("comments"), Association[Any])
    assert_type(await post.load("comments"), Post)
    assert_type(post.sync.association(Post.comments), SyncAssociation[Comment])
    assert_type(post.sync.association(Post.comments).create(body="x"), Comment)
    await comments.add(Comment(body="x", post_id=1))
    await comments.add("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
