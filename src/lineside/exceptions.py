"""The tree of errors that lineside raises.

    LinesideError                       500  anything below; catch this to catch us all
    ├── ConfigurationError              500  the app is set up wrongly: its developer can fix it
    │   ├── MissingDependencyError      500  an extra is not installed (also an ImportError)
    │   ├── CallbackError               500  a callback names an action that does not exist
    │   ├── RoutingError                500  a route is declared wrongly
    │   ├── SecretError                 500  a secret is missing or too short
    │   └── lineside.config: ConfigKeyError, ConfigTypeError, ConfigFileError, UnsetVariableError,
    │         ConfigBindError, ConfigReloadError, ProductionCheckError
    ├── PathError                       500  a path helper got a wrong name or parameter (also a LookupError)
    ├── RequestError                    400  the peer sent something we refuse
    │   ├── InvalidJSONError            422  a JSON text breaks the strict rules (also a ValueError)
    │   ├── PayloadTooLargeError        413  a body, part or file is over its limit
    │   ├── NotAcceptableError          406  none of the offered formats is accepted
    │   ├── UnknownVersionError         400  an API version that does not exist
    │   ├── UnsafeRedirectError         400  a redirect would leave the site
    │   └── UnsafePathError             404  a file path would leave its folder
    ├── RecordNotFound                  404  no such row (also a LookupError)
    ├── RecordInvalid                   422  a record breaks its validations (also a ValueError)
    ├── AccessDeniedError               403  the ability does not grant this
    ├── SignatureError                  400  a signed value is forged, expired or of another purpose
    ├── lineside.models, 422 or 409: ForbiddenAttributesError, StaleObjectError, DeleteRestrictionError;
    │     500: UnknownAttributeError, StrictLoadingViolationError, NPlusOneQueriesError, ReadOnlyError,
    │     PreparedStatementInvalid; 503: ConnectionNotEstablished, StatementTimeout, SerializationFailure;
    │     below the classes above: NoSessionError, InvalidValueError, InvalidCursorError, RecordNotUnique,
    │     InvalidForeignKey
    └── lineside.models.migrations      500  MigrationError and those below it, ProtectedEnvironmentError

Every error carries its data as attributes, a message that names the next action, and a
``status_hint``: the HTTP status a web adapter answers with. The hint keeps engines free of
HTTP (as Phoenix' ``plug_status`` does): nothing below the web rooms turns it into a response.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

__all__ = [
    "AccessDeniedError",
    "CallbackError",
    "ConfigurationError",
    "InvalidJSONError",
    "LinesideError",
    "MissingDependencyError",
    "NotAcceptableError",
    "PathError",
    "PayloadTooLargeError",
    "RecordInvalid",
    "RecordNotFound",
    "RequestError",
    "RoutingError",
    "SecretError",
    "SignatureError",
    "SupportsErrorDetails",
    "UnknownVersionError",
    "UnsafePathError",
    "UnsafeRedirectError",
]


class SupportsErrorDetails(Protocol):
    """What `RecordInvalid` needs to know of a record's errors."""

    def __getitem__(self, field: str, /) -> list[str]:
        """Return the messages of a field."""
        ...

    def __contains__(self, field: object, /) -> bool:
        """Tell whether a field has errors."""
        ...

    def full_messages(self) -> list[str]:
        """Return a sentence for each error, with the name of its field."""
        ...

    def details(self) -> list[dict[str, Any]]:
        """Return the errors in the shape of FastAPI's 422: ``type``, ``loc``, ``msg`` and ``input``."""
        ...


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names)) or "none"


class LinesideError(Exception):
    """Anything that lineside raises.

    Attributes:
        message: What happened and what to do next.
        status_hint: The HTTP status a web adapter answers with.
        public: Whether the message may be shown to the client. A server-side fault (500)
            is never shown outside debug.
    """

    status_hint: ClassVar[int] = 500
    public: ClassVar[bool] = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class ConfigurationError(LinesideError):
    """The app is set up wrongly; its developer can fix it, a client cannot."""


class MissingDependencyError(ConfigurationError, ImportError):
    """An optional package is not installed.

    Args:
        package: The import name that was not found.
        extra: The extra of lineside that brings it.
    """

    def __init__(self, package: str, *, extra: str) -> None:
        super().__init__(f"{package!r} is not installed. Run: pip install 'lineside[{extra}]'")
        self.package = package
        self.extra = extra


class CallbackError(ConfigurationError):
    """A callback is declared wrongly, for instance for an action that does not exist."""


class RoutingError(ConfigurationError):
    """A route is declared wrongly."""


class SecretError(ConfigurationError):
    """A secret is missing or too short; the message names where to set it, never its value."""


