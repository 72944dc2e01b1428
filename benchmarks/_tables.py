"""One table, written for lineside, for SQLModel by hand, for Advanced Alchemy and for Tortoise."""

from datetime import UTC, datetime
from typing import Any

from advanced_alchemy.base import BigIntAuditBase
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy.orm import Mapped, registry
from sqlmodel import Field, SQLModel
from tortoise import fields
from tortoise.models import Model as TortoiseModel

from lineside.models import Model, after_create, before_save, validates


class Ours(Model, registry=registry()):
    """Tables of ours."""


@validates("title", presence=True, length=(1, 200))
@validates("views", numericality={"greater_than_or_equal_to": 0})
class Post(Ours, table=True):
    """With validations and two callbacks."""

    title: str = Field(max_length=200)
    body: str
    author_id: int = Field(index=True)
    views: int = 0

    @before_save
    def strip_title(self) -> None:
        """Do a little before."""
        self.title = self.title.strip()

    @after_create
    async def remember(self) -> None:
        """Do a little after, async."""
        self.__dict__["_remembered"] = True


class ByHand(SQLModel, registry=registry()):
    """Tables without lineside."""


def _now() -> datetime:
    return datetime.now(UTC)


class HandPost(ByHand, table=True):
    """The same columns."""

    __tablename__ = "post"

    id: int = Field(default=None, primary_key=True)
    created_at: datetime = Field(default_factory=_now)
    updated_at: datetime = Field(default_factory=_now)
    title: str = Field(max_length=200)
    body: str
    author_id: int = Field(index=True)
    views: int = 0


class AlchemyPost(BigIntAuditBase):
    """Advanced Alchemy's audit base has the same id and timestamps."""

    __tablename__ = "post"

    title: Mapped[str]
    body: Mapped[str]
    author_id: Mapped[int]
    views: Mapped[int]


class AlchemyPosts(SQLAlchemyAsyncRepository[AlchemyPost]):
    """Its repository."""

    model_type = AlchemyPost


class TortoisePost(TortoiseModel):
    """The same columns for Tortoise."""

    id = fields.IntField(primary_key=True)
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)
    title = fields.CharField(max_length=200)
    body = fields.TextField()
    author_id = fields.IntField(db_index=True)
    views = fields.IntField(default=0)

    class Meta:
        """Tortoise's options."""

        table = "tortoise_post"


def values(number: int) -> dict[str, Any]:
    """Return what a post is made of."""
    return {"title": f"Post {number}", "body": "Words. " * 20, "author_id": number % 10, "views": number}
