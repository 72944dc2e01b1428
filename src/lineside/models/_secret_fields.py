"""Which attributes are secrets, as far as their names tell."""

import re
from collections.abc import Mapping
from typing import Any, Final

from lineside._secrets import NAMES_OF_SECRETS

_SECRET: Final = re.compile(rf"{NAMES_OF_SECRETS}|pwd|digest|hash|private", re.IGNORECASE)

FILTERED: Final = "[FILTERED]"
"""What stands in the place of a secret, as in Rails."""


def looks_secret(name: str) -> bool:
    """Tell whether an attribute's value must not leave unless somebody names it.

    Args:
        name: The name of the attribute.
    """
    return _SECRET.search(name) is not None


def without_secrets(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes as they may be shown.

    Args:
        values: The values by attribute.
    """
    return {name: FILTERED if looks_secret(name) else value for name, value in values.items()}
