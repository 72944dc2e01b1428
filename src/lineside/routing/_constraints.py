"""What a request must be like for a route to match; if it is not, the next route is tried."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import HTTPConnection
from starlette.types import Scope

from lineside.exceptions import RoutingError
from lineside.routing._checks import check_constraints
from lineside.routing._patterns import Pattern, compile_constraint

Constraint = Callable[[HTTPConnection], bool]
"""A function of the connection; False lets the next route have a try (as Rails' ``constraints:``)."""

Constraints = Mapping[str, str] | Constraint | Iterable["Mapping[str, str] | Constraint"]
"""Patterns by path parameter, a function, or several of both."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """Constraints taken apart: patterns by path parameter, and functions of the connection."""

    patterns: tuple[tuple[str, Pattern], ...] = ()
    functions: tuple[Constraint, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.patterns or self.functions)

    def __add__(self, other: "Requirements") -> "Requirements":
        return Requirements(self.patterns + other.patterns, self.functions + other.functions)

    def met_by(self, scope: Scope, path_params: Mapping[str, Any]) -> bool:
        """Tell whether the request that this scope describes may take the route."""
        for name, pattern in self.patterns:
            if not pattern.fullmatch(str(path_params[name])):
                return False
        if self.functions:
            connection = HTTPConnection({**scope, "path_params": dict(path_params)})
            return all(function(connection) for function in self.functions)
        return True

    def for_path(self, parameters: Iterable[str]) -> "Requirements":
        """Keep the patterns whose parameter this path has."""
        known = set(parameters)
        kept = tuple((name, pattern) for name, pattern in self.patterns if name in known)
        return Requirements(kept, self.functions)

    def renamed(self, names: Mapping[str, str]) -> "Requirements":
        """Give parameters other names, as a parent's ``id`` becomes ``post_id`` below it."""
        return Requirements(tuple((names.get(n, n), p) for n, p in self.patterns), self.functions)

    def check(self, parameters: Iterable[str], *, where: str) -> None:
        """Refuse a pattern for a parameter that no path has.

        Raises:
            RoutingError: Names the parameter and the known ones.
        """
        known = sorted(set(parameters))
        for name, _ in self.patterns:
            if name not in known:
                raise RoutingError(f"{where}: constraint on unknown parameter {name!r}; known: {known}")


def requirements(constraints: Constraints | None) -> Requirements:
    """Take constraints apart and compile their patterns.

    Raises:
        RoutingError: A pattern stands alone, cannot be compiled, or would let a client make matching slow.
    """
    if constraints is None:
        return Requirements()
    if isinstance(constraints, Mapping):
        patterns = cast("Mapping[str, str]", constraints)
        return Requirements(
            patterns=tuple((n, compile_constraint(p, parameter=n)) for n, p in patterns.items())
        )
    if callable(constraints):
        return Requirements(functions=(constraints,))
    check_constraints(constraints)
    total = Requirements()
    for constraint in constraints:
        total += requirements(constraint)
    return total


def host(pattern: str) -> Constraint:
    """Match the ``Host`` header, without its port and in any case.

    Args:
        pattern: A host name; ``*`` stands for one label, as in ``"*.example.com"``.

    Returns:
        A constraint for ``constraints=``.
    """
    labels = [r"[^.]+" if label == "*" else re.escape(label) for label in pattern.split(".")]
    compiled = re.compile(r"\.".join(labels), re.IGNORECASE)

    def matches_host(connection: HTTPConnection) -> bool:
        name = connection.headers.get("host", "").rpartition(":")
        return compiled.fullmatch(name[0] if name[2].isdigit() and name[0] else "".join(name)) is not None

    return matches_host


def header(name: str, value: str | None = None) -> Constraint:
    """Match a request header.

    Args:
        name: The header's name, in any case.
        value: What it must be; None: it only has to be there.

    Returns:
        A constraint for ``constraints=``.
    """

    def matches_header(connection: HTTPConnection) -> bool:
        given = connection.headers.get(name)
        return given is not None and (value is None or given == value)

    return matches_header