class PathError(LinesideError, LookupError):
    """A path helper was given a name or parameters that no route has.

    Args:
        name: The route name that was asked for.
        reason: What is wrong with it.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"path_for({name!r}): {reason}")
        self.name = name


class RequestError(LinesideError):
    """The peer sent something that we refuse; the message says what and may be shown."""

    status_hint: ClassVar[int] = 400
    public: ClassVar[bool] = True


class InvalidJSONError(RequestError, ValueError):
    """A JSON text breaks RFC 8259 or one of the stricter rules of the border.

    Args:
        reason: The rule that was broken.
        position: Offset of the first offending character, 0 when the whole text is meant.
    """

    status_hint: ClassVar[int] = 422

    def __init__(self, reason: str, *, position: int = 0) -> None:
        super().__init__(f"invalid JSON at position {position}: {reason}")
        self.reason = reason
        self.position = position


class PayloadTooLargeError(RequestError):
    """A body, a part or a file is larger than its limit.

    Args:
        limit: The limit in bytes.
        what: What was too large, as a person would name it.
    """

    status_hint: ClassVar[int] = 413

    def __init__(self, *, limit: int, what: str = "the request body") -> None:
        super().__init__(f"{what} is larger than {limit} bytes; send less")
        self.limit = limit
        self.what = what


class NotAcceptableError(RequestError):
    """The client accepts none of the formats that the action offers (RFC 9110 section 15.5.7).

    Args:
        accept: The ``Accept`` header as it came.
        offered: The media types the action offers.
    """

    status_hint: ClassVar[int] = 406

    def __init__(self, accept: str, *, offered: Iterable[str]) -> None:
        self.accept = accept
        self.offered: tuple[str, ...] = tuple(offered)
        super().__init__(f"none of the accepted formats is offered; ask for one of {_listed(self.offered)}")


class UnknownVersionError(RequestError):
    """The client asked for an API version that does not exist.

    Args:
        version: The version that was asked for.
        known: The versions that exist.
    """

    def __init__(self, version: str, *, known: Iterable[str]) -> None:
        self.version = version
        self.known: tuple[str, ...] = tuple(known)
        super().__init__(f"unknown API version {version!r}; known versions: {_listed(self.known)}")


class UnsafeRedirectError(RequestError):
    """A redirect target would lead to another site or run a script."""


class UnsafePathError(RequestError):
    """A file path leads outside its folder, or to a file that is never served."""

    status_hint: ClassVar[int] = 404


class RecordNotFound(LinesideError, LookupError):  # noqa: N818 - ActiveRecord's name
    """No row with these keys exists, or none that the user may know of.

    Args:
        model: The name of the model.
        key: The key that was looked for.
    """

    status_hint: ClassVar[int] = 404
    public: ClassVar[bool] = True

    def __init__(self, model: str, key: object) -> None:
        super().__init__(f"no {model} with key {key!r}")
        self.model = model
        self.key = key


class RecordInvalid(LinesideError, ValueError):  # noqa: N818 - ActiveRecord's name
    """A record breaks its validations, and was not written.

    Args:
        model: The name of the model.
        errors: Its errors by field; `lineside.models.Errors`.
        record: The record itself, as it was to be written.
    """

    status_hint: ClassVar[int] = 422
    public: ClassVar[bool] = True

    def __init__(self, model: str, errors: SupportsErrorDetails, *, record: object = None) -> None:
        super().__init__(f"{model} is invalid: {'; '.join(errors.full_messages())}")
        self.model = model
        self.errors = errors
        self.record = record

    def details(self) -> list[dict[str, Any]]:
        """Return the errors in the shape of FastAPI's 422."""
        return self.errors.details()


class AccessDeniedError(LinesideError):
    """The ability does not grant this action on this subject.

    Args:
        action: What was tried, for instance ``"update"``.
        subject: The class or ability name it was tried on, never the object's data.
        reason: Why it was refused, in words for the user.
    """

    status_hint: ClassVar[int] = 403
    public: ClassVar[bool] = True

    def __init__(self, action: str, subject: str, *, reason: str | None = None) -> None:
        super().__init__(reason or f"you may not {action} {subject}")
        self.action = action
        self.subject = subject
        self.reason = reason


class SignatureError(LinesideError):
    """A signed value is not accepted.

    Args:
        reason: ``"too long"``, ``"malformed"``, ``"expired"`` or ``"forged"``, which a wrong purpose or a
            dropped secret is, too.
    """

    status_hint: ClassVar[int] = 400
    public: ClassVar[bool] = True

    def __init__(self, reason: str) -> None:
        state = "has expired" if reason == "expired" else "is not valid"
        super().__init__(f"this signed value {state}; ask for a new one")
        self.reason = reason
