"""Assertions about abilities that explain themselves when they fail."""

from lineside.abilities._ability import Ability
from lineside.abilities._decision import Decision
from lineside.abilities._rule import subject_name


def assert_can(
    ability: Ability, action: str, subject: object = None, /, *, attribute: str | None = None
) -> None:
    """Fail unless the ability allows an action, naming the rule that refused.

    Args:
        ability: The ability of the user in question.
        action: As for ``Ability.can``.
        subject: As for ``Ability.can``.
        attribute: As for ``Ability.can``.

    Raises:
        AssertionError: The action is refused.
    """
    decision = ability.why(action, subject, attribute=attribute)
    if not decision:
        raise AssertionError(_explained("cannot", action, subject, attribute, decision))


def assert_cannot(
    ability: Ability, action: str, subject: object = None, /, *, attribute: str | None = None
) -> None:
    """Fail if the ability allows an action, naming the rule that allowed it.

    Args:
        ability: The ability of the user in question.
        action: As for ``Ability.can``.
        subject: As for ``Ability.can``.
        attribute: As for ``Ability.can``.

    Raises:
        AssertionError: The action is allowed.
    """
    decision = ability.why(action, subject, attribute=attribute)
    if decision:
        raise AssertionError(_explained("can", action, subject, attribute, decision))


def _explained(verb: str, action: str, subject: object, attribute: str | None, decision: Decision) -> str:
    target = "" if subject is None else f" {subject_name(subject)}"
    if attribute is not None:
        target += f".{attribute}"
    lines = [f"the user {verb} {action}{target}"]
    lines.append(f"decided by: {decision.rule}" if decision.rule else "no rule matches")
    lines += [f"did not match: {rule}" for rule in decision.considered]
    return "\n  ".join(lines)
