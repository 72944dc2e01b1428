"""Layered, typed, watched settings: YAML files, then environment variables.

    >>> from lineside.config import Config
    >>> config = Config.from_dict({"database": {"pool": 5, "timeout": "30s"}})
    >>> config.get_int("database.pool")
    5
    >>> config.get_duration("database.timeout").total_seconds()
    30.0

An app calls ``Config.load()``, which reads ``config/config.yml``, ``config/config.<env>.yml``,
``config/config.local.yml`` and variables such as ``LINESIDE_DATABASE__POOL=77``.
"""

from lineside.config._checks import DEFAULT_CHECKS, Check, production_checks
from lineside.config._config import Config
from lineside.config._errors import (
    ConfigBindError,
    ConfigFileError,
    ConfigKeyError,
    ConfigReloadError,
    ConfigTypeError,
    ProductionCheckError,
    UnsetVariableError,
)
from lineside.config._explain import Explanation, SetBy
from lineside.config._reader import Reader
from lineside.config._redaction import Secret
from lineside.config._snapshot import ConfigMap
from lineside.config._watching import Watch

__all__ = [
    "DEFAULT_CHECKS",
    "Check",
    "Config",
    "ConfigBindError",
    "ConfigFileError",
    "ConfigKeyError",
    "ConfigMap",
    "ConfigReloadError",
    "ConfigTypeError",
    "Explanation",
    "ProductionCheckError",
    "Reader",
    "Secret",
    "SetBy",
    "UnsetVariableError",
    "Watch",
    "production_checks",
]
