"""The close codes with which the cable ends a connection for a reason of its own."""

from enum import IntEnum

__all__ = ["CloseCode"]


class CloseCode(IntEnum):
    """Private-use codes of RFC 6455 section 7.4.2: 4000 plus the HTTP status that says the same.

    Before the upgrade the same refusals are HTTP statuses: 401, 403, 409 and 429.
    """

    UNAUTHORIZED = 4401
    """The token is missing or not valid; connect again with a good one."""
    FORBIDDEN = 4403
    """The Origin, or a one-time ticket, is not accepted; connecting again changes nothing."""
    TOKEN_EXPIRED = 4408
    """The token has ended, before or while connected; connect again with a fresh one."""
    CLIENT_ID_TAKEN = 4409
    """Another connection has this client id; connect with another one, or without."""
    RATE_LIMITED = 4429
    """Too many attempts; connect again later."""
