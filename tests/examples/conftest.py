"""The steps of the blog, each on a database of its own."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

MakeBlog = Callable[[str], FastAPI]
OpenBlog = Callable[[str], AbstractContextManager[TestClient]]


@pytest.fixture
def make_blog(tmp_path: Path) -> MakeBlog:
    """Make the blog at one step, by the name of its module."""

    def make(step: str) -> FastAPI:
        module = import_module(f"examples.blog.{step}")
        app: FastAPI = module.create_app(f"sqlite+aiosqlite:///{tmp_path / step}.sqlite3")
        return app

    return make


@pytest.fixture
def open_blog(make_blog: MakeBlog) -> OpenBlog:
    """Start the blog at one step, seeded."""

    @contextmanager
    def opened(step: str) -> Iterator[TestClient]:
        with TestClient(make_blog(step), raise_server_exceptions=False) as client:
            yield client

    return opened
