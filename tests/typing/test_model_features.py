"""What type checkers say of the features of records; read by mypy and pyright, never run."""

from typing import Any, assert_type
from uuid import UUID

from sqlalchemy.orm import registry

from lineside.models._attribute._json import JSONField
from lineside.models._attribute._tokens import has_secure_token
from lineside.models._base._model import Model, ULIDModel, UUIDModel
from lineside.models._base._soft_delete import SoftDelete, SyncSoftModel, SyncSoftRecord
from lineside.models._relation._query import Query


class Base(Model, registry=registry()):
    """Tables of this file."""


@has_secure_token("token")
class Post(SoftDelete, Base, table=True):
    title: str = ""
    views: int = 0
    meta: dict[str, Any] = JSONField(default_factory=dict)
    token: str


class Numbered(UUIDModel, registry=registry()):
    """Tables with UUIDs."""


class Invoice(Numbered, table=True):
    number: int


class Lettered(ULIDModel, registry=registry()):
    """Tables with ULIDs."""


class Parcel(Lettered, table=True):
    number: int


def construction() -> None:
    assert_type(Post(title="a", views=1, token="t"), Post)
    assert_type(Invoice(number=1), Invoice)
    Invoice(numer=1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


async def finders() -> None:
    assert_type(await Post.find_or_create_by(title="a", create_with={"views": 1}), Post)
    assert_type(await Post.create_or_find_by(title="a"), Post)
    assert_type(await Post.find_or_initialize_by(title="a"), Post)
    assert_type(Post.sync.find_or_create_by(title="a"), Post)


async def bulk() -> None:
    assert_type(await Post.insert_all([{"title": "a"}], on_duplicate="skip"), int)
    assert_type(await Post.upsert_all([{"title": "a"}], unique_by=("title",)), int)
    await Post.insert_all([], on_duplicate="ignore")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def records(post: Post, invoice: Invoice, parcel: Parcel) -> None:
    assert_type(await post.increment("views"), Post)
    assert_type(await post.toggle("title"), Post)
    assert_type(await post.regenerate_token("token"), Post)
    assert_type(post.dup(), Post)
    assert_type(invoice.id, UUID)
    assert_type(parcel.id, str)
    async with post.with_lock() as locked:
        assert_type(locked, Post)


async def soft_deletion(post: Post) -> None:
    assert_type(Post.with_deleted(), Query[Post])
    assert_type(Post.only_deleted().where(title="a"), Query[Post])
    assert_type(await post.restore(), Post)
    assert_type(await post.really_destroy(), Post)
    assert_type(post.is_deleted, bool)
    assert_type(Post.sync, SyncSoftModel[Post])
    assert_type(post.sync, SyncSoftRecord[Post])
    assert_type(post.sync.restore(), Post)
