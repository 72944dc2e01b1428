"""The `conftest.py` of the guide, as a file of its own, with an app and tests beside it."""

import os
import re
import subprocess
import sys
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "testing.md"

APP = """
from fastapi import FastAPI
from lineside.models import Model
from lineside.models.fastapi import SessionDep, install_database

class Note(Model, table=True):
    permit = ("text",)
    text: str

def create_app(url: str) -> FastAPI:
    app = FastAPI()
    install_database(app, url)

    @app.post("/notes", status_code=201)
    async def create(data: Note.In, session: SessionDep) -> Note.Out:
        return await Note.create(data)

    return app
"""

MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "1", None

def upgrade():
    time = {"nullable": False, "server_default": sa.func.now()}
    op.create_table(
        "note",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("created_at", sa.DateTime, **time),
        sa.Column("updated_at", sa.DateTime, **time),
    )
"""

IMPORTS = "from fastapi import FastAPI\nfrom lineside.testing import TestApp\n"


def test_the_recipe_gives_each_test_an_empty_database(tmp_path: Path) -> None:
    """Both kinds of tests write the same row and commit; run twice in one run, they never meet it."""
    _heading, section = GUIDE.read_text("utf-8").split("### Async tests", 1)
    conftest, tests, *_rest = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    (tmp_path / "migrations" / "versions").mkdir(parents=True)
    for name, text in {
        "migrations/versions/1_notes.py": MIGRATION,
        "myapp.py": APP,
        "conftest.py": IMPORTS + conftest,
        "test_one.py": "import pytest\nfrom lineside.models import Database\n" + IMPORTS + tests,
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    again = (tmp_path / "test_one.py").read_text("utf-8")
    (tmp_path / "test_two.py").write_text(again, encoding="utf-8")
    options = ("-p", "anyio", "-p", "lineside.testing.plugin", "-p", "no:cacheprovider", "-W", "error")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "4 passed" in result.stdout, result.stdout + result.stderr
