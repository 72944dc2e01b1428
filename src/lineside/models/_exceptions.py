"""What the model layer raises, in ActiveRecord's words; see `lineside.exceptions` for the tree."""

from collections.abc import Iterable
from typing import Any, ClassVar, Final, cast

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from lineside.exceptions import ConfigurationError, LinesideError, RecordInvalid, SupportsErrorDetails

_AWAITED: Final = (
    "declare SessionDep in the route, write `async with database.session():` around it, or pass session="
)


class NoSessionError(ConfigurationError):
    """A query has no session: neither an explicit one nor one of the request, the job or the block.

    Args:
        what: What needed it, for instance ``"Post.find()"``.
        remedy: What to write; default: for code that awaits.
    """

    def __init__(self, what: str = "this query", *, remedy: str = _AWAITED) -> None:
        super().__init__(f"{what} needs a session: {remedy}")


class NotDeclaredError(ConfigurationError, AttributeError):
    """A class does not declare what one of its attributes needs, for instance a table.

    It is an ``AttributeError``, too, so that ``hasattr``, ``help`` and mocks go past the attribute.
    """


class UnknownAttributeError(LinesideError, AttributeError):
    """A name is no attribute of the model; the message lists those that are.

    It is the developer's: a typo in the app is a traceback and a 500, which tells a client nothing. What a
    client may choose stands in an allow-list (`SortBy`, ``permit``), and is refused there.

    Args:
        model: The name of the model.
        name: The name that was given.
        known: The names that exist.
    """

    def __init__(self, model: str, name: str, *, known: Iterable[str]) -> None:
        self.model = model
        self.known: tuple[str, ...] = tuple(sorted(known))
        super().__init__(f"{model} has no attribute {name!r}; it has {', '.join(self.known)}")
        self.name: str | None = name  # after AttributeError's own __init__, which would set it to None


class ForbiddenAttributesError(LinesideError):
    """Mass assignment of an attribute that the model does not permit.

    Args:
        model: The name of the model.
        names: The attributes that were refused.
        permitted: Those that may be assigned.
    """

    status_hint: ClassVar[int] = 422
    public: ClassVar[bool] = True

    def __init__(self, model: str, names: Iterable[str], *, permitted: Iterable[str]) -> None:
        self.model = model
        self.names: tuple[str, ...] = tuple(sorted(names))
        self.permitted: tuple[str, ...] = tuple(sorted(permitted))
        super().__init__(
            f"{model}: {', '.join(self.names)} cannot be assigned from outside; "
            f"permitted: {', '.join(self.permitted) or 'nothing'}"
        )

    def details(self) -> list[dict[str, Any]]:
        """Return the errors in the shape of FastAPI's 422."""
        return [
            {"type": "extra_forbidden", "loc": ("body", name), "msg": "This cannot be assigned from outside"}
            for name in self.names
        ]


class StaleObjectError(LinesideError, StaleDataError):
    """Somebody else has changed the record since it was loaded (optimistic locking); load it again.

    It is SQLAlchemy's ``StaleDataError``, too: code that catches that one goes on working.

    Args:
        model: The name of the model.
        key: Its primary key.
    """

    status_hint: ClassVar[int] = 409
    public: ClassVar[bool] = True

    def __init__(self, model: str, key: object) -> None:
        super().__init__(f"{model} {key!r} was changed by somebody else; load it again")
        self.model = model
        self.key = key


class _RefusedByDatabaseError(RecordInvalid, IntegrityError):
    """A constraint has refused the row of a record.

    Args:
        model: The name of the model.
        errors: What is wrong with its fields.
        record: The record that was to be written.
        cause: SQLAlchemy's error, whose statement and driver's error this one has, too.
    """

    def __init__(
        self, model: str, errors: SupportsErrorDetails, *, record: object, cause: IntegrityError
    ) -> None:
        # `cause.orig` was raised by a driver: only what SQLAlchemy itself raises has none.
        IntegrityError.__init__(
            self,
            cause.statement,
            cause.params,
            cast("BaseException", cause.orig),
            hide_parameters=cause.hide_parameters,
            ismulti=cause.ismulti,
        )
        RecordInvalid.__init__(self, model, errors, record=record)


class RecordNotUnique(_RefusedByDatabaseError):  # noqa: N818 - ActiveRecord's name
    """A unique index has refused a record: its value "has already been taken" (as ActiveRecord's error).

    It is a `RecordInvalid`, and SQLAlchemy's ``IntegrityError``: code that catches either goes on working.
    """


class InvalidForeignKey(_RefusedByDatabaseError):  # noqa: N818 - ActiveRecord's name
    """A foreign key of a record points to no row: it "must exist" (as ActiveRecord's error).

    It is a `RecordInvalid`, and SQLAlchemy's ``IntegrityError``: code that catches either goes on working.
    A row that cannot be deleted because others point to it is an ``IntegrityError`` alone.
    """


class DeleteRestrictionError(LinesideError):
    """A record cannot be destroyed while others depend on it (``dependent="restrict"``).

    Args:
        model: The name of the model.
        association: The association that still has records.
        hidden_in: The class of the records, if all of them are hidden by `SoftDelete`.
    """

    status_hint: ClassVar[int] = 409
    public: ClassVar[bool] = True

    def __init__(self, model: str, association: str, *, hidden_in: str | None = None) -> None:
        remedy = "destroy or move them first"
        if hidden_in is not None:
            remedy = (
                f"{hidden_in} hides them: find them with only_deleted(), and really_destroy() or move them"
            )
        super().__init__(f"{model} still has {association}; {remedy}")
        self.model = model
        self.association = association


class StrictLoadingViolationError(LinesideError):
    """An association or attribute that the query did not load was read where no query can run.

    Args:
        model: The name of the model.
        name: The attribute.
        remedy: What to write instead.
    """

    def __init__(self, model: str, name: str, *, remedy: str) -> None:
        super().__init__(f"{model}.{name} is not loaded; {remedy}")
        self.model = model
        self.name = name
        self.remedy = remedy


class NPlusOneQueriesError(LinesideError):
    """The same query ran once for each record of a list; load them together.

    Args:
        message: The query, the place in the code and the remedy.
    """


class ReadOnlyError(LinesideError):
    """A session of the reading role was asked to write."""


class StatementTimeout(LinesideError):  # noqa: N818 - ActiveRecord's name
    """The database did not answer within the deadline; the connection was given up.

    Args:
        seconds: The deadline.
    """

    status_hint: ClassVar[int] = 503

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the database did not answer within {seconds:g} s; try again later")
        self.seconds = seconds


class ConnectionNotEstablished(LinesideError):  # noqa: N818 - ActiveRecord's name
    """No connection to the database could be made or kept; is it running, and is the URL right?"""

    status_hint: ClassVar[int] = 503


class SerializationFailure(LinesideError):  # noqa: N818 - ActiveRecord's name
    """Transactions got in each other's way; run the work again, for instance with `run_transaction`."""

    status_hint: ClassVar[int] = 503
