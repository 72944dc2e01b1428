"""What secrets are called: the words that settings, log lines and derived schemas all look for.

One list, so that no name is hidden in one place and shown in another. Each place adds the words that
only there mean a secret: a header's name in a log line, a column's in a schema.
"""

from typing import Final

__all__ = ["NAMES_OF_SECRETS"]

NAMES_OF_SECRETS: Final = (
    "secret|passw(?:or)?d?|passphrase|token|(?:api|private|access|auth|signing|encryption)[_-]?key"
    "|credential|dsn"
)
"""A regular expression without capturing groups, to be searched in a name in any case."""
