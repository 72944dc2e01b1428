"""What a controller documents for all of its actions."""

from fastapi import FastAPI

from lineside.controllers import Controller, action, before_action
from lineside.routing import resources


class Base(Controller):
    responses = {401: {"description": "No valid token"}, 404: {"description": "None"}}


class Posts(Base):
    @before_action(only=["show"], responses={404: {"description": "No such post"}})
    async def set_post(self) -> None: ...

    async def index(self) -> list[str]:
        return []

    @action(responses={401: {"description": "Who are you?"}})
    async def show(self, id: int) -> str:
        return ""


def test_every_action_documents_what_the_class_may_answer() -> None:
    """The class' responses reach each action of its subclasses; callbacks and actions say it better."""
    app = FastAPI()
    resources(app, "posts", Posts)
    paths = app.openapi()["paths"]
    described = {
        path: {status: paths[path]["get"]["responses"][status]["description"] for status in ("401", "404")}
        for path in paths
    }
    assert described == {
        "/posts": {"401": "No valid token", "404": "None"},
        "/posts/{id}": {"401": "Who are you?", "404": "No such post"},
    }
