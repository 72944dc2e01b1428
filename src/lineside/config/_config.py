"""The configuration of one app: layers in, typed values out."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from lineside.config._binding import M, bind
from lineside.config._checks import DEFAULT_CHECKS, Check, production_checks
from lineside.config._defaults import defaults_layer
from lineside.config._environment import checked_prefix, environment_name
from lineside.config._errors import ConfigReloadError, ProductionCheckError
from lineside.config._files import watching_files
from lineside.config._layers import Loaded, read_layers
from lineside.config._nodes import Branch, Origin, merge, nested, node_from
from lineside.config._reader import Reader
from lineside.config._snapshot import ConfigMap, Snapshot
from lineside.config._watching import Notifier, Watch, Watcher
from lineside.exceptions import ConfigurationError

_logger = logging.getLogger("lineside.config")

_IN_CODE = Origin("code", "set()")


class Config(Reader):
    """Layered, typed, watched settings; make one with `load` or `from_dict`.

    Readers see one frozen state, which `set` and `reload` replace as a whole, so a reader on
    another thread never sees half a change.

    Attributes:
        environment: The name of the environment.
        directory: Where the files are, None for a configuration made from a dictionary.
    """

    def __init__(
        self,
        source: Callable[[], Loaded],
        *,
        environment: str,
        directory: Path | None,
        prefix: str,
        checks: Iterable[Check],
    ) -> None:
        self.environment = environment
        self.directory = directory
        self._source = source
        self._checks = tuple(checks)
        self._models: WeakKeyDictionary[type[BaseModel], set[str]] = WeakKeyDictionary()
        self._overrides = Branch({}, _IN_CODE)
        self._notifier = Notifier()
        self._lock = threading.RLock()
        self._loaded = source()
        super().__init__(self._snapshot(self._loaded, self._overrides), prefix=prefix)
        self._validate(self._state)

    @classmethod
    def load(
        cls,
        directory: str | Path = "config",
        *,
        environment: str | None = None,
        env_prefix: str = "LINESIDE",
        environ: Mapping[str, str] = os.environ,
        checks: Iterable[Check] = DEFAULT_CHECKS,
    ) -> "Config":
        """Read ``config.yml``, ``config.<env>.yml``, ``config.local.yml``, then the variables.

        Later layers win; maps merge, lists are replaced. A missing file is skipped.

        Args:
            directory: Where the files are.
            environment: Its name; else the variable ``<PREFIX>_ENV``, else ``development``.
            env_prefix: Prefix of the variables, as in ``LINESIDE_DATABASE__POOL=77``.
            environ: The variables; read again at each `reload`.
            checks: What must hold in production, and is checked there at once.

        Raises:
            ConfigFileError: A file is broken; with its line.
            ConfigurationError: A variable or the directory is wrong.
            ProductionCheckError: The environment is production and checks fail.
        """
        folder = Path(directory)
        if not folder.is_dir() and directory != "config":
            raise ConfigurationError(f"there is no directory {str(folder)!r}; create it or pass another")
        prefix = checked_prefix(env_prefix)
        name = environment_name(environment, prefix=prefix, environ=environ)

        def source() -> Loaded:
            return read_layers(folder, environment=name, prefix=prefix, environ=environ)

        return cls(source, environment=name, directory=folder, prefix=prefix, checks=checks)

    @classmethod
    def from_dict(
        cls,
        values: Mapping[str, Any],
        *,
        environment: str = "test",
        checks: Iterable[Check] = DEFAULT_CHECKS,
    ) -> "Config":
        """Make a configuration of a nested dictionary over the defaults: no file, no variable.

        Args:
            values: Nested maps with string keys.
            environment: Its name.
            checks: What must hold in production.

        Raises:
            ConfigurationError: A value that a configuration cannot hold.
            ProductionCheckError: The environment is production and checks fail.
        """
        name = environment_name(environment, prefix="LINESIDE", environ={})
        given = node_from(values, origin=Origin("code", "from_dict()"))
        if not isinstance(given, Branch):
            raise ConfigurationError(f"from_dict takes a nested mapping, not a {type(values).__name__}")
        layers = [defaults_layer(name), given]
        return cls(lambda: (layers, []), environment=name, directory=None, prefix="LINESIDE", checks=checks)

    @property
    def is_development(self) -> bool:
        """Whether the environment is ``development``."""
        return self.environment == "development"

    @property
    def is_production(self) -> bool:
        """Whether the environment is ``production``."""
        return self.environment == "production"

    @property
    def is_test(self) -> bool:
        """Whether the environment is ``test``."""
        return self.environment == "test"

    def bind(self, key: str, model: type[M]) -> M:
        """Validate a section into a pydantic model.

        From now on a `set` or `reload` that would break the model is refused.

        Args:
            key: The section, ``""`` for everything.
            model: The model. Unknown keys are refused unless its config sets ``extra``.

        Returns:
            A validated instance; bind again, in a watcher, to see later values.

        Raises:
            ConfigBindError: Every value that does not fit, with its key and source.
        """
        with self._lock:
            instance = bind(self._state, key, model)
            self._models.setdefault(model, set()).add(key)
        return instance

    def set(self, key: str, value: Any) -> None:
        """Set a value above every file and variable, until the process ends; `reload` keeps it.

        Args:
            key: The dotted key.
            value: A map, list, string, number, bool, None, duration or `Secret`.

        Raises:
            ConfigurationError: The value cannot be held, breaks a bound model or a production
                check, or watchers run in circles. The old values then stay.
        """
        if not all(key.split(".")):
            raise ConfigurationError(f"{key!r} is not a dotted key; write for instance 'app.debug'")
        override = nested(key.split("."), node_from(value, origin=_IN_CODE, key=key))
        with self._lock:
            self._swap(self._loaded, merge(self._overrides, override))
        self._notifier.deliver()

    def reload(self) -> tuple[str, ...]:
        """Read files and variables again; all of the new values hold, or none.

        Returns:
            The dotted keys whose values changed, sorted.

        Raises:
            ConfigReloadError: A file is broken, or a bound model or production check refuses
                the new values. The old values stay.
        """
        changed = self._load_again()
        self._notifier.deliver()
        return changed

    def watch(self, key: str, fn: Watcher) -> Watch:
        """Call a function when the value under a key changed by `set` or `reload`.

        Args:
            key: A value or a section; ``""`` for any change.
            fn: ``fn(old, new)``, sync or async. It may read and set the configuration; what it
                raises is logged, and the other watchers still run.

        Returns:
            A handle with ``stop()``.
        """
        return self._notifier.watch(key, fn)

    def watch_files(self) -> AbstractAsyncContextManager[None]:
        """Reload when a file changes, for as long as the ``async with`` block runs.

        What cannot be loaded is logged with file and line, and the old values stay.

        Raises:
            ConfigurationError: There is no directory to watch.
            MissingDependencyError: The extra ``watch`` is not installed.
        """
        if self.directory is None or not self.directory.is_dir():
            raise ConfigurationError(
                "there is no directory of files to watch; use Config.load with one that exists"
            )
        return watching_files(self.directory, self._reload_and_log)

    def __repr__(self) -> str:
        return f"Config(environment={self.environment!r}, files={list(self.files)!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("configuration is never pickled: it holds secrets; load it again where it is needed")

    def _snapshot(self, loaded: Loaded, overrides: Branch) -> Snapshot:
        layers, files = loaded
        return Snapshot([*layers, overrides], files=files)

    def _validate(self, state: Snapshot) -> None:
        for model, keys in list(self._models.items()):
            for key in keys:
                bind(state, key, model)
        if self.is_production:
            failures = production_checks(Reader(state, prefix=self._prefix), checks=self._checks)
            if failures:
                raise ProductionCheckError(failures)

    def _swap(self, loaded: Loaded, overrides: Branch) -> tuple[Snapshot, Snapshot]:
        self._notifier.ensure_room()
        old, new = self._state, self._snapshot(loaded, overrides)
        self._validate(new)
        self._loaded, self._overrides, self._state = loaded, overrides, new
        self._notifier.add(old, new)
        return old, new

    def _load_again(self) -> tuple[str, ...]:
        problem: ConfigurationError
        with self._lock:
            try:
                old, new = self._swap(self._source(), self._overrides)
            except ConfigurationError as error:
                problem = error
            else:
                return _changed_keys(old.values, new.values)
        raise ConfigReloadError(problem)

    async def _reload_and_log(self) -> None:
        try:
            changed = await asyncio.to_thread(self._load_again)
        except Exception as error:  # noqa: BLE001 - a validator of the user's own must not end the watching
            _logger.error("%s", self.redact(str(error)))
            return
        # Back on the event loop: that is where watchers expect to be called.
        self._notifier.deliver()
        if changed:
            _logger.info("configuration reloaded: %s", ", ".join(changed))


def _changed_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    changed = (key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    return tuple(sorted(key for key in changed if not isinstance(new.get(key, old.get(key)), ConfigMap)))
