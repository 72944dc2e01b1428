"""The definition: what a user may and may not do, one line per rule, checked as it is written."""

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FrameType
from typing import Any, Final

from lineside.abilities._checks import (
    check_conditions,
    check_options,
    check_subject,
    checked_actions,
    checked_names,
    compiled,
    mapped_subject,
    refuse_async,
    subjects_of,
)
from lineside.abilities._roles import RoleOf, role_names, warn_unknown_role
from lineside.abilities._rule import MANAGE, NamedAbility, Rule, Test, place_of
from lineside.exceptions import ConfigurationError

_ALIASES: Final[Mapping[str, frozenset[str]]] = {
    # As CanCanCan: who may read may also index and show, and so on.
    "index": frozenset(["read"]),
    "show": frozenset(["read"]),
    "new": frozenset(["create"]),
    "edit": frozenset(["update"]),
}


class Rules:
    """The rules of one user, filled by the app's definition function.

    Everything is refused unless a rule allows it. Of the rules that match, the last one written
    decides, as in CanCanCan.

    Args:
        user: The user the rules are for, None for a guest.
        role_of: Reads the user's roles; by default ``user.roles``, then ``user.role``.
    """

    def __init__(self, user: object = None, *, role_of: RoleOf | None = None) -> None:
        self._user = user
        self._role_of = role_of
        self._roles: frozenset[str] | None = None
        self._known_roles: set[str] = set()
        self._rules: list[Rule] = []
        self._named: dict[str, NamedAbility] = {}
        self._aliases: Mapping[str, frozenset[str]] = _ALIASES
        self._filterable: set[type] = set()

    def can(
        self,
        actions: str | Sequence[str],
        subjects: type | str | Sequence[type | str],
        /,
        *expressions: Any,
        when: Callable[[Any], object] | None = None,
        attributes: Iterable[str] | None = None,
        **conditions: Any,
    ) -> None:
        """Allow actions on subjects.

        Args:
            actions: One action or several; ``"manage"`` is every action.
            subjects: A class, a name such as ``"dashboard"``, or several; ``"all"`` is every subject.
            expressions: SQLAlchemy expressions over the class; all must be true.
            when: A function of the object. Such a rule checks objects and cannot filter a query.
            attributes: The attributes this is limited to; all by default.
            conditions: Attribute values: a scalar, None, a collection (one of), or a mapping of
                conditions for a related object.

        Raises:
            ConfigurationError: The rule could not be checked, or would not mean what it seems to.
        """
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        self._add(actions, subjects, expressions, when, attributes, None, conditions, frame, allow=True)

    def cannot(
        self,
        actions: str | Sequence[str],
        subjects: type | str | Sequence[type | str],
        /,
        *expressions: Any,
        when: Callable[[Any], object] | None = None,
        attributes: Iterable[str] | None = None,
        reason: str | None = None,
        **conditions: Any,
    ) -> None:
        """Take away what an earlier rule allowed.

        Args:
            actions: As for ``can``.
            subjects: As for ``can``.
            expressions: As for ``can``.
            when: As for ``can``.
            attributes: The attributes that are taken away; the action itself stays allowed.
            reason: Why, in words for the user: the 403 says it.
            conditions: As for ``can``.

        Raises:
            ConfigurationError: As for ``can``.
        """
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        self._add(actions, subjects, expressions, when, attributes, reason, conditions, frame, allow=False)

    def define(
        self,
        name: str,
        function: Callable[[Any, Any], object],
        /,
        *,
        guests: bool = False,
        reason: str | None = None,
    ) -> None:
        """Define an ability by a name and a function, as Gor's ``DefineAbility``.

        The function's answer is final: neither ``can`` nor ``"manage"`` touches a named ability.
        Defined again, the later function replaces the earlier one.

        Args:
            name: The name to ask by, as in ``ability.can("edit_post", post)``.
            function: Gets the user and the subject (None when none was given).
            guests: Ask the function for guests too; by default they are refused without asking.
            reason: Why it refuses, in words for the user: the 403 says it.

        Raises:
            ConfigurationError: The function is async, or the name is an action's.
        """
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        if not name or name == MANAGE or name in self._aliases:
            raise ConfigurationError(f"{name!r} is an action; give the named ability a name of its own")
        refuse_async(function, what=f"the ability {name!r}")
        place = place_of(frame.f_code, frame.f_lasti)
        self._named[name] = NamedAbility(name, function, guests=guests, reason=reason, place=place)

    def role(self, name: str, define: Callable[[Any, "Rules"], None], /) -> None:
        """Add the rules of a role, here and now, if the user has it.

        Args:
            name: The role.
            define: Gets the user and these rules.
        """
        self._known_roles.add(name)
        if self._roles is None:
            self._roles = role_names(self._user, self._role_of)
        if name in self._roles:
            run_definition(define, self._user, self)

    def alias(self, *actions: str, to: str) -> None:
        """Let a rule for one action cover others too, as CanCanCan's ``alias_action``.

        ``index`` and ``show`` are covered by ``read``, ``new`` by ``create``, ``edit`` by ``update``.

        Args:
            actions: The actions that become covered.
            to: The action whose rules cover them.

        Raises:
            ConfigurationError: An action would cover itself, or is ``"manage"``.
        """
        if MANAGE in (*actions, to):
            raise ConfigurationError("'manage' is every action already; alias another one")
        if to in actions or not covering(to, self._aliases).isdisjoint(actions):
            raise ConfigurationError(f"{to!r} would cover itself; remove one of the aliases")
        more = {action: self._aliases.get(action, frozenset()) | {to} for action in actions}
        self._aliases = {**self._aliases, **more}

    def filterable(self, *models: type) -> None:
        """Promise that these classes are filtered in queries, so that no rule may be a function.

        Without the promise, a rule with ``when=`` is an error when ``accessible_by`` meets it;
        with it, the error comes from the definition.

        Args:
            models: Mapped classes.

        Raises:
            ConfigurationError: A rule with ``when=`` is already there.
        """
        self._filterable.update(models)
        for rule in self._rules:
            self._refuse_unfilterable(rule)

    def _refuse_unfilterable(self, rule: Rule) -> None:
        if rule.when is None:
            return
        for model in self._filterable:
            if rule.covers(model):
                raise ConfigurationError(
                    f"{rule}: {model.__name__} is declared filterable, and a function cannot become SQL;"
                    " write conditions or an expression instead of when="
                )

    def _add(
        self,
        actions: str | Sequence[str],
        subjects: type | str | Sequence[type | str],
        expressions: tuple[Any, ...],
        when: Callable[[Any], object] | None,
        attributes: Iterable[str] | None,
        reason: str | None,
        conditions: dict[str, Any],
        frame: FrameType,
        *,
        allow: bool,
    ) -> None:
        # This runs for every rule of every request: what most rules do not need is not called.
        verbs = (actions,) if actions and isinstance(actions, str) else checked_actions(actions)
        limited = None if attributes is None else checked_names(attributes)
        several: Sequence[type | str] = (
            (subjects,) if isinstance(subjects, (type, str)) else subjects_of(subjects)
        )
        for subject in several:
            if not isinstance(subject, type):
                check_subject(subject)
            if when is not None or limited is not None or reason is not None:
                check_options(subject, when, limited, reason, expressions or conditions, allow=allow)
            tests: tuple[Test, ...] = ()
            if expressions:
                tests = compiled(subject, mapped_subject(subject), expressions)
            if conditions:
                check_conditions(subject, mapped_subject(subject), conditions)
            rule = Rule(
                allow,
                verbs,
                subject,
                conditions,
                expressions,
                tests,
                when,
                limited,
                reason,
                frame.f_code,
                frame.f_lasti,
            )
            if self._filterable:
                self._refuse_unfilterable(rule)
            self._rules.append(rule)

    def finish(self) -> tuple[tuple[Rule, ...], Mapping[str, NamedAbility], Mapping[str, frozenset[str]]]:
        """Return the rules, the named abilities and the aliases, for an `Ability`."""
        if self._roles:
            for role in self._roles - self._known_roles:
                warn_unknown_role(role, frozenset(self._known_roles))
        for name in self._named:
            for rule in self._rules:
                if name in rule.actions:
                    raise ConfigurationError(
                        f"{rule}: {name!r} is a named ability; its function decides alone"
                    )
        return tuple(self._rules), self._named, self._aliases


def run_definition(define: Callable[[Any, Rules], object], user: object, rules: Rules) -> None:
    """Call a definition function; an async one would define nothing, so it is an error."""
    outcome = define(user, rules)
    if inspect.iscoroutine(outcome):
        outcome.close()
        raise ConfigurationError("a definition is a plain def; load what the rules need with the user")


def covering(action: str, aliases: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return the actions whose rules cover this one: itself, those it is an alias of, ``manage``."""
    found = {action, MANAGE}
    waiting = [action]
    while waiting:
        for target in aliases.get(waiting.pop(), ()):
            if target not in found:
                found.add(target)
                waiting.append(target)
    return frozenset(found)
