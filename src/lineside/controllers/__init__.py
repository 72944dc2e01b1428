"""Controllers: classes whose public methods are FastAPI path operations.

    from fastapi import FastAPI
    from lineside.controllers import Controller, before_action
    from lineside.routing import resources

    class PostsController(Controller):
        @before_action(only=["show"])
        async def find_post(self, id: int):
            self.post = {"id": id, "title": "Rails beside FastAPI"}

        async def index(self, limit: int = 10) -> list[dict[str, int]]:
            return [{"id": number} for number in range(limit)]

        async def show(self) -> dict[str, int | str]:
            return self.post

    app = FastAPI()
    resources(app, "posts", PostsController)

Callbacks carry FastAPI parameters of their own, which appear in OpenAPI; a before-callback that returns a
``Response`` halts. Words and order are those of Rails' Action Controller.
"""

from lineside.controllers._controller import (
    Controller,
    skip_after_action,
    skip_around_action,
    skip_before_action,
)
from lineside.controllers._marks import (
    ActionOptions,
    action,
    after_action,
    around_action,
    before_action,
    rescue_from,
)

__all__ = [
    "ActionOptions",
    "Controller",
    "action",
    "after_action",
    "around_action",
    "before_action",
    "rescue_from",
    "skip_after_action",
    "skip_around_action",
    "skip_before_action",
]
