"""What a type checker infers of factories; this file is checked and never run."""

from typing import Any, assert_type

from sqlalchemy.orm import registry
from sqlmodel import Field

from lineside.models import Model
from lineside.testing import Factory, Sequence, TestApp


class Base(Model, registry=registry()):
    """Tables of this file."""


class Post(Base, table=True):
    title: str = Field(max_length=80)


class PostFactory(Factory[Post]):
    title = Sequence(lambda number: f"Post {number}")


async def infer(app: TestApp) -> None:
    assert_type(PostFactory.build(), Post)
    assert_type(PostFactory.build_list(2, title="x"), list[Post])
    assert_type(await PostFactory.create("trait"), Post)
    assert_type(await PostFactory.create_list(2), list[Post])
    assert_type(PostFactory.create_sync(), Post)
    assert_type(PostFactory.create_list_sync(2), list[Post])
    assert_type(PostFactory.attributes_for(), dict[str, Any])
    assert_type(app.db.create(PostFactory), Post)
    assert_type(app.db.create_list(PostFactory, 2), list[Post])
