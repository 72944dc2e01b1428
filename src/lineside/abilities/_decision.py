"""An answer that can explain itself."""

from dataclasses import dataclass

from lineside.abilities._rule import NamedAbility, Rule


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer with its explanation; true when the action is allowed.

    Attributes:
        allowed: The answer.
        reason: Why it was refused, in words for the user, when the rule that refused gives one.
        rule: The rule that decided, None when no rule matched.
        considered: The rules about this action and subject whose conditions did not hold.
    """

    allowed: bool
    reason: str | None
    rule: Rule | NamedAbility | None
    considered: tuple[Rule, ...] = ()

    @property
    def declared_at(self) -> str | None:
        """Where the deciding rule was written, as in ``abilities.py:12``."""
        return None if self.rule is None else self.rule.place

    def __bool__(self) -> bool:
        return self.allowed
