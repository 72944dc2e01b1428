"""An app under test: requests in process, a user who is logged in, the database beside it."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Final, Self, TypeVar, get_origin

from lineside.exceptions import ConfigurationError, MissingDependencyError
from lineside.testing._database import TestDatabase
from lineside.testing._response import TestResponse
from lineside.testing._transactional import transactional_tests

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from starlette.types import ASGIApp

    from lineside.models import Database

__all__ = ["TestApp"]

_Result = TypeVar("_Result")
_NOTHING: Final = object()


class TestApp:
    """Any FastAPI or ASGI app, called in process; ``with`` runs its lifespan.

    Args:
        app: The app.
        current_user: The dependency that gives the user, which `login_as` replaces: a function,
            or an ``Annotated`` alias of one.
        base_url: Scheme and host of the requests. An app with ``app.allowed_hosts`` must allow it.
        headers: Headers of every request.
        raise_errors: Raise what the app raises, in place of seeing its 500.
        use_transactional_tests: Undo at the end of the block what requests and the test have written
            to the app's database; see `transactional_tests`.

    Attributes:
        client: Starlette's ``TestClient``, for what is not here: cookies, WebSockets.

    Raises:
        MissingDependencyError: The extra ``testing`` is not installed.
    """

    __test__ = False  # the name is the user's; pytest must not collect it

    client: "TestClient"

    def __init__(
        self,
        app: "ASGIApp",
        *,
        current_user: Any = None,
        base_url: str = "http://testserver",
        headers: Mapping[str, str] | None = None,
        raise_errors: bool = True,
        use_transactional_tests: bool = False,
    ) -> None:
        self._app: Any = app
        self._use_transactional_tests = use_transactional_tests
        self._stack = ExitStack()
        self._current_user = None if current_user is None else _dependency_function(current_user)
        self._replaced: Any = _NOTHING
        self.client = _test_client()(
            app,
            base_url=base_url,
            headers=dict(headers or {}),
            raise_server_exceptions=raise_errors,
            # A test asserts where a redirect leads before it goes there.
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.client)
            if self._use_transactional_tests:
                block = transactional_tests(self._database)
                self.run(block.__aenter__)
                stack.callback(lambda: self.run(partial(block.__aexit__, None, None, None)))
            stack.callback(self.logout)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def get(self, path: str, **options: Any) -> TestResponse:
        """Send a GET request.

        Args:
            path: The path, or a full URL.
            options: ``params=``, ``headers=``, ``cookies=`` and what else httpx2 takes.
        """
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        """Send a POST request.

        Args:
            path: The path, or a full URL.
            options: ``json=``, ``data=`` (a form), ``files=``, ``content=``, and those of `get`.
        """
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> TestResponse:
        """Send a PUT request; the options are those of `post`."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> TestResponse:
        """Send a PATCH request; the options are those of `post`."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        """Send a DELETE request; the options are those of `post`."""
        return self.request("DELETE", path, **options)

    def request(self, method: str, path: str, **options: Any) -> TestResponse:
        """Send a request of any method.

        Args:
            method: The HTTP method.
            path: The path, or a full URL.
            options: As for `post`.

        Returns:
            The response; redirects are not followed unless ``follow_redirects=True`` is given.
        """
        return TestResponse(self.client.request(method, path, **options))

    def login_as(self, user: Any) -> Self:
        """Make every following request one of this user, until `logout` or the end of the block.

        Args:
            user: What the app's dependency would give.

        Raises:
            ConfigurationError: ``current_user=`` was not given, or the app is not a FastAPI app.
        """
        overrides = self._overrides()

        async def logged_in() -> Any:
            return user

        if self._replaced is _NOTHING:
            self._replaced = overrides.get(self._current_user, None)
        overrides[self._current_user] = logged_in
        return self

    def logout(self) -> Self:
        """Let the app's own dependency decide again who the user is."""
        if self._replaced is _NOTHING:
            return self
        overrides, replaced, self._replaced = self._overrides(), self._replaced, _NOTHING
        if replaced is None:
            overrides.pop(self._current_user, None)
        else:
            overrides[self._current_user] = replaced
        return self

    @property
    def db(self) -> TestDatabase:
        """The app's database, for set-up and for checking what was stored.

        Raises:
            ConfigurationError: The app has no database of ours.
        """
        return TestDatabase(self._database, self.run)

    @property
    def _database(self) -> "Database":
        database: Database | None = getattr(getattr(self._app, "state", None), "lineside_database", None)
        if database is None:
            raise ConfigurationError(
                "the app has no database: set database.url, or call install_database(app, url)"
            )
        return database

    def run(self, function: Callable[[], Awaitable[_Result]]) -> _Result:
        """Run an async function on the event loop of the app.

        Args:
            function: Takes nothing; ``functools.partial`` gives it arguments.

        Returns:
            What the function returns.

        Raises:
            ConfigurationError: The app is not started: there is no ``with`` around the call.
        """
        portal = self.client.portal
        if portal is None:
            raise ConfigurationError("the app is not started: write `with TestApp(app) as app:` around this")
        return portal.call(function)

    def _overrides(self) -> dict[Any, Any]:
        if self._current_user is None:
            raise ConfigurationError(
                "login_as needs the dependency that gives the user: TestApp(app, current_user=get_user),"
                " or a fixture named current_user_dependency that returns it"
            )
        overrides: dict[Any, Any] | None = getattr(self._app, "dependency_overrides", None)
        if overrides is None:
            raise ConfigurationError(
                f"login_as needs a FastAPI app, and {type(self._app).__name__} has no dependency_overrides"
            )
        return overrides

    def __repr__(self) -> str:
        return f"TestApp({self._app!r})"


def _test_client() -> "type[TestClient]":
    try:
        from starlette.testclient import TestClient
    except RuntimeError:
        # Starlette's own answer to a missing client, which it does not ask for as an extra.
        raise MissingDependencyError("httpx2", extra="testing") from None
    return TestClient


def _dependency_function(dependency: Any) -> Any:
    """Return the function that FastAPI calls, which is also the key of its overrides."""
    if get_origin(dependency) is not Annotated:
        return dependency
    functions = [getattr(part, "dependency", None) for part in dependency.__metadata__]
    found = [function for function in functions if function is not None]
    if not found:
        raise ConfigurationError("current_user= takes a function, or Annotated[..., Depends(function)]")
    return found[0]
