"""An app by its name: what is found, and what is said when it is not."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from lineside.cli._load import load_app, parse_name
from lineside.exceptions import ConfigurationError

APP = """
from fastapi import FastAPI
app = FastAPI(title="app")
admin = FastAPI(title="admin")
number = 7
class Holder:
    app = FastAPI(title="held")
def create_app():
    return FastAPI(title="made")
def needs(setting):
    return FastAPI()
async def create_later():
    return FastAPI()
async def asgi(scope, receive, send): ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stand in a new folder; what is imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def problem(name: str, *, factory: bool = False) -> str:
    """Return what loading a name fails with."""
    with pytest.raises(ConfigurationError) as caught:
        load_app(parse_name(name, factory=factory))
    return caught.value.message


@pytest.mark.parametrize(
    ("name", "factory", "title"),
    [
        ("loadable:app", False, "app"),
        ("loadable:Holder.app", False, "held"),
        ("loadable:create_app()", False, "made"),
        ("loadable:create_app", True, "made"),
        ("shop.web.main:app", False, "deep"),
    ],
)
def test_an_app_is_found(folder: Path, name: str, factory: bool, title: str) -> None:
    """By attribute, by dotted attribute, by factory, in a package; from the current directory."""
    (folder / "loadable.py").write_text(APP)
    (folder / "shop" / "web").mkdir(parents=True)
    for package in ("shop", "shop/web"):
        (folder / package / "__init__.py").touch()
    (folder / "shop" / "web" / "main.py").write_text("import fastapi; app = fastapi.FastAPI(title='deep')")
    app = load_app(parse_name(name, factory=factory))
    assert isinstance(app, FastAPI)
    assert app.title == title


def test_any_asgi_function_is_an_app(folder: Path) -> None:
    """A plain ASGI callable can be served."""
    (folder / "loadable.py").write_text(APP)
    assert callable(load_app(parse_name("loadable:asgi")))


@pytest.mark.parametrize("name", ["loadable", "loadable.py", ":app", "loadable:", "a b:app", "x:y:z", ""])
def test_a_name_that_cannot_be_read(name: str) -> None:
    """The message shows how a name is written."""
    with pytest.raises(ConfigurationError, match="module:app, for instance '"):
        parse_name(name)


def test_a_path_gets_a_hint() -> None:
    """Who writes a path is shown the module."""
    with pytest.raises(ConfigurationError, match=r"'shop\.main:app'"):
        parse_name("shop/main.py")


def test_a_module_that_is_not_there(folder: Path) -> None:
    """The message names the folder and the modules in it."""
    (folder / "loadable.py").write_text(APP)
    (folder / "shop").mkdir()
    (folder / "shop" / "__init__.py").touch()
    said = problem("laodable:app")
    assert "no module 'laodable'" in said
    assert str(folder) in said
    assert "loadable, shop" in said
    assert "no module 'shop.main'" in problem("shop.main:app")


def test_many_modules_are_not_all_listed(folder: Path) -> None:
    """The list has a bound."""
    for number in range(100):
        (folder / f"module_{number}.py").touch()
    assert "and 90 more" in problem("nothing:app")
    assert "modules here: none" in problem("nothing:app") or len(problem("nothing:app")) < 600


def test_an_import_of_the_app_that_is_not_there(folder: Path) -> None:
    """It is told apart from a missing app, and the line is named."""
    (folder / "importing.py").write_text("import fastapi\nimport not_installed_here\n")
    said = problem("importing:app")
    assert "'importing' was found" in said
    assert "'not_installed_here'" in said
    assert "importing.py:2" in said


def test_an_error_of_ours_names_the_line(folder: Path) -> None:
    """A mistake in the use of lineside shows where it was made."""
    (folder / "wrong.py").write_text("from lineside.models import Database\n\nDatabase('oracle://x')\n")
    said = problem("wrong:app")
    assert "wrong.py:3" in said
    assert "unknown database scheme 'oracle'" in said


def test_any_other_error_is_the_developers_own(folder: Path) -> None:
    """Its traceback is not swallowed."""
    (folder / "broken.py").write_text("1 / 0")
    with pytest.raises(ZeroDivisionError):
        load_app(parse_name("broken:app"))


def test_an_attribute_that_is_not_there(folder: Path) -> None:
    """The message lists the apps of the module, or functions that may make one."""
    (folder / "loadable.py").write_text(APP)
    assert "apps there: loadable:app, loadable:admin" in problem("loadable:ap")
    assert "apps there" in problem("loadable:Holder.nothing")
    (folder / "factories.py").write_text("def create_app(): ...\ndef helper(): ...")
    assert "may make one: factories:create_app()" in problem("factories:app")
    (folder / "empty.py").touch()
    assert "there is no app in it" in problem("empty:app")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("loadable:number", "of type int, not an app"),
        ("loadable:Holder", "the class Holder, not an app"),
        ("loadable:create_app", "write 'loadable:create_app()'"),
        ("loadable:needs()", "missing a required argument: 'setting'"),
        ("loadable:create_later()", "is async"),
        ("loadable:app()", "is no factory but a FastAPI app"),
        ("loadable:number()", "is no factory but of type int"),
    ],
)
def test_what_is_not_an_app(folder: Path, name: str, said: str) -> None:
    """Each mistake has its own answer."""
    (folder / "loadable.py").write_text(APP)
    assert said in problem(name)
