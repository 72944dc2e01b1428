"""A connection that the server does not take."""

__all__ = ["ConnectionRejected"]


class ConnectionRejected(AssertionError):  # noqa: N818 - Rails' ``assert_reject_connection`` names it
    """A connection was not let in; a test that expects it uses `assert_reject_connection`.

    Args:
        status: The HTTP status of the answer; None when the client was let in to be told, as Action Cable's
            are whose token has expired.
        code: The close code that says the same; None where the answer has none.
        detail: What the client may read.

    Attributes:
        status: The HTTP status, or None.
        code: The close code, or None.
        detail: What the client may read.
    """

    def __init__(self, status: int | None, code: int | None, detail: str) -> None:
        super().__init__(f"the connection was rejected: status {status}, code {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
