"""Roles add rules; a role without rules grants nothing and is logged once."""

import enum
import logging
from dataclasses import dataclass
from typing import Any

import pytest

from lineside.abilities import Ability, Rules
from lineside.exceptions import ConfigurationError


class Role(enum.Enum):
    EDITOR = "editor"
    ADMIN = "admin"


@dataclass
class Named:
    name: str


@dataclass
class User:
    role: Any = None


@dataclass
class Member:
    roles: Any


class Doc: ...


def base(_: object, rules: Rules) -> None:
    rules.can("read", Doc)
    rules.cannot("destroy", Doc)


def editor(_: object, rules: Rules) -> None:
    rules.can("update", Doc)


def admin(_: object, rules: Rules) -> None:
    rules.can("manage", "all")


ROLES = {"editor": editor, "admin": admin}


@pytest.mark.parametrize(
    "user",
    [
        User("editor"),
        User(Role.EDITOR),
        User(Named("editor")),
        Member(["editor"]),
        Member({Role.EDITOR}),
        Member((Named("editor"),)),
        Member("editor"),
    ],
)
def test_a_role_adds_its_rules(user: Any) -> None:
    """A role is a string, an Enum or an object with a name, alone or among several."""
    ability = Ability(user, base, roles=ROLES)
    assert ability.can("read", Doc())
    assert ability.can("update", Doc())
    assert ability.cannot("destroy", Doc())


def test_roles_come_after_the_definition_in_the_order_of_the_mapping() -> None:
    """The last role of the mapping has the last word, whatever order the user has them in."""
    for held in (["admin", "editor"], ["editor", "admin"]):
        assert Ability(Member(held), base, roles=ROLES).can("destroy", Doc())


def test_a_guest_and_a_user_without_roles_have_none() -> None:
    """No role is no rules."""
    for user in (None, User(None), Member([])):
        ability = Ability(user, base, roles=ROLES)
        assert ability.can("read", Doc())
        assert ability.cannot("update", Doc())


def test_role_of_reads_roles_from_elsewhere() -> None:
    """An app says where its roles are."""
    ability = Ability({"groups": ["editor"]}, roles=ROLES, role_of=lambda user: user["groups"])
    assert ability.can("update", Doc())


def test_a_role_can_be_placed_in_the_definition() -> None:
    """`rules.role` adds the rules here and now, so that later lines win over them."""

    def define(user: object, rules: Rules) -> None:
        rules.role("admin", admin)
        rules.cannot("destroy", Doc)

    ability = Ability(User("admin"), define)
    assert ability.can("update", Doc())
    assert ability.cannot("destroy", Doc())
    assert Ability(User("editor"), define).cannot("update", Doc())


def test_an_unknown_role_grants_nothing_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A role that has no rules is named in the log, once and with the known ones."""
    with caplog.at_level(logging.WARNING, logger="lineside.abilities"):
        for _ in range(3):
            assert Ability(User("owner\nx"), base, roles=ROLES).cannot("update", Doc())
    assert [record.getMessage() for record in caplog.records] == [
        r"the role 'owner\nx' has no rules and grants nothing; known roles: admin, editor"
    ]


def test_a_user_without_roles_or_role_is_an_error() -> None:
    """Roles that are nowhere to be found are the developer's mistake, with the way out."""
    with pytest.raises(ConfigurationError, match="role_of="):
        Ability(object(), base, roles=ROLES)
    with pytest.raises(ConfigurationError, match="int is no role"):
        Ability(User(3), base, roles=ROLES)
