"""Nested resources, deep and shallow."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lineside.controllers import Controller
from lineside.exceptions import RoutingError
from lineside.routing import path_for, resource, resources


class Echo(Controller):
    """Answers with its action and the parameters of its path."""

    def answer(self) -> dict[str, str]:
        return {"action": self.action_name, **self.request.path_params}

    async def index(self) -> dict[str, str]:
        return self.answer()

    async def show(self) -> dict[str, str]:
        return self.answer()

    async def destroy(self) -> dict[str, str]:
        return self.answer()

    async def update(self) -> dict[str, str]:
        return self.answer()


@pytest.fixture
def app() -> FastAPI:
    """An app with posts, comments and likes."""
    app = FastAPI()
    posts = resources(app, "posts", Echo)
    comments = posts.resources("comments", Echo)
    comments.resources("likes", Echo)
    posts.resource("cover", Echo)
    profile = resource(app, "profile", Echo)
    profile.resources("photos", Echo)
    return app


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/posts/1", {"action": "show", "id": "1"}),
        ("/posts/1/comments", {"action": "index", "post_id": "1"}),
        ("/posts/1/comments/2", {"action": "show", "post_id": "1", "id": "2"}),
        (
            "/posts/1/comments/2/likes/3",
            {"action": "show", "post_id": "1", "comment_id": "2", "id": "3"},
        ),
        ("/posts/1/cover", {"action": "show", "post_id": "1"}),
        ("/profile/photos/4", {"action": "show", "id": "4"}),
    ],
)
def test_a_nested_path_has_the_parents_parameters(app: FastAPI, path: str, answer: dict[str, str]) -> None:
    """A parent's ``id`` is ``post_id`` below it, at any depth."""
    assert TestClient(app).get(path).json() == answer


def test_names_of_nested_routes(app: FastAPI) -> None:
    """Names have the parents' singular names in front."""
    assert path_for(app, "post_comments", post_id=1) == "/posts/1/comments"
    assert path_for(app, "post_comment", post_id=1, id=2) == "/posts/1/comments/2"
    assert path_for(app, "post_comment_like", post_id=1, comment_id=2, id=3) == "/posts/1/comments/2/likes/3"
    assert path_for(app, "post_cover", post_id=1) == "/posts/1/cover"
    assert path_for(app, "profile_photo", id=4) == "/profile/photos/4"


def test_operation_ids_of_nested_routes_are_unique(app: FastAPI) -> None:
    """The same controller at six places makes no two operations of one id."""
    ids = [o["operationId"] for path in app.openapi()["paths"].values() for o in path.values()]
    assert len(ids) == len(set(ids))


def test_shallow_members_have_short_paths() -> None:
    """The collection stays below its parent, a member stands alone, and nesting goes on from there."""
    app = FastAPI()
    comments = resources(app, "posts", Echo).resources("comments", Echo, shallow=True)
    comments.resources("likes", Echo, shallow=True)
    client = TestClient(app)
    assert client.get("/posts/1/comments").json() == {"action": "index", "post_id": "1"}
    assert client.get("/comments/2").json() == {"action": "show", "id": "2"}
    assert client.get("/comments/2/likes").json() == {"action": "index", "comment_id": "2"}
    assert client.get("/likes/3").json() == {"action": "show", "id": "3"}
    assert client.get("/posts/1/comments/2").status_code == 404
    assert path_for(app, "comment", id=2) == "/comments/2"
    assert path_for(app, "comment_likes", comment_id=2) == "/comments/2/likes"


def test_a_parameter_that_has_the_parents_name_keeps_it() -> None:
    """``param="post_slug"`` is not named twice below."""
    app = FastAPI()
    posts = resources(app, "posts", Echo, param="post_slug")
    posts.resources("comments", Echo)
    assert TestClient(app).get("/posts/a/comments").json() == {"action": "index", "post_slug": "a"}


def test_a_constraint_of_a_parent_holds_below() -> None:
    """The parent's pattern is asked for its parameter under its new name."""
    app = FastAPI()
    posts = resources(app, "posts", Echo, constraints={"id": "[0-9]+"})
    posts.resources("comments", Echo)
    client = TestClient(app)
    assert client.get("/posts/1/comments/abc").status_code == 200
    assert client.get("/posts/abc/comments").status_code == 404
    assert client.get("/posts/abc/comments/1").status_code == 404


def test_a_constraint_may_name_a_parents_parameter() -> None:
    """Every parameter of the path is known, and no other."""
    app = FastAPI()
    posts = resources(app, "posts", Echo)
    posts.resources("comments", Echo, constraints={"post_id": "[0-9]+"})
    assert TestClient(app).get("/posts/abc/comments").status_code == 404
    with pytest.raises(
        RoutingError, match=r"constraint on unknown parameter 'slug'; known: \['id', 'post_id'\]"
    ):
        posts.resources("likes", Echo, constraints={"slug": "[a-z]+"})
