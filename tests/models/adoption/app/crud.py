"""What the routes share."""

import hashlib
import uuid

from sqlmodel import Session, select

from app.models import Item, ItemCreate, User, UserCreate


def create_user(session: Session, data: UserCreate) -> User:
    digest = hashlib.sha256(data.password.encode()).hexdigest()
    user = User.model_validate(data, update={"hashed_password": digest})
    session.add(user)
    session.commit()
    session.refresh(user)
    return user


def user_by_email(session: Session, email: str) -> User | None:
    return session.exec(select(User).where(User.email == email)).first()


def create_item(session: Session, data: ItemCreate, owner_id: uuid.UUID) -> Item:
    item = Item.model_validate(data, update={"owner_id": owner_id})
    session.add(item)
    session.commit()
    session.refresh(item)
    return item
