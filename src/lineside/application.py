"""The application: the one place where concepts meet, beside a FastAPI app that stays as it is.

    from fastapi import FastAPI
    from lineside.application import Lineside

    app = FastAPI()
    lineside = Lineside(app, {"database": {"url": "sqlite://"}, "metrics": {"path": "/metrics"}})

    @lineside.after_start
    async def announce() -> None:
        lineside.logger.info("up in %s", lineside.environment)

It adds a request id to every response and log record; a formatter shows it. It answers our errors, opens
what the configuration asks for, and closes it again. No route, handler, lifespan or OpenAPI operation of
yours changes.
"""

import difflib
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, cast

from fastapi import APIRouter, FastAPI

from lineside._lifespan import check_not_started
from lineside.callbacks import adapted
from lineside.config import Config, ProductionCheckError
from lineside.exceptions import ConfigurationError
from lineside.instrumentation import Metrics, Notifier, log_request_ids
from lineside.instrumentation.asgi import RequestContextMiddleware
from lineside.instrumentation.fastapi import metrics_router
from lineside.problems import install_error_handlers
from lineside.signing import Signer, check_secret

if TYPE_CHECKING:
    from lineside.models import Database

__all__ = ["Hook", "Lineside"]

Hook = Callable[[], Awaitable[None]] | Callable[[], None]
"""What `Lineside.before_start` and its siblings take."""

_Hook = TypeVar("_Hook", bound=Hook)
_Part = TypeVar("_Part")
_Moment = Literal["before_start", "after_start", "before_stop", "after_stop"]
_STATE = "lineside"
# What we read below each section. `metrics` is ours alone; `database` may hold keys of an app's own model.
_SECTIONS: Final = {"database": "url", "metrics": "path"}


