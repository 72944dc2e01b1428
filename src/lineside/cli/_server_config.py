"""What uvicorn is told, and what our server knows beyond it."""

import copy
from typing import Any

from uvicorn.config import LOGGING_CONFIG, Config

__all__ = ["ServerConfig", "logging_config"]


class ServerConfig(Config):
    """uvicorn's configuration, with what it has no word for; worker processes are given a copy.

    Args:
        app: The app, or its import string.
        timeout_headers: Seconds in which a client sends its headers; 0 for any time.
        options: uvicorn's own.
    """

    def __init__(self, app: Any, *, timeout_headers: float, **options: Any) -> None:
        super().__init__(app, **options)
        self.timeout_headers = timeout_headers


def logging_config() -> dict[str, Any]:
    """Return uvicorn's logging, with no secret of a query string in it."""
    config: dict[str, Any] = copy.deepcopy(LOGGING_CONFIG)
    config["filters"] = {"secrets": {"()": "lineside.cli._log_filter.SecretFilter"}}
    for handler in config["handlers"].values():
        handler["filters"] = ["secrets"]
    return config
