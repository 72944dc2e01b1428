"""Locks, counters, tokens, find or create and bulk statements on a sync session."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import registry
from sqlmodel import Field, Session

from lineside.exceptions import RecordInvalid
from lineside.models import Database
from lineside.models._attribute._json import JSONField
from lineside.models._attribute._tokens import has_secure_token
from lineside.models._base._model import Model
from lineside.models._base._soft_delete import SoftDelete
from lineside.models._exceptions import StaleObjectError
from lineside.models._validation._declarations import validates


class Base(Model, registry=registry()):
    pass


@has_secure_token("token")
@validates("name", uniqueness=True)
class Account(SoftDelete, Base, table=True):
    name: str = Field(unique=True)
    balance: int = 0
    is_open: bool = False
    meta: dict[str, Any] = JSONField(default_factory=dict)
    lock_version: int = 0
    token: str


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    """Give a sync session of lineside's own, which is the ambient one."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}")
    else:
        server: str = request.getfixturevalue("postgres_url")
        database = Database(server.replace("postgresql://", "postgresql+psycopg://"))
    with database.sync_session() as session:
        Base.metadata.create_all(session.connection())
        yield session
        session.rollback()
        Base.metadata.drop_all(session.connection())
    asyncio.run(database.dispose())


def test_a_stale_save_is_refused(session: Session) -> None:
    account = Account.sync.create(name="a")
    session.execute(text("update account set lock_version = 7"))
    with pytest.raises(StaleObjectError), session.begin_nested():
        account.sync.update(balance=1)
    account.sync.reload()
    assert account.sync.update(balance=2).lock_version == 8


def test_a_lock_reads_the_row_again(session: Session) -> None:
    account = Account.sync.create(name="a")
    session.execute(text("update account set balance = 5, lock_version = 1"))
    with account.sync.with_lock() as locked:
        assert locked is account
        locked.sync.update(balance=locked.balance + 1)
    assert (account.balance, account.lock_version) == (6, 2)


def test_the_database_counts(session: Session) -> None:
    account = Account.sync.create(name="a")
    account.sync.increment("balance", 5).sync.decrement("balance")
    account.sync.toggle("is_open")
    assert (account.balance, account.is_open, account.lock_version) == (4, True, 3)


def test_a_token_is_made_again(session: Session) -> None:
    account = Account.sync.create(name="a")
    old = account.token
    assert account.sync.regenerate_token("token").token != old


def test_find_or_create(session: Session) -> None:
    made = Account.sync.find_or_create_by(name="a", create_with={"balance": 3})
    assert made.balance == 3
    assert Account.sync.find_or_create_by(name="a") is made
    assert Account.sync.create_or_find_by(name="a") is made
    assert Account.sync.find_or_initialize_by(name="a") is made
    assert Account.sync.find_or_initialize_by(name="b").is_new_record


def test_bulk_statements(session: Session) -> None:
    assert Account.sync.insert_all([{"name": "a"}, {"name": "b"}]) == 2
    assert Account.sync.insert_all([{"name": "a"}, {"name": "c"}], on_duplicate="skip") == 1
    assert Account.sync.upsert_all([{"name": "a", "balance": 7}], unique_by="name") == 1
    assert Account.sync.order("name").pluck("balance") == [7, 0, 0]
    with pytest.raises(RecordInvalid):
        Account.sync.insert_all([{"name": "d", "balance": "much"}])


def test_documents_and_soft_deletion(session: Session) -> None:
    account = Account.sync.create(name="a", meta={"a": {}})
    account.meta["a"]["b"] = 1
    session.commit()
    assert account.sync.reload().meta == {"a": {"b": 1}}
    session.delete(account)
    session.commit()
    assert Account.sync.count() == 0
    assert Account.sync.where(name="a").only_deleted().all() == [account]
    assert Account.sync.with_deleted().count() == 1
    account.sync.restore()
    assert Account.sync.count() == 1
    account.sync.really_destroy()
    assert session.execute(text("select count(*) from account")).scalar_one() == 0
