"""Keeping the tokens of query strings out of the server's log."""

import logging
import re
from typing import Final

__all__ = ["SecretFilter"]

# Where clients that cannot send headers put what lets them in: AnyCable's jid, tickets, OAuth's tokens.
_SECRET: Final = re.compile(r"(?i)([?&](?:access_token|api_key|jid|sid|ticket|token)=)[^&\s\"]+")


class SecretFilter(logging.Filter):
    """Replaces what is secret in the addresses that a record names."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, changed where it has to be.

        Args:
            record: uvicorn's, with the address among its arguments.
        """
        if isinstance(record.args, tuple):
            record.args = tuple(
                _SECRET.sub(r"\1[FILTERED]", value) if isinstance(value, str) else value
                for value in record.args
            )
        return True
