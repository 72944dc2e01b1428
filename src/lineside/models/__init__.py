"""Models: ActiveRecord's comfort on SQLModel, async first, on SQLite and PostgreSQL alike.

    import asyncio
    from sqlmodel import Field
    from lineside.exceptions import RecordInvalid
    from lineside.models import Database, Model, before_save, validates

    @validates("title", presence=True, length=(1, 200))
    class Post(Model, table=True):
        title: str
        views: int = Field(default=0, ge=0)

        @before_save
        def strip_title(self) -> None:
            self.title = self.title.strip()

    async def main() -> None:
        database = Database("sqlite://")
        await database.create_all()
        async with database.session():
            post = await Post.create(title="  Rails beside FastAPI ")
            assert (await Post.find(post.id)).title == "Rails beside FastAPI"
            assert await Post.where(views=0).order("-created_at").pluck("title") == [post.title]
            try:
                await Post.create(title="")
            except RecordInvalid as error:
                assert "can't be blank" in error.errors["title"]
        await database.dispose()

    asyncio.run(main())

A `Model` is a SQLModel class: ``session.add(post)`` and ``session.exec(select(Post))`` go on working, with
the same validations and callbacks. FastAPI's side is `lineside.models.fastapi`, migrations are
`lineside.models.migrations`.
"""

from lineside.models._association._associations import Association, SyncAssociation
from lineside.models._association._declared import belongs_to, has_many, has_one
from lineside.models._association._n_plus_one import (
    NPlusOneMode,
    NPlusOneWarning,
    allow_n_plus_one,
    collect_n_plus_one,
    default_n_plus_one_mode,
    watch_for_n_plus_one,
)
from lineside.models._attribute._enums import EnumField
from lineside.models._attribute._json import JSONField
from lineside.models._attribute._keys import ulid, uuid7
from lineside.models._attribute._tokens import has_secure_token
from lineside.models._base._model import Model, Timestamps, ULIDModel, UUIDModel
from lineside.models._base._record import Record
from lineside.models._base._soft_delete import SoftDelete
from lineside.models._connection._ambient import AnySession, current_session, use_session
from lineside.models._connection._database import DEFAULT_URL, Database
from lineside.models._connection._drivers import IsolationLevel
from lineside.models._connection._parameters import TooManyValuesError
from lineside.models._connection._raw import AnyRow, PreparedStatementInvalid
from lineside.models._connection._roles import Role
from lineside.models._connection._sqlite import SQLiteBegin
from lineside.models._connection._transactions import Transaction, transaction
from lineside.models._exceptions import (
    ConnectionNotEstablished,
    DeleteRestrictionError,
    ForbiddenAttributesError,
    InvalidForeignKey,
    NoSessionError,
    NPlusOneQueriesError,
    ReadOnlyError,
    RecordNotUnique,
    SerializationFailure,
    StaleObjectError,
    StatementTimeout,
    StrictLoadingViolationError,
    UnknownAttributeError,
)
from lineside.models._lifecycle._callbacks import (
    after_commit,
    after_create,
    after_create_commit,
    after_destroy,
    after_destroy_commit,
    after_rollback,
    after_save,
    after_save_commit,
    after_update,
    after_update_commit,
    after_validation,
    around_create,
    around_destroy,
    around_save,
    around_update,
    before_create,
    before_destroy,
    before_save,
    before_update,
    before_validation,
)
from lineside.models._lifecycle._deferred import after_all_transactions_commit
from lineside.models._migrations._convention import NAMING_CONVENTION
from lineside.models._relation._builder import Builder
from lineside.models._relation._grouped import GroupedQuery, SyncGroupedQuery
from lineside.models._relation._keyset import InvalidCursorError
from lineside.models._relation._pages import KeysetPage, KeysetParams, Page, PageParams
from lineside.models._relation._query import Query
from lineside.models._relation._scopes import default_scope, scope
from lineside.models._relation._sort_by import SortBy
from lineside.models._relation._sync_query import SyncQuery
from lineside.models._relation._values import InvalidValueError, Range
from lineside.models._validation._declarations import validate, validates, validates_with
from lineside.models._validation._errors import Error, Errors
from lineside.models._validation._normalizes import normalize_value_for, normalizes
from lineside.models._validation._rules import SupportsValidate
from lineside.models._validation._unique_validator import UniquenessOptions
from lineside.models._validation._validators import ComparisonOptions, LengthOptions, NumericalityOptions

__all__ = [
    "DEFAULT_URL",
    "NAMING_CONVENTION",
    "AnyRow",
    "AnySession",
    "Association",
    "Builder",
    "ComparisonOptions",
    "ConnectionNotEstablished",
    "Database",
    "DeleteRestrictionError",
    "EnumField",
    "Error",
    "Errors",
    "ForbiddenAttributesError",
    "GroupedQuery",
    "InvalidCursorError",
    "InvalidForeignKey",
    "InvalidValueError",
    "IsolationLevel",
    "JSONField",
    "KeysetPage",
    "KeysetParams",
    "LengthOptions",
    "Model",
    "NPlusOneMode",
    "NPlusOneQueriesError",
    "NPlusOneWarning",
    "NoSessionError",
    "NumericalityOptions",
    "Page",
    "PageParams",
    "PreparedStatementInvalid",
    "Query",
    "Range",
    "ReadOnlyError",
    "Record",
    "RecordNotUnique",
    "Role",
    "SQLiteBegin",
    "SerializationFailure",
    "SoftDelete",
    "SortBy",
    "StaleObjectError",
    "StatementTimeout",
    "StrictLoadingViolationError",
    "SupportsValidate",
    "SyncAssociation",
    "SyncGroupedQuery",
    "SyncQuery",
    "Timestamps",
    "TooManyValuesError",
    "Transaction",
    "ULIDModel",
    "UUIDModel",
    "UniquenessOptions",
    "UnknownAttributeError",
    "after_all_transactions_commit",
    "after_commit",
    "after_create",
    "after_create_commit",
    "after_destroy",
    "after_destroy_commit",
    "after_rollback",
    "after_save",
    "after_save_commit",
    "after_update",
    "after_update_commit",
    "after_validation",
    "allow_n_plus_one",
    "around_create",
    "around_destroy",
    "around_save",
    "around_update",
    "before_create",
    "before_destroy",
    "before_save",
    "before_update",
    "before_validation",
    "belongs_to",
    "collect_n_plus_one",
    "current_session",
    "default_n_plus_one_mode",
    "default_scope",
    "has_many",
    "has_one",
    "has_secure_token",
    "normalize_value_for",
    "normalizes",
    "scope",
    "transaction",
    "ulid",
    "use_session",
    "uuid7",
    "validate",
    "validates",
    "validates_with",
    "watch_for_n_plus_one",
]
