"""What a resource controller must declare, and where its input schema comes from."""

from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import BaseModel
from sqlalchemy import inspect
from sqlalchemy.ext.asyncio import AsyncSession as SQLAlchemySession
from sqlalchemy.orm import Session
from sqlmodel.ext.asyncio.session import AsyncSession

from lineside.controllers._signature import injections
from lineside.exceptions import ConfigurationError
from lineside.models import Record
from lineside.models._schema._schemas import input_schema

# What people have instead of sqlmodel's AsyncSession: nothing to await, or no `exec`.
_OTHER_SESSIONS: Final = (Session, SQLAlchemySession)


def input_of(controller: type[Any], model: type[Any]) -> type[BaseModel]:
    """Return the input schema: the controller's, or the record's own.

    Raises:
        ConfigurationError: Neither names a field.
    """
    is_record = issubclass(model, Record)
    if controller.permit:
        return input_schema(model, controller.permit, is_checked_on_save=is_record)
    if is_record and model.permit:
        schema: type[BaseModel] = model.In
        return schema
    raise ConfigurationError(
        f'{controller.__name__}: name the fields that clients may set: permit = ("title", ...)'
    )


def check_resource(controller: type[Any], model: type[Any]) -> None:
    """Check what a resource controller must declare.

    Raises:
        ConfigurationError: It lacks an ability, its model is no table, or an option is a text.
    """
    name, injected = controller.__name__, injections(controller)
    if "ability" not in injected:
        raise ConfigurationError(
            f"{name} needs an ability: declare `ability: CurrentAbility` in it or in a base, where "
            "CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities, user=...))]"
        )
    session: Any = injected["session"].annotation if "session" in injected else None
    session = get_args(session)[0] if get_origin(session) is Annotated else session
    if (
        isinstance(session, type)
        and issubclass(session, _OTHER_SESSIONS)
        and not issubclass(session, AsyncSession)
    ):
        raise ConfigurationError(
            f"{name}.session is {session.__module__.partition('.')[0]}'s {session.__name__}; "
            "ResourceController needs sqlmodel's AsyncSession: leave `session` out, and "
            "install_database(app, url) gives one"
        )
    if inspect(model, raiseerr=False) is None:
        raise ConfigurationError(
            f"{name}: {model.__name__} is no table; add table=True to its class line, "
            f"as in class {model.__name__}(SQLModel, table=True)"
        )
    for option in ("permit", "expose", "filter", "sort"):
        names = getattr(controller, option)
        if isinstance(names, str):
            raise ConfigurationError(f'{name}: {option} is text; write {option} = ("{names}",)')
