"""`dup`: a new record like another one."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy.orm import registry

from lineside.models import Database
from lineside.models._attribute._json import JSONField
from lineside.models._attribute._tokens import has_secure_token
from lineside.models._base._model import Model, UUIDModel
from lineside.models._base._record import Record

pytestmark = pytest.mark.anyio


class Base(Record, registry=registry()):
    pass


@has_secure_token("token")
class Post(Model, Base, table=True):
    title: str = ""
    meta: dict[str, Any] = JSONField(default_factory=dict)
    lock_version: int = 0
    deleted_at: datetime | None = None
    token: str


class Invoice(UUIDModel, Base, table=True):
    number: int = 0


async def test_a_copy_is_a_record_of_its_own(database: Database) -> None:
    async with database.session():
        post = await Post.create(title="a", meta={"n": [1]})
        await post.update(title="b")
        copy = post.dup()
        assert copy.is_new_record
        assert (copy.title, copy.meta) == ("b", {"n": [1]})
        assert copy.id is copy.created_at is copy.updated_at is None
        copy.meta["n"].append(2)
        assert post.meta == {"n": [1]}
        await copy.save()
    assert copy.id != post.id
    assert copy.created_at > post.created_at
    assert copy.token != post.token
    assert (post.lock_version, copy.lock_version) == (1, 0)


async def test_a_key_that_is_made_on_build_is_another_one(database: Database) -> None:
    async with database.session():
        invoice = await Invoice.create(number=7)
        copy = await invoice.dup().save()
    assert copy.number == 7
    assert copy.id > invoice.id
