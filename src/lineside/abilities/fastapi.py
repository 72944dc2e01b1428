"""Abilities as FastAPI dependencies, for HTTP and WebSocket routes.

    from typing import Annotated

    from fastapi import Depends

    from lineside.abilities import Ability, Rules
    from lineside.abilities.fastapi import ability_for

    async def get_user() -> int | None:
        return 1

    def define_abilities(user_id: int | None, rules: Rules) -> None:
        rules.can("read", "dashboard")

    CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities, user=get_user))]

A refusal raised anywhere behind the dependency answers 403 with its reason, whether or not the app
has any handler of ours.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, get_origin

from fastapi import Depends, HTTPException, params
from starlette.requests import HTTPConnection

from lineside.abilities._ability import Ability
from lineside.abilities._ledger import AuthorizationLedger
from lineside.abilities._roles import RoleOf
from lineside.abilities._rules import Rules
from lineside.exceptions import AccessDeniedError, ConfigurationError, LinesideError, RecordNotFound
from lineside.problems import has_handler, to_http_exception, websocket_exception

__all__ = ["ability_for", "ability_of", "authorize", "authorize_any"]

Define = Callable[[Any, Rules], None]


def ability_for(
    define: Define | None = None,
    *,
    user: Any = None,
    roles: Mapping[str, Define] | None = None,
    role_of: RoleOf | None = None,
    hide: bool = False,
    ledger: AuthorizationLedger | None = None,
) -> Callable[..., AsyncGenerator[Ability]]:
    """Return a dependency that gives each request the ability of its user.

    Args:
        define: Writes the rules of a user.
        user: The dependency that gives the user or None: a function, or an ``Annotated`` alias.
            Without one everybody is a guest.
        roles: Rules for each role, as for `Ability`.
        role_of: Reads the user's roles, as for `Ability`.
        hide: Answer 404 in place of 403, the same for what is missing and what is not allowed.
        ledger: Records which routes asked anything, for a development report.

    Returns:
        An async dependency for ``Annotated[Ability, Depends(...)]``.
    """
    current_user = _dependency(_guest if user is None else user, argument="user")

    async def ability(connection: HTTPConnection, current: Any = current_user) -> AsyncGenerator[Ability]:
        made = Ability(current, define, roles=roles, role_of=role_of)
        connection.state.lineside_ability = made
        try:
            with _answering(connection, hide=hide):
                yield made
        finally:
            if ledger is not None:
                ledger.record(_action_name(connection), asked=made.asked)

    return ability


def ability_of(connection: HTTPConnection) -> Ability:
    """Return the ability that `ability_for` made for this request.

    Args:
        connection: The request or WebSocket.

    Raises:
        ConfigurationError: No such dependency has run.
    """
    ability = getattr(connection.state, "lineside_ability", None)
    if not isinstance(ability, Ability):
        raise ConfigurationError("this route has no ability; add the dependency that ability_for made")
    return ability


def authorize(
    action: str, subject: Callable[..., Any], *, ability: Any, hide: bool = False
) -> Callable[..., Awaitable[Any]]:
    """Return a dependency that loads an object and refuses the request unless the action is allowed.

    Args:
        action: The action.
        subject: The dependency that loads the object.
        ability: The app's ``CurrentAbility``: the ``Annotated`` alias, or the dependency itself.
        hide: Answer 404 in place of 403.

    Returns:
        An async dependency that gives the object.

    Raises:
        ConfigurationError: The subject is a class; ``authorize_any`` asks about those.
    """
    if isinstance(subject, type):
        raise ConfigurationError(
            f"authorize asks about an object and {subject.__name__} is a class; pass the dependency that"
            f" loads the object, or use authorize_any({action!r}, {subject.__name__}, ability=...)"
        )
    current_ability = _dependency(ability, argument="ability")
    load = _dependency(subject, argument="subject")

    async def authorized(
        connection: HTTPConnection, current: Any = current_ability, loaded: Any = load
    ) -> Any:
        with _answering(connection, hide=hide):
            return current.authorize(action, loaded)

    return authorized


def authorize_any(
    action: str, model: type, *, ability: Any, hide: bool = False
) -> Callable[..., Awaitable[None]]:
    """Return a dependency that refuses the request unless some object of a class might be allowed.

    Args:
        action: The action.
        model: The class.
        ability: The app's ``CurrentAbility``: the ``Annotated`` alias, or the dependency itself.
        hide: Answer 404 in place of 403.

    Returns:
        An async dependency, for ``dependencies=[Depends(...)]``.
    """
    current_ability = _dependency(ability, argument="ability")

    async def authorized(connection: HTTPConnection, current: Any = current_ability) -> None:
        with _answering(connection, hide=hide):
            current.authorize_any(action, model)

    return authorized


@contextmanager
def _answering(connection: HTTPConnection, *, hide: bool) -> Generator[None]:
    """Turn a refusal into what the connection's app can answer."""
    try:
        yield
    except (AccessDeniedError, RecordNotFound) as error:
        answer = _answer(connection, error, hide=hide)
        if answer is error:
            raise
        raise answer from error


async def _guest() -> None:
    """Stand for the user of an app that has none."""


def _dependency(dependency: Any, *, argument: str) -> Any:
    """Return the ``Depends`` of an ``Annotated`` alias, or a new one for a function."""
    if get_origin(dependency) is Annotated:
        for part in dependency.__metadata__:
            if isinstance(part, params.Depends):
                return part
    elif callable(dependency):
        return Depends(dependency)
    raise ConfigurationError(
        f"{argument}= takes a dependency: a function, or Annotated[..., Depends(function)]"
    )


def _answer(connection: HTTPConnection, error: LinesideError, *, hide: bool) -> Exception:
    """Return the exception that makes this connection answer, the error itself if the app handles it."""
    websocket = connection.scope["type"] == "websocket"
    if hide:
        # One body for what is missing and what is hidden: a difference would tell which it is.
        return websocket_exception(404, "Not Found") if websocket else HTTPException(404)
    if websocket and not has_handler(connection, error):
        return websocket_exception(error.status_hint, error.message)
    return to_http_exception(error, connection)


def _action_name(connection: HTTPConnection) -> str:
    endpoint = connection.scope.get("endpoint")
    module, name = getattr(endpoint, "__module__", "?"), getattr(endpoint, "__qualname__", "?")
    return f"{module}.{name}"
