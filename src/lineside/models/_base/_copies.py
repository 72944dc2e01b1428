"""`dup`: a new record like another one."""

from typing import Any, Final, Self

from sqlalchemy import inspect
from sqlmodel import SQLModel

from lineside.models._attribute._tokens import token_names
from lineside.models._attribute._tracked import plain
from lineside.models._lifecycle._versions import LOCK_VERSION

_OWN: Final = frozenset({"created_at", "updated_at", "deleted_at", LOCK_VERSION})


class Copying(SQLModel):
    """What gives a record a copy of itself."""

    def dup(self) -> Self:
        """Return a new record with the same attributes (as Rails' ``dup``); nothing is saved.

        It has no key, timestamps, lock version or tokens: its own come with `build` and the first save.
        Associations are not copied, foreign keys are.
        """
        model = type(self)
        mapper = inspect(model)
        own = (
            {mapper.get_property_by_column(column).key for column in mapper.primary_key}
            | _OWN
            | token_names(model)
        )
        values: dict[str, Any] = {
            name: plain(getattr(self, name))
            for name in model.model_fields
            if name in mapper.column_attrs and name not in own
        }
        return model(**values)
