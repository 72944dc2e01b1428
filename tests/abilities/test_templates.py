"""An ability is used in a template as it is."""

from dataclasses import dataclass

from jinja2 import Environment

from lineside.abilities import Ability, Rules


@dataclass
class Post:
    author_id: int


def define(user_id: int | None, rules: Rules) -> None:
    if user_id is not None:
        rules.can("update", Post, author_id=user_id)
        rules.can("create", Post)


def test_a_template_asks_the_ability() -> None:
    """`ability.can` and `ability.can_any` show and hide what the user may do."""
    template = Environment(autoescape=True).from_string(
        "{% if ability.can('update', post) %}edit{% endif %}"
        "{% if ability.can_any('create', Post) %} new{% endif %}"
    )
    pages = {
        who: template.render(ability=Ability(who, define), post=Post(1), Post=Post) for who in (1, 2, None)
    }
    assert pages == {1: "edit new", 2: " new", None: ""}
