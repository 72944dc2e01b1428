"""What the one class has gained, in an app that still says ``session.add`` and ``session.commit``."""

import uuid
from collections.abc import Iterator

import pytest
from app.main import app, engine
from app.models import Item, User
from fastapi.testclient import TestClient
from sqlmodel import Session, SQLModel

from lineside.exceptions import RecordInvalid
from lineside.problems import install_error_handlers


@pytest.fixture(autouse=True)
def tables() -> Iterator[None]:
    SQLModel.metadata.create_all(engine)
    Item.happened.clear()
    yield
    SQLModel.metadata.drop_all(engine)
    engine.dispose()


def a_user(session: Session) -> User:
    user = User(email="ada@example.com", hashed_password="x")
    session.add(user)
    session.commit()
    return user


def test_a_plain_add_and_commit_runs_the_callbacks_and_keeps_the_normal_form() -> None:
    with Session(engine) as session:
        item = Item(title="  Milk ", owner_id=a_user(session).id)
        session.add(item)
        session.commit()
        key = item.id
    assert Item.happened == ["before_save Milk", "after_commit Milk"]
    with Session(engine) as other:
        found = other.get(Item, key)
        assert found is not None
        assert found.title == "Milk"


def test_a_plain_commit_refuses_what_is_invalid() -> None:
    with Session(engine) as session:
        owner = a_user(session).id
        session.add(Item(title="forbidden", owner_id=owner))
        with pytest.raises(RecordInvalid) as caught:
            session.commit()
    assert caught.value.errors.full_messages() == ["Title is reserved"]
    assert Item.happened == []


def test_what_the_table_itself_says_is_checked_at_last() -> None:
    """SQLModel validates no table: without lineside this title is kept."""
    with Session(engine) as session:
        session.add(Item(title="x" * 256, owner_id=a_user(session).id))
        with pytest.raises(RecordInvalid, match="at most 255 characters"):
            session.commit()


def test_a_rollback_tells_nobody() -> None:
    with Session(engine) as session:
        session.add(Item(title="Milk", owner_id=a_user(session).id))
        session.flush()
        session.rollback()
    assert Item.happened == ["before_save Milk"]


def test_the_routes_answer_422_in_their_own_shape() -> None:
    """One line in the app; the routes are as they were."""
    install_error_handlers(app)
    user = {"email": "ada@example.com", "password": "long enough"}
    with TestClient(app) as client:
        assert client.post("/users", json=user).status_code == 200
        response = client.post("/items", json={"title": "forbidden"}, headers={"X-Email": user["email"]})
    assert response.status_code == 422
    assert response.json()["detail"] == [
        {"type": "exclusion", "loc": ["body", "title"], "msg": "is reserved", "input": "forbidden"}
    ]


def test_the_class_can_do_what_records_do() -> None:
    with Session(engine) as session:
        item = Item.sync.create(title="Milk", owner_id=a_user(session).id, session=session)
        item.sync.update(title="Cream", session=session)
        session.commit()
        key = item.id
    with Session(engine) as other:
        assert Item.sync.find(key, session=other).title == "Cream"
        assert Item.sync.find_by(id=uuid.uuid4(), session=other) is None
