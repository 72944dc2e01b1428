"""What production must not show, whoever turned it on."""

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from lineside.application import Lineside
from lineside.config import ProductionCheckError

SETTINGS = {"app": {"secret_key": "k" * 40, "allowed_hosts": ["testserver"]}}


def test_production_refuses_the_debug_pages_of_starlette(monkeypatch: pytest.MonkeyPatch) -> None:
    """`FastAPI(debug=True)` would answer each error with its traceback, past every handler."""
    monkeypatch.setenv("LINESIDE_ENV", "production")
    with pytest.raises(ProductionCheckError, match="debug=True"):
        Lineside(FastAPI(debug=True), SETTINGS)


def test_production_refuses_debug_pages_that_are_turned_on_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start looks once more."""
    monkeypatch.setenv("LINESIDE_ENV", "production")
    app = FastAPI()
    Lineside(app, SETTINGS)
    app.debug = True
    with pytest.raises(ProductionCheckError, match="debug=True"), TestClient(app):
        pass


def test_debug_pages_stay_what_they_are_outside_of_production() -> None:
    """An app that is being developed keeps them."""
    assert Lineside(FastAPI(debug=True), SETTINGS).app.debug
