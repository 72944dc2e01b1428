"""Constraints that an attacker walks around, or makes slow."""

import time

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


def test_a_value_of_many_different_characters_is_matched_quickly() -> None:
    """Each character is new to the caches: its cost must not grow with the written-out count.

    A ratio to a pattern without counts, since a time alone says more about the machine. Asking each of
    the 500 copies made it several hundred.
    """
    value = "".join(map(chr, range(0x4E00, 0x4E00 + 256)))

    def seconds(pattern: str) -> float:
        constraint = compile_constraint(pattern, parameter="name")
        began = time.process_time()
        assert constraint.fullmatch(value)
        return time.process_time() - began

    counted, plain = (min(seconds(pattern) for _ in range(5)) for pattern in (".{1,500}", ".+"))
    assert counted < 200 * plain
