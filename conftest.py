"""Run the code of the documentation: every Markdown page and the docstring of every door.

All ```python blocks of one page share one namespace, in order. A page cannot be told apart from a
small program: a warning fails it, as everywhere else in the tests.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy.orm import registry
from sqlmodel import SQLModel
from sybil import Document, Lexeme, Region, Sybil
from sybil.document import PythonDocStringDocument
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

_ROOT = Path(__file__).parent
# An example in the docstring of a door: an empty line, then lines that are indented.
_EXAMPLE = re.compile(r"\n\n(?P<code>(?:[ ]{4}.*\n|\n)*[ ]{4}.*\n)")
_saved: dict[str, Any] = {}


def _as_module(document: Document) -> None:
    """Give a page a real module, so that annotations written as text resolve in its classes."""
    name = "page_" + re.sub(r"\W", "_", str(Path(document.path).relative_to(_ROOT)))
    module = ModuleType(name)
    sys.modules[name] = module
    document.namespace = module.__dict__


class _Page(Document):
    def __init__(self, text: str, path: str) -> None:
        super().__init__(text, path)
        _as_module(self)


class _Door(PythonDocStringDocument):
    def __init__(self, text: str, path: str) -> None:
        super().__init__(text, path)
        _as_module(self)
        # An example imports what it uses, as its reader will have to.
        self.pop_evaluator(self.import_document)


def _indented_examples(document: Document) -> Iterator[Region]:
    """Find the indented examples in a module's docstring; other docstrings use fences."""
    docstring = ast.get_docstring(ast.parse(Path(document.path).read_text("utf-8")), clean=False)
    if document.text != docstring:
        return
    for match in _EXAMPLE.finditer(document.text):
        code = re.sub(r"(?m)^ {4}", "", match["code"])
        if code.startswith(">>> "):
            continue  # DocTestParser finds it, and compares what it prints
        source = Lexeme(code, offset=0, line_offset=-1)
        yield Region(match.start("code"), match.end(), parsed=source, evaluator=PythonEvaluator())


def _enter_page(namespace: dict[str, Any]) -> None:
    # Each page may have a table named "post": it gets a registry of its own while it runs.
    _saved["registry"], _saved["metadata"] = SQLModel._sa_registry, SQLModel.metadata
    SQLModel._sa_registry = registry()
    SQLModel.metadata = SQLModel._sa_registry.metadata


def _leave_page(namespace: dict[str, Any]) -> None:
    SQLModel._sa_registry, SQLModel.metadata = _saved["registry"], _saved["metadata"]


pages = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["*.md"],
    setup=_enter_page,
    teardown=_leave_page,
    document_types={".md": _Page},
)
doors = Sybil(
    parsers=[PythonCodeBlockParser(), DocTestParser(), _indented_examples],
    patterns=["src/lineside/*.py", "src/lineside/*/*.py", "src/lineside/*/[!_]*/*.py"],
    # The indented block of exceptions.py draws the tree of errors.
    excludes=[
        "src/lineside/*/_[!_]*.py",
        "src/lineside/*/*/_[!_]*.py",
        "src/lineside/*/__main__.py",
        "src/lineside/exceptions.py",
    ],
    setup=_enter_page,
    teardown=_leave_page,
    document_types={".py": _Door},
)

pytest_collect_file = (pages + doors).pytest()
