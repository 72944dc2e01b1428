"""Which attributes are secrets, as far as their names tell."""

import re
from typing import Final

from lineside._secrets import NAMES_OF_SECRETS

_SECRET: Final = re.compile(rf"{NAMES_OF_SECRETS}|pwd|digest|hash|private", re.IGNORECASE)


def looks_secret(name: str) -> bool:
    """Tell whether an attribute's value must not leave unless somebody names it.

    Args:
        name: The name of the attribute.
    """
    return _SECRET.search(name) is not None
