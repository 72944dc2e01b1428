"""Whether a connection is let in, and as whom (Rails' ``ActionCable::Connection::TestCase``)."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from lineside.cable import Identity
from lineside.testing._cable_client import CableClient
from lineside.testing._cable_refusals import ConnectionRejected

__all__ = ["Rejection", "assert_reject_connection", "connect"]


class Rejection:
    """What `assert_reject_connection` has seen; filled when its block ends.

    Attributes:
        status: The HTTP status, or None.
        code: The close code, or None.
        detail: What the client may read.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.code: int | None = None
        self.detail = ""


async def connect(
    app: Any,
    *,
    path: str = "/cable",
    protocol: str = "gohub-v1-json",
    headers: Mapping[str, str] | None = None,
    cookies: Mapping[str, str] | None = None,
    token: str | None = None,
    origin: str | None = "http://testserver",
) -> Identity:
    """Connect to an app's cable, and hang up (Rails' ``connect``).

        identity = await connect(app, cookies={"session": "7"})
        assert identity.user.name == "Ada"

    Args:
        app: The app; it runs meanwhile.
        path: As for `CableClient`, and so the following.
        protocol: The protocol.
        headers: Of the request.
        cookies: Of the request.
        token: Sent as ``Authorization: Bearer``.
        origin: The page that connects.

    Returns:
        Whom the server has recognised.

    Raises:
        ConnectionRejected: Nobody whom it lets in.
    """
    client = CableClient(
        app, path=path, protocol=protocol, headers=headers, cookies=cookies, token=token, origin=origin
    )
    async with client:
        return client.connection.identity


@contextmanager
def assert_reject_connection(
    status: int | None = None, *, code: int | None = None, detail: str | None = None
) -> Generator[Rejection]:
    """Fail unless a connection is rejected in the block (Rails' ``assert_reject_connection``).

        with assert_reject_connection(401):
            await connect(app)

    Args:
        status: The HTTP status that it must have; None for any.
        code: The close code that it must have; None for any.
        detail: A text that its detail must contain.

    Yields:
        The rejection, filled when the block ends.

    Raises:
        AssertionError: Nothing was rejected, or for another reason.
    """
    found = Rejection()
    try:
        yield found
    except ConnectionRejected as rejection:
        found.status, found.code, found.detail = rejection.status, rejection.code, rejection.detail
        if status not in (None, rejection.status) or code not in (None, rejection.code):
            raise AssertionError(
                f"expected a rejection with {status or code}, but {rejection}"
            ) from rejection
        if detail is not None and detail not in rejection.detail:
            raise AssertionError(f"expected the detail to contain {detail!r}, but {rejection}") from rejection
    else:
        raise AssertionError("expected the connection to be rejected, and it was let in")