class Lineside:
    """Everything of ours that an app uses, found at ``app.state.lineside``.

    Making it twice for one app gives the same object; two apps in one process have two.

    Args:
        app: The FastAPI app, before its first request.
        settings: A `Config`, or a mapping of settings. Default: ``Config.load()``, which reads
            ``config/*.yml`` and ``LINESIDE_*`` variables. What is read: ``app.allowed_hosts``,
            ``app.debug``, ``app.secret_key``, ``app.old_secret_keys``, ``database.url``,
            ``metrics.path``. The environment of a mapping is ``LINESIDE_ENV``, else ``test``.

    Attributes:
        app: The FastAPI app.
        config: The settings.
        notifier: Where this app's events are published.
        logger: A logger for the app's own lines.

    Raises:
        ConfigurationError: The app has already answered a request, or has other settings; or a key
            of ``metrics`` or ``database`` is misspelled.
        ProductionCheckError: A production setting is missing or unsafe; all of them are named.
    """

    app: FastAPI
    config: Config
    notifier: Notifier
    logger: logging.Logger

    def __new__(cls, app: FastAPI, settings: Config | Mapping[str, Any] | None = None) -> "Lineside":
        """Return the app's Lineside, made now if it has none."""
        known: Lineside | None = getattr(app.state, _STATE, None)
        if known is None:
            check_not_started(app, "Lineside(app)")
            known = super().__new__(cls)
            known._install(app, settings)
            setattr(app.state, _STATE, known)
        elif settings is not None and settings is not known.config and settings != known._settings:
            raise ConfigurationError(
                "this app has a Lineside already; give the settings where it is made first"
            )
        return known

    def _install(self, app: FastAPI, settings: Config | Mapping[str, Any] | None) -> None:
        self.app = app
        self._settings = settings
        self.config = config = _config(settings)
        self.notifier = Notifier()
        self.logger = logging.getLogger("lineside.app")
        self._hooks: dict[_Moment, list[Callable[..., Awaitable[None]]]] = {
            "before_start": [],
            "after_start": [],
            "before_stop": [],
            "after_stop": [],
        }
        self._signer: Signer | None = None
        # Whatever the settings may have wrong is found first: an error leaves the app as it was.
        self._refuse_debug_pages()
        for section in _SECTIONS:
            _check_section(config, section)
        debug = config.get_bool("app.debug", default=False)
        metrics_path = self._metrics_path()
        self._metrics = Metrics() if metrics_path else None
        middleware: dict[str, Any] = {
            "notifier": self.notifier,
            "metrics": self._metrics,
            "allowed_hosts": config.get_list("app.allowed_hosts", []) or None,
        }
        # Starlette makes the middleware with the first request, which is late to refuse a host pattern.
        RequestContextMiddleware(app.router, **middleware)
        self._database = self._install_database()
        if self._metrics is not None:
            app.include_router(metrics_router(self._metrics, path=metrics_path))
        install_error_handlers(app, debug=debug)
        app.add_middleware(RequestContextMiddleware, **middleware)
        inner: Any = app.router.lifespan_context
        app.router.lifespan_context = lambda started: self._lifespan(inner(started))

    def _refuse_debug_pages(self) -> None:
        # Starlette shows the traceback to everybody then, whatever handlers there are.
        if self.config.is_production and self.app.debug:
            raise ProductionCheckError(["the app was made with debug=True; write FastAPI() without it"])

    def _metrics_path(self) -> str:
        path = self.config.get_str("metrics.path", "")
        if path and not path.startswith("/"):
            raise ConfigurationError(f"'metrics.path' is {path!r}; write {'/' + path!r}")
        return path

    def _install_database(self) -> "Database | None":
        url = self.config.get_str("database.url", None)
        if not url:
            return None
        # Here and not above: an app without a database never loads SQLAlchemy.
        from lineside.models import Database, default_n_plus_one_mode
        from lineside.models.fastapi import install_database

        # The environment of a mapping is a guess, and no reason to answer 500.
        environment = None if isinstance(self._settings, Mapping) else self.environment
        return install_database(self.app, Database(url, n_plus_one=default_n_plus_one_mode(environment)))

    @asynccontextmanager
    async def _lifespan(self, inner: AbstractAsyncContextManager[Any]) -> AsyncGenerator[Any]:
        """Run the app's own lifespan inside ours: what it needs is there before, and until after."""
        self._refuse_debug_pages()
        async with AsyncExitStack() as stack:
            stack.enter_context(log_request_ids())
            await self._run("before_start")
            stack.push_async_callback(self._run, "after_stop")
            state = await stack.enter_async_context(inner)
            await self._run("after_start")
            stack.push_async_callback(self._run, "before_stop")
            yield state

    async def _run(self, moment: _Moment) -> None:
        failures: list[Exception] = []
        for hook in self._hooks[moment]:
            try:
                await hook()
            except Exception as error:
                if moment.endswith("_start"):
                    raise
                # One clean-up that fails must not cost the others theirs.
                failures.append(error)
        if failures:
            raise ExceptionGroup(f"{moment} hooks failed", failures)

    def started(self) -> AbstractAsyncContextManager[Any]:
        """Start the app without a server, for a script or a console; it stops with the block.

        Returns:
            The app's lifespan as a context manager (as Gor's ``app.Start(ctx)``).
        """
        return cast("AbstractAsyncContextManager[Any]", self.app.router.lifespan_context(self.app))

    @property
    def router(self) -> APIRouter:
        """The app's own router."""
        return self.app.router

    @property
    def environment(self) -> str:
        """The environment's name, for instance ``"development"``."""
        return self.config.environment

    @property
    def database(self) -> "Database":
        """The app's database.

        Raises:
            ConfigurationError: ``database.url`` is not set.
        """
        return _asked_for(self._database, "database.url", "sqlite:///app.sqlite3", self.config)

    @property
    def metrics(self) -> Metrics:
        """The app's metrics (as Gor's ``app.Metrics()``).

        Raises:
            ConfigurationError: ``metrics.path`` is not set.
        """
        return _asked_for(self._metrics, "metrics.path", "/metrics", self.config)

    @property
    def signer(self) -> Signer:
        """Signs and verifies values with ``app.secret_key``; ``app.old_secret_keys`` still verify.

        Without a key, a random one of this process is used, which production refuses at start.
        """
        if self._signer is None:
            key = check_secret(
                self.config.get_secret("app.secret_key", None),
                environment=self.environment,
                name=self.config.variable("app.secret_key"),
            )
            # A variable with nothing but digits comes as a number.
            old_keys = [str(old) for old in self.config.get_list("app.old_secret_keys", [])]
            self._signer = Signer([key, *old_keys])
        return self._signer

    def before_start(self, hook: _Hook) -> _Hook:
        """Run a function before the app's own lifespan begins; what it raises refuses the start."""
        return self._add("before_start", hook)

    def after_start(self, hook: _Hook) -> _Hook:
        """Run a function when the app's own lifespan has begun, before the first request."""
        return self._add("after_start", hook)

    def before_stop(self, hook: _Hook) -> _Hook:
        """Run a function after the last request, before the app's own lifespan ends."""
        return self._add("before_stop", hook)

    def after_stop(self, hook: _Hook) -> _Hook:
        """Run a function when everything else has ended."""
        return self._add("after_stop", hook)

    def _add(self, moment: _Moment, hook: _Hook) -> _Hook:
        self._hooks[moment].append(adapted(hook))
        return hook

    def __repr__(self) -> str:
        return f"Lineside(environment={self.environment!r}, app={self.app.title!r})"


def _config(settings: object) -> Config:
    if settings is None:
        return Config.load()
    if isinstance(settings, Config):
        return settings
    if not isinstance(settings, Mapping):
        raise ConfigurationError(
            f"the settings are of type {type(settings).__name__}; give a mapping, or Config.load(directory)"
        )
    # The variable that names the environment counts here too: in production a mapping is checked.
    return Config.from_dict(settings, environment=os.environ.get("LINESIDE_ENV") or "test")


def _check_section(config: Config, section: str) -> None:
    """Refuse what would be ignored in silence: a misspelled key leaves its part away."""
    read = _SECTIONS[section]
    given = config.get(section, None)
    if given is None:
        return
    if not isinstance(given, Mapping):
        # Without the value, which may be a URL with a password.
        raise ConfigurationError(
            f"{section!r} is a {type(given).__name__} and no map; set {section}.{read} instead"
        )
    for key in cast("Mapping[str, Any]", given):
        is_alike = bool(difflib.get_close_matches(key.lower(), [read]))
        if key != read and (is_alike or section == "metrics"):
            raise ConfigurationError(f"unknown setting '{section}.{key}'; did you mean '{section}.{read}'?")


def _asked_for(part: _Part | None, key: str, example: str, config: Config) -> _Part:
    if part is None:
        raise ConfigurationError(
            f"{key!r} is not set; set {config.variable(key)}, for instance to {example!r}"
        )
    return part
