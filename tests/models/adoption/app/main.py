"""The routes, with a session of their own for each request."""

import os
import uuid
from collections.abc import Generator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException
from sqlmodel import Session, create_engine, func, select

from app import crud
from app.models import Item, ItemCreate, ItemPublic, ItemsPublic, ItemUpdate, User, UserCreate, UserPublic

engine = create_engine(os.environ["DATABASE_URL"])
app = FastAPI()


def get_db() -> Generator[Session, None, None]:
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_db)]


def get_current_user(session: SessionDep, x_email: Annotated[str, Header()]) -> User:
    user = crud.user_by_email(session, x_email)
    if user is None:
        raise HTTPException(status_code=403, detail="Unknown user")
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


def get_own_item(session: SessionDep, user: CurrentUser, item_id: uuid.UUID) -> Item:
    item = session.get(Item, item_id)
    if item is None:
        raise HTTPException(status_code=404, detail="Item not found")
    if item.owner_id != user.id:
        raise HTTPException(status_code=403, detail="Not your item")
    return item


OwnItem = Annotated[Item, Depends(get_own_item)]


@app.post("/users", response_model=UserPublic)
def create_user(session: SessionDep, data: UserCreate) -> Any:
    if crud.user_by_email(session, data.email):
        raise HTTPException(status_code=409, detail="The address is taken")
    return crud.create_user(session, data)


@app.delete("/users/me", status_code=204)
def delete_user(session: SessionDep, user: CurrentUser) -> None:
    session.delete(user)
    session.commit()


@app.get("/items", response_model=ItemsPublic)
def read_items(session: SessionDep, user: CurrentUser, skip: int = 0, limit: int = 100) -> Any:
    own = select(Item).where(Item.owner_id == user.id)
    count = session.exec(select(func.count()).select_from(own.subquery())).one()
    items = session.exec(own.order_by(Item.title).offset(skip).limit(limit)).all()
    return ItemsPublic(data=[ItemPublic.model_validate(item) for item in items], count=count)


@app.get("/items/{item_id}", response_model=ItemPublic)
def read_item(item: OwnItem) -> Any:
    return item


@app.post("/items", response_model=ItemPublic)
def create_item(session: SessionDep, user: CurrentUser, data: ItemCreate) -> Any:
    return crud.create_item(session, data, owner_id=user.id)


@app.put("/items/{item_id}", response_model=ItemPublic)
def update_item(session: SessionDep, item: OwnItem, data: ItemUpdate) -> Any:
    item.sqlmodel_update(data.model_dump(exclude_unset=True))
    session.add(item)
    session.commit()
    session.refresh(item)
    return item


@app.delete("/items/{item_id}", status_code=204)
def delete_item(session: SessionDep, item: OwnItem) -> None:
    session.delete(item)
    session.commit()
