"""Errors of the model layer about what a client sent: 422 in the shape that FastAPI documents for it."""

from typing import Annotated, Any

import pytest
from fastapi import Body, FastAPI
from sqlalchemy.orm import registry

from lineside.models import Model, UnknownAttributeError
from lineside.models.fastapi import SessionDep, install_database
from lineside.testing import TestApp


class Base(Model, registry=registry()):
    pass


class Post(Base, table=True):
    title: str
    views: int = 0


def _app() -> FastAPI:
    app = FastAPI()
    install_database(app, "sqlite://")

    @app.get("/cursor")
    async def cursor(after: str, _session: SessionDep) -> None:
        await Post.query().keyset(after)

    @app.get("/value")
    async def value(views: str, _session: SessionDep) -> None:
        await Post.where(views=views).all()

    @app.get("/order")
    async def order(_session: SessionDep) -> None:
        await Post.order("titel").all()

    @app.post("/posts")
    async def create(values: Annotated[dict[str, Any], Body()], _session: SessionDep) -> None:
        await Post.create(values)

    return app


@pytest.mark.parametrize(
    ("method", "path", "options", "kind", "loc"),
    [
        ("GET", "/cursor?after=no-cursor", {}, "invalid_cursor", ["query", "after"]),
        ("GET", "/value?views=many", {}, "invalid_value", ["query", "views"]),
        ("POST", "/posts", {"json": {"views": 1}}, "extra_forbidden", ["body", "views"]),
    ],
)
def test_a_list_of_errors(method: str, path: str, options: dict[str, Any], kind: str, loc: list[str]) -> None:
    """A client reads these as it reads every 422; the columns of the table are not told."""
    with TestApp(_app()) as client:
        response = client.request(method, path, **options).assert_status(422)
    (error,) = response.json()["detail"]
    assert (error["type"], error["loc"]) == (kind, loc)
    assert error["msg"]
    assert "title" not in response.text


def test_a_typo_of_the_app_is_no_fault_of_the_client() -> None:
    """The developer sees a traceback; a client sees a 500 without the names of the columns."""
    with TestApp(_app()) as client, pytest.raises(UnknownAttributeError, match="'titel'"):
        client.get("/order")
    with TestApp(_app(), raise_errors=False) as client:
        assert "title" not in client.get("/order").assert_status(500).text
