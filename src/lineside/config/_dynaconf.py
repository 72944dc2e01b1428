"""The parts of dynaconf we stand on: its YAML 1.2 reader and its reading of variables.

Its settings object is not among them: it writes top-level keys in upper case, joins lists,
obeys ``@read_file`` inside values, and forgets everything when a reload fails. Imported when
first used, because that takes longer than the rest of this package together.
"""

from importlib import import_module
from typing import Any


def yaml_module() -> Any:
    """Return the YAML reader that dynaconf brings along."""
    return import_module("dynaconf.vendor.ruamel.yaml")


def parse_toml(text: str) -> Any:
    """Read a text as a TOML value; the text itself when it is none.

    Raises:
        ValueError: A number that Python does not convert.
        RecursionError: Brackets nested too deeply.
    """
    parser = import_module("dynaconf.utils.parse_conf")
    return parser.parse_with_toml(parser.boolean_fix(text))
