"""What is wrong with a rule, found where it is written rather than when a request meets it."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lineside.abilities._conditions import COLLECTIONS
from lineside.abilities._rule import Test, subject_name
from lineside.exceptions import ConfigurationError

if TYPE_CHECKING:
    from lineside.abilities._mapped import MappedSubject


def mapped_subject(subject: type | str) -> "MappedSubject | None":
    """Return what SQLAlchemy knows of a class, None for one that it has not mapped."""
    return _mapped(subject) if isinstance(subject, type) and hasattr(subject, "__mapper__") else None


@lru_cache(maxsize=1024)
def _mapped(model: type) -> "MappedSubject":
    # Here, so that an app without SQLAlchemy models never imports it; once per class.
    from lineside.abilities._mapped import MappedSubject

    return MappedSubject(model)


def checked_actions(actions: Sequence[str]) -> tuple[str, ...]:
    """Return several actions as a tuple."""
    verbs = tuple(actions)
    for verb in verbs or ("",):
        if not isinstance(verb, str) or not verb:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("a rule needs an action: a string such as 'update', or several")
    return verbs


def checked_names(attributes: Iterable[str]) -> frozenset[str]:
    """Return the names of attributes; one string is not several names."""
    if isinstance(attributes, str):
        raise ConfigurationError(f"attributes= takes several names; write attributes=[{attributes!r}]")
    return frozenset(attributes)


def subjects_of(subjects: Any) -> tuple[type | str, ...]:
    """Return several subjects as a tuple; an object in their place gets its message later."""
    # Not any iterable: a pydantic object is one, and would be taken for its fields.
    return tuple(subjects) if isinstance(subjects, COLLECTIONS) else (subjects,)


def check_subject(subject: object) -> None:
    """Raise for an object, and for a string that was meant as a class."""
    if not isinstance(subject, str) or not subject:
        raise ConfigurationError(
            f"a rule is about a class or a name, not about a {type(subject).__name__} object; pass its class"
        )
    if subject[0].isupper():
        # It would never match an object of the class, and a cannot would silently take nothing away.
        raise ConfigurationError(
            f"{subject!r} looks like a class; pass the class itself, or a lower-case name"
        )


def check_options(
    subject: type | str,
    when: object,
    attributes: frozenset[str] | None,
    reason: str | None,
    conditions: object,
    *,
    allow: bool,
) -> None:
    """Raise for an option that would not do what it says."""
    options = {"when": when, "attributes": attributes, "reason": reason}
    for option, value in options.items():
        if value is not None and isinstance(subject, type) and option in known_attributes(subject):
            raise ConfigurationError(
                f"{subject.__name__} has an attribute named {option!r}, so {option}= could mean two things;"
                f" compare it with an expression such as {subject.__name__}.{option} == ..."
            )
    if when is not None:
        if not callable(when):
            raise ConfigurationError("when= takes a function of the object, such as lambda post: ...")
        if conditions:
            raise ConfigurationError(
                "a rule has either a function (when=) or conditions: the function could not become SQL, and"
                " the query would silently lack it; write two rules"
            )
        refuse_async(when, what="when=")
    unknown = set[str]() if allow or attributes is None else attributes - (_fields(subject) or attributes)
    if unknown:
        # A misspelled name would take nothing away.
        raise ConfigurationError(f"{subject_name(subject)} has no attribute {', '.join(sorted(unknown))}")


@lru_cache(maxsize=1024)
def known_attributes(subject: type) -> frozenset[str]:
    """Return the attributes that a class is known to have: mapped, declared or annotated."""
    mapped = mapped_subject(subject)
    declared = {*(mapped.attribute_names() if mapped else ()), *getattr(subject, "model_fields", ())}
    if declared:
        return frozenset(declared)
    for base in subject.__mro__[:-1]:
        slots = base.__dict__.get("__slots__", ())
        declared.update((slots,) if isinstance(slots, str) else slots)
        annotations = inspect.get_annotations(base)
        declared.update(name for name, kind in annotations.items() if "ClassVar" not in str(kind))
    return frozenset(name for name in declared if not name.startswith("_"))


def _fields(subject: type | str) -> frozenset[str] | None:
    return (known_attributes(subject) or None) if isinstance(subject, type) else None


def refuse_async(function: object, *, what: str) -> None:
    """Raise for an async function: its coroutine would be true for everybody."""
    call = getattr(function, "__call__", None)  # noqa: B004 - the method of a callable object is meant
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call):
        raise ConfigurationError(
            f"{what}: the function is async, a check cannot wait; load what it needs first and use a def"
        )


def compiled(
    subject: type | str, mapped: "MappedSubject | None", expressions: tuple[Any, ...]
) -> tuple[Test, ...]:
    """Return the expressions as functions of an object."""
    if any(isinstance(one, bool) for one in expressions):
        raise ConfigurationError(
            "a condition is True or False already: it compared an object's attribute; compare the class's,"
            " as in Post.author_id == user.id"
        )
    if any(inspect.isfunction(one) for one in expressions):
        raise ConfigurationError("pass a function by name: when=lambda post: ...")
    if mapped is None:
        raise ConfigurationError(
            f"{subject_name(subject)} is not mapped by SQLAlchemy, so it has no expressions; use when="
        )
    from lineside.abilities._expressions import compile_expression, is_expression

    for one in expressions:
        if not is_expression(one):
            raise ConfigurationError(
                f"a condition is a SQLAlchemy expression or attribute=value, not {type(one).__name__}"
            )
    return tuple(compile_expression(one, mapped) for one in expressions)


def check_conditions(
    subject: type | str, mapped: "MappedSubject | None", conditions: Mapping[str, Any]
) -> None:
    """Raise for an attribute condition that could not be checked."""
    if mapped is not None:
        mapped.check(conditions)
        return
    if isinstance(subject, str):
        raise ConfigurationError(
            f"{subject!r} has no attributes to compare; name the class, or use when= with a function"
        )
    for name, value in conditions.items():
        if isinstance(value, type) or callable(value) or hasattr(value, "__clause_element__"):
            raise ConfigurationError(f"{name}= takes a value to compare with, not a {type(value).__name__}")
