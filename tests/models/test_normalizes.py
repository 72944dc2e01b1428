"""`normalizes`: values in the one form in which they are kept."""

from typing import Any

import pytest
from sqlalchemy import JSON, create_engine
from sqlalchemy.orm import Session, make_transient_to_detached, registry
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import Field, SQLModel, select

from lineside.exceptions import ConfigurationError
from lineside.models import Database
from lineside.models._validation._declarations import validates
from lineside.models._validation._errors import errors_of
from lineside.models._validation._normalizes import apply_normalizers, normalize_value_for, normalizes
from lineside.models._validation._validations import validate


class Base(SQLModel, registry=registry()): ...


@normalizes("email", "login", with_=str.strip)
@normalizes("email", with_=str.lower)
@normalizes("nick", with_=lambda nick: nick or "nobody", apply_to_none=True)
@normalizes("count", with_=abs)
@normalizes("tags", with_=sorted)
@validates("email", length={"maximum": 5})
class Person(Base):
    id: int | None = Field(default=None, primary_key=True)
    email: str | None = None
    login: str | None = Field(default=None, max_length=3)
    nick: str | None = None
    count: int = 0
    tags: list[str] = Field(default_factory=list, sa_type=JSON)


@normalizes("email", with_=lambda email: email.replace("+", ""))
class Admin(Person, table=True):
    __tablename__ = "normalizes_admin"


class User(Person, table=True):
    __tablename__ = "normalizes_user"


def checked(record: Any) -> list[str]:
    with Session(create_engine("sqlite://")) as session:
        validate(record, session, on="create")
    return errors_of(record).full_messages()


@pytest.mark.parametrize(
    ("field", "given", "kept"),
    [
        ("email", " A@B ", "a@b"),
        ("email", None, None),
        ("login", " ada ", "ada"),  # fits only without the spaces
        ("nick", None, "nobody"),
        ("nick", "", "nobody"),
        ("count", -5, 5),
        ("count", "-5", 5),  # after it was put into its type
        ("tags", ["b", "a"], ["a", "b"]),
    ],
)
def test_a_value_is_kept_in_its_form(field: str, given: Any, kept: Any) -> None:
    """Before it is validated, in the order in which the forms are written."""
    user = User(**{field: given})
    assert checked(user) == []
    assert getattr(user, field) == kept


@pytest.mark.parametrize(("field", "value"), [("email", 5), ("email", ["a"]), ("login", {}), ("count", "x")])
def test_a_value_of_another_type_is_left_for_the_validation(field: str, value: Any) -> None:
    """A function of texts is never called with a number that a client has sent."""
    user = User(**{field: value})
    assert checked(user) != []
    assert getattr(user, field) == value


def test_the_validators_see_the_form() -> None:
    """Spaces do not count."""
    assert checked(User(email="  a@b    ")) == []
    assert checked(User(email="abcdef")) == ["Email is too long (maximum is 5 characters)"]


def test_a_value_for_a_query_takes_the_same_form() -> None:
    """And a field without a form keeps what it is given."""
    assert normalize_value_for(User, "email", " A@B ") == "a@b"
    assert normalize_value_for(User, "email", None) is None
    assert normalize_value_for(User, "nick", None) == "nobody"
    assert normalize_value_for(User, "id", "7") == "7"
    assert normalize_value_for(User, "email", 5) == 5


def test_a_subclass_adds_to_the_form_of_its_base() -> None:
    """The base's first; another subclass does not see it."""
    assert normalize_value_for(Admin, "email", " A+B ") == "ab"
    assert normalize_value_for(User, "email", " A+B ") == "a+b"


def test_only_what_has_changed_is_touched() -> None:
    """A row that is older than the form is not rewritten by an update of something else."""
    user = User(id=1)
    make_transient_to_detached(user)  # as if it had been loaded
    set_committed_value(user, "email", " OLD ")
    set_committed_value(user, "login", "x")
    user.login = " y "
    assert apply_normalizers(user) is True
    assert (user.email, user.login) == (" OLD ", "y")
    assert apply_normalizers(user) is False


def test_only_the_named_fields() -> None:
    """The others wait for the validation."""
    user = User(email=" A ", login=" x ")
    apply_normalizers(user, ["login"])
    assert (user.email, user.login) == (" A ", "x")


def test_an_unknown_field_fails_where_it_is_written() -> None:
    """And the known ones are named."""
    with pytest.raises(
        ConfigurationError, match="User has no column 'mail' to normalize; it has count, email"
    ):
        normalizes("mail", with_=str.strip)(User)


@pytest.mark.anyio
async def test_the_row_has_the_form(database: Database) -> None:
    """Read back in another session."""
    async with database.session() as session:
        user = User(email=" A@B ")
        await session.run_sync(lambda sync: validate(user, sync, on="create"))
        session.add(user)
    async with database.session() as session:
        assert (await session.exec(select(User.email))).one() == "a@b"
