"""Singular words of resources."""

import pytest
from fastapi import FastAPI

from lineside.controllers import Controller
from lineside.routing import path_for, resources


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("posts", "post"),
        ("blog_posts", "blog_post"),
        ("categories", "category"),
        ("addresses", "address"),
        ("boxes", "box"),
        ("branches", "branch"),
        ("people", "person"),
        ("old_people", "old_person"),
        ("news", "news"),
        ("statuses", "status"),
        ("movies", "movie"),
        ("knives", "knife"),
        ("heroes", "hero"),
        ("data", "data"),
        ("analyses", "analysis"),
        ("houses", "house"),
        ("archives", "archive"),
        ("wolves", "wolf"),
        ("caches", "cache"),
        ("cookies", "cookie"),
        ("quizzes", "quiz"),
        ("aliases", "alias"),
    ],
)
def test_the_singular_names_the_member(plural: str, singular: str) -> None:
    """A member's route has the singular name."""

    class Things(Controller):
        async def show(self, id: int) -> int:
            return id

    app = FastAPI()
    resources(app, plural, Things)
    assert path_for(app, singular, id=1) == f"/{plural}/1"
