"""`has_secure_token`: random, made on build, kept out of sight."""

import pytest
from sqlalchemy import text
from sqlalchemy.orm import registry
from sqlmodel import Field

from lineside.exceptions import ConfigurationError, RecordInvalid
from lineside.models import Database
from lineside.models._attribute._tokens import has_secure_token, new_token
from lineside.models._base._model import Model
from lineside.models._exceptions import UnknownAttributeError
from lineside.models._validation._declarations import validates

pytestmark = pytest.mark.anyio

BASE58 = set("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")


class Base(Model, registry=registry()):
    pass


@has_secure_token("auth_token")
@has_secure_token("invite", length=36)
@validates("auth_token", uniqueness=True)
class User(Base, table=True):
    name: str = ""
    auth_token: str = Field(unique=True)
    invite: str | None = None


async def stored(database: Database, key: int) -> str:
    async with database.engine.connect() as connection:
        statement = text('select auth_token from "user" where id = :id')
        token: str = (await connection.execute(statement, {"id": key})).scalar_one()
        return token


def test_a_token_is_long_and_easy_to_read() -> None:
    user = User()
    assert len(user.auth_token) == 24
    assert user.invite is not None
    assert len(user.invite) == 36
    seen = {character for _ in range(200) for character in new_token()}
    assert seen == BASE58


def test_two_are_never_alike() -> None:
    assert len({User().auth_token for _ in range(1_000)}) == 1_000


async def test_it_is_made_on_build_and_saved(database: Database) -> None:
    user = User(name="Ada")
    async with database.session() as session:
        session.add(user)
    assert await stored(database, user.id) == user.auth_token


async def test_a_token_of_your_own_is_kept(database: Database) -> None:
    async with database.session():
        user = await User.create(auth_token="chosen")
    assert await stored(database, user.id) == "chosen"


async def test_another_one_makes_the_old_one_void(database: Database) -> None:
    async with database.session():
        user = await User.create()
        old = user.auth_token
        assert await user.regenerate_token("auth_token") is user
    assert user.auth_token != old
    assert await stored(database, user.id) == user.auth_token
    assert len(user.auth_token) == 24


async def test_only_a_token_can_be_made_again(database: Database) -> None:
    async with database.session():
        user = await User.create()
        with pytest.raises(UnknownAttributeError, match="it has auth_token, invite"):
            await user.regenerate_token("name")


def test_it_is_not_in_the_repr() -> None:
    user = User(name="Ada")
    assert "Ada" in repr(user)
    assert user.auth_token not in repr(user)
    assert user.auth_token not in str(user)


async def test_one_that_is_taken_is_an_error_of_its_field(database: Database) -> None:
    async with database.session():
        await User.create(auth_token="same")
    async with database.session():
        with pytest.raises(RecordInvalid) as caught:
            await User.create(auth_token="same")
    assert caught.value.errors["auth_token"] == ["has already been taken"]  # type: ignore[index]
    # The value is a secret, also in what a client is told.
    assert "same" not in str(caught.value.errors.details())


def test_a_weak_or_unknown_token_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="at least 24 characters, not 23"):
        has_secure_token("auth_token", length=23)
    with pytest.raises(ConfigurationError, match="no field 'token'"):
        has_secure_token("token")(User)


async def test_rows_of_a_bulk_insert_have_one_each(database: Database) -> None:
    async with database.session():
        assert await User.insert_all([{"name": "a"}, {"name": "b"}]) == 2
    async with database.engine.connect() as connection:
        rows = (await connection.execute(text('select auth_token from "user"'))).scalars().all()
    assert len({*rows}) == 2
