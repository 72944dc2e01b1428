"""What one user may do: the questions an app asks, answered from the rules."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, overload

from lineside.abilities._attributes import (
    AttributeSet,
    attributes_of,
    listed,
    sent_values,
    shown_values,
)
from lineside.abilities._checks import known_attributes, mapped_subject
from lineside.abilities._decision import Decision
from lineside.abilities._roles import RoleOf
from lineside.abilities._rule import NamedAbility, Rule, subject_name
from lineside.abilities._rules import Rules, covering, run_definition
from lineside.exceptions import AccessDeniedError, ConfigurationError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from sqlalchemy import ColumnElement

UserT = TypeVar("UserT")
SubjectT = TypeVar("SubjectT")

# A WebSocket lives for days and its actions may be named by the client.
_REMEMBERED: Final = 256


class Ability:
    """What one user may do, for the length of a request, a connection or a job.

    Args:
        user: The user, None for a guest.
        define: Writes the rules. None when roles have them all.
        roles: Rules for each role, added after ``define`` in the order of this mapping.
        role_of: Reads the user's roles; by default ``user.roles``, then ``user.role``.

    Attributes:
        user: The user.
        asked: Whether anything was asked; a request that never asked is a forgotten check.

    Raises:
        ConfigurationError: A rule is wrong; the message says what to write instead.
    """

    def __init__(
        self,
        user: UserT,
        define: Callable[[UserT, Rules], None] | None = None,
        *,
        roles: Mapping[str, Callable[[UserT, Rules], None]] | None = None,
        role_of: RoleOf | None = None,
    ) -> None:
        rules = Rules(user, role_of=role_of)
        if define is not None:
            run_definition(define, user, rules)
        for name, define_role in (roles or {}).items():
            rules.role(name, define_role)
        self.user: Any = user
        self.asked: bool = False
        self._rules, self._named, self._aliases = rules.finish()
        self._relevant: dict[tuple[str, type | str], tuple[Rule, ...]] = {}

    def can(self, action: str, subject: object = None, /, *, attribute: str | None = None) -> bool:
        """Tell whether the user may do this.

        Args:
            action: An action such as ``"update"``, or the name of a named ability.
            subject: The object, or a name such as ``"dashboard"``. Named abilities need none.
            attribute: Ask about one attribute of the object.

        Raises:
            ConfigurationError: The subject is a class (use ``can_any``) or missing.
        """
        return self._decide(action, subject, attribute)[0]

    def cannot(self, action: str, subject: object = None, /, *, attribute: str | None = None) -> bool:
        """Tell whether the user may not do this: the opposite of ``can``."""
        return not self.can(action, subject, attribute=attribute)

    @overload
    def authorize(self, action: str, /) -> None: ...
    @overload
    def authorize(self, action: str, subject: SubjectT, /, *, attribute: str | None = None) -> SubjectT: ...
    def authorize(self, action: str, subject: Any = None, /, *, attribute: str | None = None) -> Any:
        """Raise unless the user may do this.

        Args:
            action: As for ``can``.
            subject: As for ``can``.
            attribute: As for ``can``.

        Returns:
            The subject, so that a line may load, authorize and return it.

        Raises:
            AccessDeniedError: The user may not; ``reason`` is the rule's.
            ConfigurationError: As for ``can``.
        """
        allowed, rule = self._decide(action, subject, attribute)
        if not allowed:
            name = subject_name(subject) if subject is not None else ""
            raise self._denied(action, name, rule=rule, attribute=attribute)
        return subject

    def can_any(self, action: str, model: type, /) -> bool:
        """Tell whether there may be an object of a class on which the action is allowed.

        For menus and for actions that have no object yet; it ignores what conditions say.

        Args:
            action: An action.
            model: The class.

        Raises:
            ConfigurationError: The subject is not a class, or the action is a named ability.
        """
        self.asked = True
        self._refuse_named(action, "can_any")
        if not isinstance(model, type):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(f"can_any asks about a class; ask can({action!r}, ...) about an object")
        for rule in self._about_class(action, model):
            if not rule.concerns(None):
                continue
            if rule.allow:
                return True
            if not rule.conditional and rule.covers(model):
                return False
        return False

    def authorize_any(self, action: str, model: type, /) -> None:
        """Raise unless ``can_any``.

        Raises:
            AccessDeniedError: No rule would allow it on any object.
            ConfigurationError: As for ``can_any``.
        """
        if not self.can_any(action, model):
            raise AccessDeniedError(action, model.__name__)

    def why(self, action: str, subject: object = None, /, *, attribute: str | None = None) -> Decision:
        """Answer as ``can`` does, with the rule that decided and where it was written.

        Args:
            action: As for ``can``.
            subject: As for ``can``.
            attribute: As for ``can``.
        """
        allowed, rule = self._decide(action, subject, attribute)
        considered: tuple[Rule, ...] = ()
        if not isinstance(rule, NamedAbility):
            about = self._about(action, _kind(subject))
            considered = about[: about.index(rule)] if rule is not None else about
        return Decision(allowed, None if allowed or rule is None else rule.reason, rule, considered)

    def accessible_by(self, action: str, model: type, /) -> "ColumnElement[bool]":
        """Return the rules as a SQLAlchemy expression for ``where``.

        It is true for exactly the rows on whose objects ``can(action, object)`` is true. It is a
        filter, not a value: where it is not true it may be NULL, so do not negate it.

        Args:
            action: An action.
            model: The mapped class that is queried.

        Raises:
            ConfigurationError: A rule is a function, which no query can follow; the class is not
                mapped; or a rule is about a subclass only.
        """
        self.asked = True
        self._refuse_named(action, "accessible_by")
        subject = mapped_subject(model)
        if subject is None:
            raise ConfigurationError(
                f"{subject_name(model)} is not mapped by SQLAlchemy, so it has no query;"
                f" ask can({action!r}, ...) about each object"
            )
        from lineside.abilities._filters import filter_of

        return filter_of(self._about_class(action, model), subject)

    def permitted_attributes(self, action: str, subject: object, /) -> frozenset[str] | None:
        """Return the attributes that the user may use in an action.

        Args:
            action: An action.
            subject: The object; or its class where no rule has a condition.

        Returns:
            The names, None for all.

        Raises:
            ConfigurationError: The subject is a class and the answer depends on the object.
        """
        permitted = self._permitted(action, subject)
        if not permitted.inverted:
            return permitted.names
        if not permitted.names:
            return None
        return known_attributes(subject if isinstance(subject, type) else type(subject)) - permitted.names

    def permit(
        self,
        data: "BaseModel | Mapping[str, Any]",
        action: str,
        subject: object,
        /,
        *,
        unpermitted: Literal["refuse", "drop"] = "refuse",
    ) -> dict[str, Any]:
        """Authorize an action and return the input that the user may use in it.

        Args:
            data: What the client sent: a pydantic model (only the fields that were set count) or a
                mapping.
            action: An action.
            subject: The object; for a new one, the object as it starts out. Its class will do where
                no rule has a condition.
            unpermitted: What to do about other fields: answer 403 naming them, or leave them out.

        Raises:
            AccessDeniedError: The action is not allowed, or fields are not permitted.
            ConfigurationError: As for ``permitted_attributes``.
        """
        permitted = self._allowed_attributes(action, subject)
        values = sent_values(data)
        refused = [name for name in values if name not in permitted]
        if refused and unpermitted != "drop":
            name = subject_name(subject)
            reason = f"you may not {action} these attributes of {name}: {listed(refused)}"
            raise AccessDeniedError(action, name, reason=reason)
        return {name: value for name, value in values.items() if name in permitted}

    def visible(
        self, subject: object, schema: "type[BaseModel] | None" = None, /, *, action: str = "read"
    ) -> dict[str, Any]:
        """Authorize reading an object and return the attributes that the user may see.

        Args:
            subject: The object.
            schema: A pydantic model that shapes the output; its field names are what rules permit.
            action: The action that grants the sight.

        Returns:
            A dict for the response. Give the route no response model: a field may be missing.

        Raises:
            AccessDeniedError: The user may not see the object at all.
        """
        return shown_values(subject, self._allowed_attributes(action, subject), schema=schema)

    def _allowed_attributes(self, action: str, subject: object) -> AttributeSet:
        """Return the permitted attributes; raise when the action itself is refused."""
        permitted = self._permitted(action, subject)  # refuses a class whose rules have conditions
        if isinstance(subject, type):
            self.authorize_any(action, subject)
        else:
            self.authorize(action, subject)
        return permitted

    def _permitted(self, action: str, subject: object) -> AttributeSet:
        self.asked = True
        self._refuse_named(action, "attributes")
        if not isinstance(subject, type):
            matching = [rule for rule in self._about(action, _kind(subject)) if rule.matches(subject)]
            return attributes_of(reversed(matching))
        about = self._about_class(action, subject)
        for rule in about:
            if rule.conditional or not rule.covers(subject):
                raise ConfigurationError(
                    f"the attributes depend on the object: {rule}; pass an object, a new one as it starts out"
                )
        return attributes_of(reversed(about))

    def _decide(
        self, action: str, subject: object, attribute: str | None
    ) -> tuple[bool, Rule | NamedAbility | None]:
        self.asked = True
        named = self._named.get(action)
        if named is not None:
            if attribute is not None:
                raise ConfigurationError(
                    f"{action!r} is a named ability and has no attributes; leave out attribute="
                )
            return named.allows(self.user, subject), named
        if isinstance(subject, type):
            # A rule's conditions would be ignored without a word: CanCanCan's best-known trap.
            raise ConfigurationError(
                f"{subject.__name__} is a class: ask about an object, or whether there is any such object:"
                f" can_any({action!r}, {subject.__name__})"
            )
        if subject is None:
            known = ", ".join(sorted(self._named)) or "none"
            raise ConfigurationError(
                f"can({action!r}, ...) needs a subject that is not None; named abilities need none: {known}"
            )
        for rule in self._about(action, _kind(subject)):
            if rule.concerns(attribute) and rule.matches(subject):
                return rule.allow, rule
        return False, None

    def _about(self, action: str, kind: type | str) -> tuple[Rule, ...]:
        """Return the rules about an action on objects of a class, or on a name, newest first."""
        found = self._relevant.get((action, kind))
        if found is None:
            actions = covering(action, self._aliases)
            found = tuple(
                [
                    rule
                    for rule in reversed(self._rules)
                    if not actions.isdisjoint(rule.actions) and (rule.subject is kind or rule.covers(kind))
                ]
            )
            if len(self._relevant) < _REMEMBERED:
                self._relevant[(action, kind)] = found
        return found

    def _about_class(self, action: str, model: type) -> list[Rule]:
        """Return the same and the rules about its subclasses, whose objects are of the class too."""
        actions = covering(action, self._aliases)
        return [
            rule
            for rule in reversed(self._rules)
            if not actions.isdisjoint(rule.actions)
            and (rule.covers(model) or (isinstance(rule.subject, type) and issubclass(rule.subject, model)))
        ]

    def _refuse_named(self, action: str, question: str) -> None:
        if action in self._named:
            raise ConfigurationError(
                f"{action!r} is a named ability: only its function knows, so there is no {question} for it"
            )

    def _denied(
        self, action: str, name: str, *, rule: Rule | NamedAbility | None, attribute: str | None
    ) -> AccessDeniedError:
        reason = None if rule is None else rule.reason
        if reason is None and attribute is not None:
            reason = f"you may not {action} {attribute} of {name}"
        if reason is None and not name:
            reason = f"you may not {action}"
        return AccessDeniedError(action, name, reason=reason)


def _kind(subject: object) -> type | str:
    return subject if isinstance(subject, (type, str)) else type(subject)
