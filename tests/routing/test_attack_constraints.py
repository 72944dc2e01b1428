"""Constraints that an attacker walks around, or makes slow."""

from fastapi import FastAPI
from starlette.testclient import TestClient

from lineside.controllers import Controller
from lineside.routing import host, resources
from lineside.routing._patterns import compile_constraint


class Items(Controller):
    async def index(self) -> str:
        return "all"

    async def show(self, id: str) -> str:
        return id


def test_a_shallow_member_keeps_what_its_parent_demands_of_a_request() -> None:
    """The short path of a comment of an internal host is not open to other hosts."""
    app = FastAPI()
    posts = resources(app, "posts", Items, constraints=[host("internal.example"), {"id": "[0-9]+"}])
    posts.resources("comments", Items, shallow=True)
    internal = TestClient(app, base_url="http://internal.example")
    foreign = TestClient(app, base_url="http://foreign.example")
    assert internal.get("/comments/c1").json() == "c1"
    assert internal.get("/posts/1/comments").status_code == 200
    assert internal.get("/posts/x/comments").status_code == 404
    assert foreign.get("/posts/1/comments").status_code == 404
    assert foreign.get("/comments/c1").status_code == 404


def test_a_character_is_asked_once_of_each_part_and_not_of_each_copy() -> None:
    """Each character of a value may be new: its cost must not grow with a written-out count.

    Counted and not timed: the copies made it two and a half times as dear, which a busy machine hides.
    """
    constraint = compile_constraint(".{1,500}", parameter="name")
    assert constraint.fullmatch("".join(map(chr, range(0x4E00, 0x4E00 + 256))))
    assert len(vars(constraint)["_places"]) == 1
