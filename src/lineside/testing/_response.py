"""A response that can be asserted about, one sentence after the other."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self
from urllib.parse import urlsplit

from lineside.testing._compare import first_difference

if TYPE_CHECKING:
    import httpx2

__all__ = ["TestResponse"]

_SHOWN: Final = 600
_REDIRECTS: Final = (301, 302, 303, 307, 308)


class TestResponse:
    """What the app answered; each assertion returns the response, so that they chain.

    A failing assertion shows the request, the status and the beginning of the body.

    Args:
        raw: The response of httpx2.

    Attributes:
        raw: The response of httpx2, for everything that is not here.
    """

    __test__ = False  # the name is the user's; pytest must not collect it

    def __init__(self, raw: "httpx2.Response") -> None:
        self.raw = raw

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        return self.raw.status_code

    @property
    def headers(self) -> "httpx2.Headers":
        """The response headers; names in any case."""
        return self.raw.headers

    @property
    def text(self) -> str:
        """The body as text."""
        return self.raw.text

    @property
    def content(self) -> bytes:
        """The body as bytes."""
        return self.raw.content

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            AssertionError: The body is not JSON.
        """
        try:
            return self.raw.json()
        except ValueError:
            self._fail("expected a JSON body")

    def assert_status(self, status: int) -> Self:
        """Fail unless the status is this one."""
        if self.status_code != status:
            self._fail(f"expected status {status}, got {self.status_code}")
        return self

    def assert_contains(self, text: str) -> Self:
        """Fail unless the body contains a text."""
        if text not in self.text:
            self._fail(f"expected the body to contain {text!r}")
        return self

    def assert_header(self, name: str, value: str | None = None) -> Self:
        """Fail unless a header is there, and has this value.

        Args:
            name: The header's name, in any case.
            value: Its value; one without parameters fits any, so that ``text/html`` fits
                ``text/html; charset=utf-8``. None when being there is enough.
        """
        found = self.headers.get(name)
        if found is None:
            self._fail(f"expected a header {name!r}; there are {', '.join(sorted(self.headers)) or 'none'}")
        if value is not None and found != value and found.partition(";")[0].rstrip() != value:
            self._fail(f"expected header {name!r} to be {value!r}, got {found!r}")
        return self

    def assert_redirect(self, to: str, *, status: int | None = None) -> Self:
        """Fail unless the response redirects to a place.

        Args:
            to: A path with its query, or a full URL.
            status: The status it must have; any of 301, 302, 303, 307 and 308 by default.
        """
        allowed = _REDIRECTS if status is None else (status,)
        if self.status_code not in allowed:
            self._fail(f"expected a redirect ({', '.join(map(str, allowed))}), got {self.status_code}")
        location = self.headers.get("location", "")
        if to not in (location, self._path_on_this_host(location)):
            self._fail(f"expected a redirect to {to!r}, got {location!r}")
        return self

    def assert_json(self, expected: Any) -> Self:
        """Fail unless the body is JSON and equal to a value; the first difference is named."""
        return self._assert_json(expected, subset=False)

    def assert_json_includes(self, expected: Any) -> Self:
        """Fail unless the body is JSON with these keys and values; objects may have more keys."""
        return self._assert_json(expected, subset=True)

    def assert_problem(self, status: int, detail: str | None = None) -> Self:
        """Fail unless the response is an error with a readable detail.

        Both shapes are known: FastAPI's ``{"detail": ...}`` and a problem document (RFC 9457).

        Args:
            status: The HTTP status.
            detail: A text that the detail must contain.
        """
        self.assert_status(status)
        body = self.json()
        if not isinstance(body, dict) or not ("detail" in body or "title" in body):
            self._fail('expected an error body: {"detail": ...} or a problem document')
        if "status" in body and body["status"] != status:
            self._fail(f"expected the problem document to say status {status}, got {body['status']!r}")
        found = body.get("detail", body.get("title"))
        if detail is not None and detail not in str(found):
            self._fail(f"expected the detail to contain {detail!r}, got {str(found)[:_SHOWN]!r}")
        return self

    def assert_invalid(self, *location: str | int) -> Self:
        """Fail unless the response is a 422 that names a place.

        Args:
            location: The end of the place, for instance ``"title"`` or ``"body", "title"``.
        """
        self.assert_problem(422)
        body = self.json()
        errors = body.get("errors", body.get("detail"))
        places = [tuple(error["loc"]) for error in errors] if isinstance(errors, list) else []
        if location and not any(place[-len(location) :] == location for place in places):
            self._fail(f"expected an error at {location}, got errors at {places}")
        return self

    def _assert_json(self, expected: Any, *, subset: bool) -> Self:
        difference = first_difference(expected, self.json(), subset=subset)
        if difference is not None:
            self._fail(difference)
        return self

    def _path_on_this_host(self, location: str) -> str:
        target, own = urlsplit(location), urlsplit(str(self.raw.request.url))
        if (target.scheme, target.netloc) != (own.scheme, own.netloc):
            return location
        return target.path + (f"?{target.query}" if target.query else "")

    def _fail(self, what: str) -> NoReturn:
        request = self.raw.request
        path = request.url.raw_path.decode("ascii", "replace")
        kind = self.headers.get("content-type", "no content type")
        raise AssertionError(
            f"{what}\n"
            f"  {request.method} {path}\n"
            f"  answered {_status_line(self.status_code)}, {kind}, {len(self.content)} bytes\n"
            f"  {self._beginning()}"
        )

    def _beginning(self) -> str:
        if not self.content:
            return "(empty body)"
        text = self.content[: 4 * _SHOWN].decode("utf-8", "replace")
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."

    def __repr__(self) -> str:
        return f"TestResponse({self.raw.request.method} {self.raw.request.url.path}: {self.status_code})"


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
