"""What a type checker infers of validations; this file is checked and never run."""

from typing import Any, assert_type

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, registry
from sqlmodel import Field, SQLModel

from lineside.exceptions import SupportsErrorDetails
from lineside.models._validation._declarations import validate, validates, validates_with
from lineside.models._validation._errors import Error, Errors
from lineside.models._validation._normalizes import normalize_value_for, normalizes
from lineside.models._validation._rules import SupportsValidate
from lineside.models._validation._uniqueness import unique_violation
from lineside.models._validation._validations import errors_of
from lineside.models._validation._validations import validate as run


class Base(SQLModel, registry=registry()):
    """Tables of this file."""


class Polite:
    """A validator as an object."""

    def validate(self, record: Any, errors: Errors) -> None:
        """Look at the whole record."""


async def shouts(record: Any, errors: Errors) -> None:
    """A validator as a function, and async."""


@normalizes("email", with_=str.strip)
@validates("title", presence=True, length=(1, 200), if_="published", message="is needed")
@validates("title", length={"minimum": 1, "maximum": 200, "is": 7}, format="^a", on="create")
@validates(
    "views", numericality={"greater_than": 0, "only_integer": True}, unless=lambda post: post.published
)
@validates(
    "views", comparison={"less_than": "other"}, inclusion=range(9), exclusion=lambda post: [post.other]
)
@validates("email", uniqueness={"scope": ("title",), "case_sensitive": False}, allow_none=True)
@validates_with(Polite(), shouts)
class Post(Base, table=True):
    """Every option of a declaration."""

    id: int | None = Field(default=None, primary_key=True)
    title: str
    email: str
    views: int
    other: int
    published: bool

    @validate
    def check(self) -> None:
        """Without parentheses."""

    @validate(on="update", if_="published")
    async def check_later(self) -> int:
        """With options."""
        return 1


async def questions(post: Post, session: Session, error: IntegrityError) -> None:
    """Ask everything once."""
    assert_type(Post(title="x", email="y", views=1, other=2, published=True), Post)
    post.check()
    assert_type(await post.check_later(), int)
    errors = errors_of(post)
    assert_type(errors, Errors)
    assert_type(errors["title"], list[str])
    assert_type(errors.on("title"), tuple[Error, ...])
    assert_type(errors.messages, dict[str, list[str]])
    assert_type(list(errors), list[Error])
    assert_type(run(post, session, on="create"), bool)
    assert_type(normalize_value_for(Post, "email", " x "), Any)
    assert_type(unique_violation(error), tuple[type, tuple[str, ...]] | None)
    _shape: SupportsErrorDetails = errors
    _object: SupportsValidate = Polite()


def refuse() -> None:
    """Each of these is an error to a type checker; an ignore that is not needed would be one, too."""
    validates("title", nonsense=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    validates("title", length={"max": 3})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    validates("title", presence=True, on="save")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    validates("title", numericality={"greater": 1})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
