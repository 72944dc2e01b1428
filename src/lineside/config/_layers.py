"""The layers of a directory, lowest first."""

from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path

from lineside.config._defaults import defaults_layer
from lineside.config._environment import variables_layer
from lineside.config._errors import ConfigFileError
from lineside.config._nodes import Branch
from lineside.config._yaml import read_yaml

Loaded = tuple[list[Branch], list[str]]
"""The layers, and the files that were found."""


def read_layers(directory: Path, *, environment: str, prefix: str, environ: Mapping[str, str]) -> Loaded:
    """Read defaults, files and variables.

    Args:
        directory: Where the files are; a missing file is skipped.
        environment: Its name, which ``${<PREFIX>_ENV}`` in a file also gives.
        prefix: Prefix of the variables.
        environ: The variables.

    Raises:
        ConfigFileError: A file is broken, or is named ``.yaml``.
        ConfigurationError: A variable is misnamed or contradicts another.
    """
    variables = ChainMap({f"{prefix}_ENV": environment}, dict(environ))
    layers = [defaults_layer(environment)]
    files: list[str] = []
    for stem in ("config", f"config.{environment}", "config.local"):
        path = directory / f"{stem}.yml"
        if (branch := read_yaml(path, variables=variables)) is not None:
            layers.append(branch)
            files.append(str(path))
        elif (other := path.with_suffix(".yaml")).exists():
            raise ConfigFileError(str(other), reason=f"is never read; rename it to {path.name}")
    layers.append(variables_layer(environ, prefix=prefix))
    return layers, files
