"""A directory of configuration files for each test."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lineside.config import Config


class Files:
    """Writes files into a directory and loads them with variables of the test's own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environ: dict[str, str] = {}

    def write(self, text: str, name: str = "config.yml") -> Path:
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return path

    def load(
        self, text: str | None = None, /, environ: Mapping[str, str] | None = None, **options: Any
    ) -> Config:
        if text is not None:
            self.write(text)
        self.environ.update(environ or {})
        return Config.load(self.directory, environ=self.environ, **options)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def production() -> Callable[[], dict[str, str]]:
    """Return variables that pass every production check."""
    return lambda: {
        "LINESIDE_ENV": "production",
        "LINESIDE_APP__SECRET_KEY": "k" * 40,
        "LINESIDE_APP__ALLOWED_HOSTS": "example.com",
    }
