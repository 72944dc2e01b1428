"""What a type checker infers of abilities; this file is checked and never run."""

from dataclasses import dataclass
from typing import Any, assert_type

from sqlalchemy import ColumnElement

from lineside.abilities import Ability, Decision, Rules


@dataclass
class User:
    id: int


@dataclass
class Post:
    author_id: int


def define(user: User | None, rules: Rules) -> None:
    """Define with the app's own user type."""
    if user is not None:
        rules.can("update", Post, author_id=user.id)


def questions(user: User | None, post: Post) -> None:
    """Ask everything once."""
    ability = Ability(user, define)
    assert_type(ability.can("update", post), bool)
    assert_type(ability.cannot("update", post), bool)
    assert_type(ability.can_any("update", Post), bool)
    assert_type(ability.authorize("update", post), Post)
    assert_type(ability.why("update", post), Decision)
    assert_type(ability.accessible_by("update", Post), ColumnElement[bool])
    assert_type(ability.permitted_attributes("update", post), frozenset[str] | None)
    assert_type(ability.permit({"title": "x"}, "update", post), dict[str, Any])
    assert_type(ability.visible(post), dict[str, Any])
