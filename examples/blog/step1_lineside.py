"""Step 1, one line: request ids, problem documents on request, a check of the Host header, /metrics.

uvicorn --factory examples.blog.step1_lineside:create_app
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from examples.blog import before
from lineside.application import Lineside
from lineside.config import Config

SETTINGS: Mapping[str, Any] = {
    # "testserver" is what Starlette's TestClient calls itself.
    "app": {"allowed_hosts": ["localhost", "127.0.0.1", "testserver"]},
    "metrics": {"path": "/metrics"},
}


def create_app(database_url: str | None = None, settings: Config | Mapping[str, Any] = SETTINGS) -> FastAPI:
    app = before.create_app(database_url)
    Lineside(app, settings)
    return app
