"""The assertions for tests say which rule decided."""

import pytest

from lineside.abilities import Ability, Rules, assert_can, assert_cannot


class Doc:
    owner = 1


def define(_: object, rules: Rules) -> None:
    rules.can("update", Doc, owner=1)
    rules.cannot("update", Doc, owner=2)
    rules.define("sign", lambda user, _: False)


def test_they_pass_when_the_ability_agrees() -> None:
    """No news is good news."""
    ability = Ability(None, define)
    assert_can(ability, "update", Doc())
    assert_cannot(ability, "destroy", Doc())
    assert_cannot(ability, "sign")
    assert_can(ability, "update", Doc(), attribute="owner")


def test_a_refusal_names_the_rules_that_did_not_match() -> None:
    """The message has the rules about the action and where they are."""
    doc = Doc()
    doc.owner = 3
    explained = r"(?s)cannot update Doc.*no rule matches.*did not match: cannot"
    with pytest.raises(AssertionError, match=explained):
        assert_can(Ability(None, define), "update", doc)


def test_a_grant_names_the_rule_that_decided() -> None:
    """The message has the rule and its line."""
    with pytest.raises(AssertionError, match=r"can update Doc\.owner\n  decided by: can update .*\.py:\d+"):
        assert_cannot(Ability(None, define), "update", Doc(), attribute="owner")
