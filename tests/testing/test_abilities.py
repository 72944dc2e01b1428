"""Abilities in tests: the assertions, and the report of forgotten checks."""

from typing import Annotated

import pytest
from fastapi import Depends, FastAPI

from lineside.abilities import Ability, AuthorizationLedger, Rules
from lineside.abilities.fastapi import ability_for
from lineside.controllers import Controller
from lineside.routing import resources
from lineside.testing import TestApp, assert_all_authorized, assert_can, assert_cannot


class Post:
    pass


def define(user: object, rules: Rules) -> None:
    rules.can("read", Post)


class Doc:
    owner = 1


def define_papers(_: object, rules: Rules) -> None:
    rules.can("update", Doc, owner=1)
    rules.cannot("update", Doc, owner=2)
    rules.define("sign", lambda user, _: False)


def test_assertions_pass_when_the_ability_agrees() -> None:
    """No news is good news."""
    ability = Ability(None, define_papers)
    assert_can(ability, "update", Doc())
    assert_cannot(ability, "destroy", Doc())
    assert_cannot(ability, "sign")
    assert_can(ability, "update", Doc(), attribute="owner")


def test_a_failing_assert_can_names_the_rules_that_did_not_match() -> None:
    """The message has the rules about the action and where they are."""
    doc = Doc()
    doc.owner = 3
    explained = r"(?s)cannot update Doc.*no rule matches.*did not match: cannot"
    with pytest.raises(AssertionError, match=explained):
        assert_can(Ability(None, define_papers), "update", doc)


def test_a_failing_assert_cannot_names_the_rule_that_decided() -> None:
    """The message has the rule and its line."""
    with pytest.raises(AssertionError, match=r"can update Doc\.owner\n  decided by: can update .*\.py:\d+"):
        assert_cannot(Ability(None, define_papers), "update", Doc(), attribute="owner")


def test_actions_that_never_asked_are_named() -> None:
    """Over a whole run, a route that never asked its ability fails the test, unless it is listed."""
    ledger = AuthorizationLedger()
    current = Annotated[Ability, Depends(ability_for(define, ledger=ledger))]
    app = FastAPI()

    @app.get("/asks")
    async def asks(ability: current) -> bool:  # type: ignore[valid-type]
        return ability.can("read", Post())

    @app.get("/forgets")
    async def forgets(ability: current) -> None:  # type: ignore[valid-type]
        return None

    client = TestApp(app)
    client.get("/asks").assert_json(True)
    assert_all_authorized(ledger)
    client.get("/forgets").assert_status(200)
    with pytest.raises(AssertionError, match="forgets") as caught:
        assert_all_authorized(ledger)
    assert "1 of 2 actions" in str(caught.value)
    assert_all_authorized(ledger, except_=ledger.unauthorized())


def test_actions_of_an_app_that_nobody_ran_are_named_too() -> None:
    """Given the app, an action without any ability is found, and one that was never requested."""
    ledger = AuthorizationLedger()
    current = Annotated[Ability, Depends(ability_for(define, ledger=ledger))]

    class Asking(Controller):
        ability: current  # type: ignore[valid-type]

        async def index(self) -> bool:
            return self.ability.can("read", Post())

    class Open(Controller):
        async def index(self) -> None: ...

    app = FastAPI()
    resources(app, "posts", Asking)
    resources(app, "secrets", Open)
    TestApp(app).get("/posts").assert_json(True)
    with pytest.raises(AssertionError) as caught:
        assert_all_authorized(ledger, app=app)
    assert "Open.index" in str(caught.value)
    assert "Asking.index" not in str(caught.value)
    assert "Open.index (never requested)" in str(caught.value)
    assert_all_authorized(ledger)
