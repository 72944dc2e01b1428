"""One suite for every step of the blog: each test runs against each module listed here.

`BLOG_APP=examples.blog.before` (several with commas) runs chosen steps alone.
"""

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

# A step is a module with `create_app(database_url)`; an adoption step adds its line here.
STEPS = [
    "examples.blog.before",
    "examples.blog.step1_lineside",
    "examples.blog.step2_resources",
    "examples.blog.step3_callbacks",
    "examples.blog.step4_abilities",
    "examples.blog.step5_config",
    "examples.blog.step6_models",
    "examples.blog.after",
]


def chosen_steps() -> list[str]:
    """The steps that BLOG_APP names, or all of them."""
    return [step.strip() for step in os.environ.get("BLOG_APP", "").split(",") if step.strip()] or STEPS


@pytest.fixture(params=chosen_steps(), ids=lambda step: step.rpartition(".")[2])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> FastAPI:
    """The blog at one step, on a database file of its own."""
    create_app: Callable[[str], FastAPI] = import_module(request.param).create_app
    return create_app(f"sqlite+aiosqlite:///{tmp_path / 'blog.sqlite3'}")


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A visitor of the started and seeded blog."""
    with TestClient(app) as client:
        yield client
