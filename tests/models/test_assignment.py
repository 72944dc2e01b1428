"""Assigning attributes: by code any of them, from outside those that are permitted."""

from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship, SQLModel

from lineside.models import Database
from lineside.models._base._model import Model
from lineside.models._exceptions import ForbiddenAttributesError, UnknownAttributeError
from tests.models.ways import rows

pytestmark = pytest.mark.anyio


class Base(Model, registry=registry()):
    pass


class Author(Base, table=True):
    """Permits nothing."""

    name: str


class Post(Base, table=True):
    permit: ClassVar[list[str]] = ["title", "body"]
    title: str
    body: str | None = None
    is_admin: bool = False
    author_id: int | None = Field(default=None, foreign_key="author.id")
    author: Author | None = Relationship()

    @property
    def shouted(self) -> str:
        return self.title.upper()

    @shouted.setter
    def shouted(self, value: str) -> None:
        self.title = value.lower()


class PostPatch(BaseModel):
    title: str | None = None
    body: str | None = None


class PostByEditor(PostPatch):
    is_admin: bool = False


class Lenient(BaseModel):
    model_config = ConfigDict(extra="allow")
    title: str


class PostData(SQLModel):
    title: str
    is_admin: bool = False


WAYS = {
    "Post(...)": lambda values: Post(**values),
    "Post.build(...)": lambda values: Post.build(**values),
    "assign_attributes(...)": lambda values: Post(title="x").assign_attributes(**values),
}


@pytest.fixture(params=WAYS.values(), ids=WAYS.keys())
def make(request: pytest.FixtureRequest) -> Any:
    """Give each way in which code sets attributes."""
    return request.param


class TestByCode:
    def test_any_attribute(self, make: Any) -> None:
        """Columns, relationships and properties that can be set."""
        author = Author(name="Ada")
        post = make({"title": "Hello", "is_admin": True, "author": author})
        assert (post.title, post.is_admin, post.author) == ("Hello", True, author)

    def test_a_property_that_can_be_set(self, make: Any) -> None:
        """As in Rails, where an attribute is what has a setter."""
        assert make({"shouted": "HELLO"}).title == "hello"

    def test_an_unknown_name_is_an_error(self, make: Any) -> None:
        """SQLModel would drop it in silence; the error lists what there is."""
        with pytest.raises(UnknownAttributeError, match=r"Post has no attribute 'titel'; it has .*title"):
            make({"title": "Hello", "titel": "typo"})

    @pytest.mark.parametrize("name", ["save", "metadata", "__dict__", "_sa_instance_state", "permit", "sync"])
    def test_what_is_no_attribute_is_an_error(self, make: Any, name: str) -> None:
        """Methods, class variables and what belongs to SQLAlchemy."""
        with pytest.raises(UnknownAttributeError):
            make({"title": "Hello", name: "x"})

    async def test_create_and_update(self, database: Database) -> None:
        """They assign alike; what is refused is not saved."""
        async with database.session():
            post = await Post.create(title="Hello", is_admin=True)
            with pytest.raises(UnknownAttributeError):
                await post.update(titel="typo", body="text")
            with pytest.raises(UnknownAttributeError):
                await Post.create(titel="typo")
        assert await rows(database, "post", "title", "body") == [("Hello", None)]


class TestFromOutside:
    def test_what_is_permitted(self) -> None:
        """A mapping with names of `permit`."""
        post = Post.build({"title": "Hello", "body": "text"})
        assert (post.title, post.body) == ("Hello", "text")

    @pytest.mark.parametrize(
        "name", ["is_admin", "id", "author_id", "author", "created_at", "shouted", "nothing"]
    )
    def test_what_is_not(self, name: str) -> None:
        """Also what does not exist: the error does not tell which, and lists what is permitted."""
        with pytest.raises(ForbiddenAttributesError, match="permitted: body, title") as caught:
            Post.build({"title": "Hello", name: 1})
        assert caught.value.names == (name,)
        assert caught.value.status_hint == 422

    def test_a_model_without_permit_permits_nothing(self) -> None:
        """Mass assignment is allowed name by name."""
        with pytest.raises(ForbiddenAttributesError, match="permitted: nothing"):
            Author.build({"name": "Ada"})

    def test_code_beside_it_goes_first(self) -> None:
        """What the code says is not up to the client."""
        post = Post.build({"title": "theirs", "body": "theirs"}, body="ours", is_admin=True)
        assert (post.title, post.body, post.is_admin) == ("theirs", "ours", True)

    def test_a_schema_permits_what_it_declares(self) -> None:
        """Its author has listed the names."""
        assert Post.build(PostByEditor(title="Hello", is_admin=True)).is_admin

    def test_what_a_schema_leaves_unset_stays(self) -> None:
        """A PATCH with None is not a PATCH without."""
        post = Post(title="Hello", body="text")
        assert post.assign_attributes(PostPatch(title="Bye")).body == "text"
        assert post.assign_attributes(PostPatch(body=None)).body is None

    def test_what_a_schema_merely_let_pass_is_left_out(self) -> None:
        """`extra="allow"` permits nothing."""
        post = Post.build(Lenient.model_validate({"title": "Hello", "is_admin": True}))
        assert not post.is_admin

    def test_a_schema_of_sqlmodel(self) -> None:
        """A class that is no table is a schema."""
        assert Post.build(PostData(title="Hello", is_admin=True)).is_admin

    def test_a_table_is_no_schema(self) -> None:
        """Its fields were never meant as a list of what a client may set."""
        with pytest.raises(ForbiddenAttributesError):
            Post.build(Post(title="Hello", is_admin=True))

    def test_a_schema_with_a_field_that_the_model_lacks(self) -> None:
        """That is a mistake of the code, and named."""

        class Other(BaseModel):
            titel: str

        with pytest.raises(UnknownAttributeError, match="titel"):
            Post.build(Other(titel="typo"))

    async def test_create_and_update(self, database: Database) -> None:
        """Refused is refused before anything is written."""
        async with database.session():
            post = await Post.create({"title": "Hello"})
            await post.update({"body": "text"})
            with pytest.raises(ForbiddenAttributesError):
                await post.update({"title": "Bye", "is_admin": True})
            with pytest.raises(ForbiddenAttributesError):
                await Post.create({"title": "Bye", "is_admin": True})
        assert await rows(database, "post", "title", "body", "is_admin") == [("Hello", "text", False)]
