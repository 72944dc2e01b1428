"""The word tables for ActiveRecord and Django: every row of ours is run, with the models of its page."""

import re
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy.orm import configure_mappers, registry
from sqlmodel import SQLModel

import lineside.models
from lineside.models import Database

pytestmark = pytest.mark.anyio

_FOLDER = Path(__file__).parent.parent / "docs" / "howto"
_PAGES = {
    name: (_FOLDER / name).read_text("utf-8") for name in ("come-from-activerecord.md", "come-from-django.md")
}
_ROW = re.compile(r"^\|.*\| `(?P<code>[^`]+)` \|$", re.MULTILINE)
_BLOCK = re.compile(r"```python\n(?P<code>.*?)```", re.DOTALL)
_CLASS_DECORATOR = re.compile(r'@(?:validates|validates_with|normalizes|has_\w+|belongs_to)\("(?P<name>\w+)"')
_DECLARATION = re.compile(r"@|class |\w+: |__\w+__ = ")
_IMPORTS = """
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func
from sqlmodel import col
"""

_ROWS = [
    (page, match["code"].replace(r"\|", "|")) for page in _PAGES for match in _ROW.finditer(_PAGES[page])
]
DECLARATIONS = [row for row in _ROWS if _DECLARATION.match(row[1])]
STATEMENTS = [row for row in _ROWS if not _DECLARATION.match(row[1])]


@pytest.fixture(autouse=True)
def tables_of_its_own() -> Iterator[None]:
    """Let every test have a table named "post"."""
    saved = SQLModel._sa_registry, SQLModel.metadata
    SQLModel._sa_registry = registry()
    SQLModel.metadata = SQLModel._sa_registry.metadata
    yield
    SQLModel._sa_registry, SQLModel.metadata = saved


def _loaded(page: str) -> ModuleType:
    """Make the models of a page."""
    module = ModuleType("words_of_a_page")
    sys.modules[module.__name__] = module
    block = _BLOCK.search(_PAGES[page])
    assert block
    exec(_IMPORTS, vars(module))
    vars(module).update({name: getattr(lineside.models, name) for name in lineside.models.__all__})
    exec(block["code"], vars(module))
    return module


_loaded_once = cache(_loaded)


@pytest.mark.parametrize(("page", "code"), DECLARATIONS)
async def test_a_declaration_is_accepted(page: str, code: str) -> None:
    """A class, a field or a decorator stands where it belongs, and the mapping with it can be made."""
    of_class = _CLASS_DECORATOR.match(code)
    # A decorator changes the model.
    module = _loaded(page) if of_class else _loaded_once(page)
    if of_class:
        models = [module.Post, module.Comment]
        eval(code[1:], vars(module))(next(model for model in models if hasattr(model, of_class["name"])))
    elif code.startswith("@"):
        body = "    yield" if "around" in code else "    return self"
        exec(f"class Row(Model):\n    {code}\n    def row(self):\n    {body}", vars(module))
    elif code.startswith("class "):
        row = code.replace("class Post", "class Row")
        exec(f"{row}:\n    __tablename__ = 'row'\n    __table_args__ = ()", vars(module))
    else:
        exec(f"class Row(Model):\n    {code}", vars(module))
    configure_mappers()


@asynccontextmanager
async def _records(module: ModuleType) -> AsyncGenerator[dict[str, Any]]:
    """Give what the rows name: records that are saved, a query, a session and the database."""
    database = Database("sqlite://")
    async with database.engine.begin() as connection:
        await connection.run_sync(module.Post.__table__.metadata.create_all)
    try:
        async with database.session():
            author = await module.Author.create(name="Ada")
            tag = await module.Tag.create(name="rails")
            old_tag = await module.Tag.create(name="django")
            post = await module.Post.create(title="Hello", author=author, tags=[old_tag])
            await module.Comment.create(text="First", post=post)
        async with database.session() as session:
            yield {
                "database": database,
                "session": session,
                "author": await module.Author.find(author.id),
                "tag": await module.Tag.find(tag.id),
                "old_tag": await module.Tag.find(old_tag.id),
                "post": await module.Post.find(post.id),
                "query": module.Post.query(),
            }
    finally:
        await database.dispose()


@pytest.mark.parametrize(("page", "code"), STATEMENTS)
async def test_a_statement_runs(page: str, code: str) -> None:
    """A row does without an error what the other framework's words do."""
    module = _loaded_once(page)
    async with _records(module) as names:
        scope = {**vars(module), **names}
        exec(f"async def row():\n    {code}", scope)
        await scope["row"]()


async def test_no_row_is_left_out() -> None:
    """A row whose form these tests do not understand is a row that nobody runs."""
    lines = [line for page in _PAGES.values() for line in page.splitlines() if line.startswith("| ")]
    assert len(_ROWS) == len([line for line in lines if not line.endswith("| lineside |")])
