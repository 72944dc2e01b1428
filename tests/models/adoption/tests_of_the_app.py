"""The tests that the app has had all along."""

import uuid
from collections.abc import Iterator

import pytest
from app.crud import create_item
from app.main import app, engine
from app.models import Item, ItemCreate, User
from fastapi.testclient import TestClient
from sqlmodel import Session, SQLModel, select

ADA = {"X-Email": "ada@example.com"}
BOB = {"X-Email": "bob@example.com"}


@pytest.fixture(autouse=True)
def tables() -> Iterator[None]:
    SQLModel.metadata.create_all(engine)
    yield
    SQLModel.metadata.drop_all(engine)
    engine.dispose()


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(app) as client:
        for user in (ADA, BOB):
            created = client.post("/users", json={"email": user["X-Email"], "password": "long enough"})
            assert created.status_code == 200
        yield client


def new_item(client: TestClient, **values: str) -> dict[str, str]:
    response = client.post("/items", json={"title": "Milk", **values}, headers=ADA)
    assert response.status_code == 200, response.text
    item: dict[str, str] = response.json()
    return item


def test_a_user_is_shown_without_the_password(client: TestClient) -> None:
    response = client.post("/users", json={"email": "eve@example.com", "password": "long enough"})
    assert set(response.json()) == {"id", "email", "is_active", "full_name"}


def test_an_address_is_taken_once(client: TestClient) -> None:
    response = client.post("/users", json={"email": ADA["X-Email"], "password": "long enough"})
    assert response.status_code == 409


def test_an_item_is_created_and_read(client: TestClient) -> None:
    item = new_item(client, description="Two bottles")
    assert client.get(f"/items/{item['id']}", headers=ADA).json() == item
    assert item["title"] == "Milk"


def test_a_title_is_needed(client: TestClient) -> None:
    response = client.post("/items", json={"title": ""}, headers=ADA)
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", "title"]


def test_items_are_listed_with_their_number(client: TestClient) -> None:
    for title in ("Bread", "Apples"):
        new_item(client, title=title)
    listed = client.get("/items", headers=ADA).json()
    assert ([item["title"] for item in listed["data"]], listed["count"]) == (["Apples", "Bread"], 2)
    assert client.get("/items", headers=BOB).json() == {"data": [], "count": 0}


def test_only_what_is_sent_is_changed(client: TestClient) -> None:
    item = new_item(client, description="Two bottles")
    changed = client.put(f"/items/{item['id']}", json={"title": "Cream"}, headers=ADA)
    assert changed.json() == {**item, "title": "Cream"}


def test_an_item_belongs_to_one_user(client: TestClient) -> None:
    path = f"/items/{new_item(client)['id']}"
    assert client.get(path, headers=BOB).status_code == 403
    assert client.delete(path, headers=BOB).status_code == 403
    assert client.get(f"/items/{uuid.uuid4()}", headers=ADA).status_code == 404
    assert client.get("/items/1", headers=ADA).status_code == 422


def test_an_item_is_deleted(client: TestClient) -> None:
    path = f"/items/{new_item(client)['id']}"
    assert client.delete(path, headers=ADA).status_code == 204
    assert client.get(path, headers=ADA).status_code == 404


def test_items_go_with_their_user(client: TestClient) -> None:
    new_item(client)
    assert client.delete("/users/me", headers=ADA).status_code == 204
    with Session(engine) as session:
        assert session.exec(select(Item)).all() == []


def test_the_functions_work_without_the_routes() -> None:
    with Session(engine) as session:
        user = User(email="zoe@example.com", hashed_password="x")
        session.add(user)
        session.commit()
        item = create_item(session, ItemCreate(title="Tea"), owner_id=user.id)
        assert item.owner == user
        assert user.items == [item]
