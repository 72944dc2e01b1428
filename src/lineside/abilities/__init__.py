"""Who may do what: one definition for the check, the query, the template and the attributes.

    from dataclasses import dataclass

    from lineside.abilities import Ability, Rules

    @dataclass
    class Post:
        author_id: int
        published: bool = False

    def define_abilities(user_id: int | None, rules: Rules) -> None:
        rules.can("read", Post, published=True)
        if user_id is not None:
            rules.can(["read", "update"], Post, author_id=user_id)

    ability = Ability(7, define_abilities)
    print(ability.can("update", Post(author_id=7)))
    ability.authorize("read", Post(author_id=8, published=True))

Everything is refused unless a rule allows it; of the rules that match, the last one decides. On
SQLAlchemy models ``ability.accessible_by("read", Post)`` is the same rules as a ``WHERE`` clause.
The names are CanCanCan's; ``Rules.define`` is Gor's named ability.
"""

from lineside.abilities._ability import Ability
from lineside.abilities._decision import Decision
from lineside.abilities._ledger import AuthorizationLedger
from lineside.abilities._roles import RoleOf
from lineside.abilities._rule import NamedAbility, Rule
from lineside.abilities._rules import Rules

__all__ = [
    "Ability",
    "AuthorizationLedger",
    "Decision",
    "NamedAbility",
    "RoleOf",
    "Rule",
    "Rules",
]
