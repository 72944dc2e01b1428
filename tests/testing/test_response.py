"""TestResponse: assertions that chain, and explain themselves when they fail."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from lineside.testing import TestResponse


def answer(
    status: int = 200,
    *,
    headers: dict[str, str] | None = None,
    url: str = "http://testserver/posts/9?page=2",
    **body: Any,
) -> TestResponse:
    """Make a response without an app."""
    request = httpx2.Request("GET", url)
    return TestResponse(httpx2.Response(status, headers=headers, request=request, **body))


def failure(assertion: Callable[[], object]) -> str:
    """Return what a failing assertion says."""
    with pytest.raises(AssertionError) as caught:
        assertion()
    return str(caught.value)


def test_assertions_chain() -> None:
    """Each returns the response, so that a test reads as one sentence."""
    response = answer(html="<h1>Hello</h1>")
    chained = response.assert_status(200).assert_contains("Hello").assert_header("Content-Type", "text/html")
    assert chained is response


def test_a_failure_shows_the_exchange() -> None:
    """Status, method, path and the beginning of the body stand in the message."""
    said = failure(lambda: answer(404, json={"detail": "Not Found"}).assert_status(200))
    for part in ("expected status 200, got 404", "GET /posts/9?page=2", "404 Not Found", '"Not Found"'):
        assert part in said


def test_a_failure_is_bounded() -> None:
    """A large body does not flood the terminal, whatever is in it."""
    assert len(failure(lambda: answer(text="x" * 1_000_000).assert_status(404))) < 1_000
    assert len(failure(lambda: answer(content=b"\xff\x00" * 1_000_000).assert_status(404))) < 4_000
    assert "(empty body)" in failure(lambda: answer().assert_status(404))


def test_an_unknown_status_can_be_shown() -> None:
    """A status that nobody registered breaks no message."""
    assert "answered 599" in failure(lambda: answer(599).assert_status(200))


def test_contains() -> None:
    """The text must be in the body."""
    assert "'Bye'" in failure(lambda: answer(text="Hello").assert_contains("Bye"))


def test_header_parameters_may_be_left_out() -> None:
    """A value without parameters fits any; a value with them must be equal."""
    response = answer(headers={"Content-Type": "text/html; charset=utf-8", "X-Id": "7"})
    response.assert_header("content-type", "text/html").assert_header("X-Id").assert_header("X-Id", "7")
    response.assert_header("content-type", "text/html; charset=utf-8")
    assert "got '7'" in failure(lambda: response.assert_header("X-Id", "8"))
    assert "text/html" in failure(lambda: response.assert_header("content-type", "text/htm"))
    assert "content-type, x-id" in failure(lambda: response.assert_header("X-None"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/posts/1", "http://testserver/posts/1"])
def test_redirect(status: int, location: str) -> None:
    """A redirect is one of five statuses, to a path or to a full URL of the same host."""
    answer(status, headers={"Location": location}).assert_redirect("/posts/1")


def test_redirect_failures() -> None:
    """Another status, another place, another host: each is a failure of its own."""
    assert "got 200" in failure(lambda: answer().assert_redirect("/posts/1"))
    there = answer(303, headers={"Location": "/posts/2"})
    assert "'/posts/2'" in failure(lambda: there.assert_redirect("/posts/1"))
    assert "(301)" in failure(lambda: there.assert_redirect("/posts/2", status=301))
    abroad = answer(303, headers={"Location": "http://evil.example/posts/1"})
    assert "evil.example" in failure(lambda: abroad.assert_redirect("/posts/1"))
    abroad.assert_redirect("http://evil.example/posts/1")
    answer(303, headers={"Location": "http://testserver/a?b=c"}).assert_redirect("/a?b=c")


def test_json_is_equal() -> None:
    """The whole value counts, true is not 1, and the first difference is named."""
    body = {"id": 1, "tags": [{"name": "a"}, {"name": "b"}], "draft": True}
    answer(json=body).assert_json(body)
    changed = {**body, "tags": [{"name": "a"}, {"name": "c"}]}
    assert "at $.tags[1].name: expected 'c', got 'b'" in failure(
        lambda: answer(json=body).assert_json(changed)
    )
    assert "unexpected key 'draft'" in failure(
        lambda: answer(json=body).assert_json({"id": 1, "tags": body["tags"]})
    )
    assert "got True" in failure(lambda: answer(json=body).assert_json({**body, "draft": 1}))
    assert "expected 1 items, got 2" in failure(lambda: answer(json=[1, 2]).assert_json([1]))


def test_json_includes_a_subset() -> None:
    """Objects may have more keys at any depth; lists have their length."""
    body = {"id": 1, "author": {"name": "ada", "id": 2}, "tags": [{"id": 1, "name": "a"}]}
    answer(json=body).assert_json_includes({"author": {"name": "ada"}, "tags": [{"name": "a"}]})
    said = failure(lambda: answer(json=body).assert_json_includes({"author": {"nam": "ada"}}))
    assert "at $.author: no key 'nam'; the keys are ['id', 'name']" in said
    assert "items" in failure(lambda: answer(json=body).assert_json_includes({"tags": []}))


def test_no_json_is_a_failure() -> None:
    """A page where JSON was expected is shown, not a decoder's traceback."""
    assert "expected a JSON body" in failure(lambda: answer(html="<h1>").assert_json({}))


@pytest.mark.parametrize(
    "body",
    [
        {"detail": "no Post with key 9"},
        {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "no Post with key 9"},
    ],
    ids=["fastapi", "rfc9457"],
)
def test_problem(body: dict[str, Any]) -> None:
    """Both shapes of an error are known."""
    answer(404, json=body).assert_problem(404).assert_problem(404, "no Post")
    assert "expected the detail" in failure(lambda: answer(404, json=body).assert_problem(404, "no User"))
    assert "status 400" in failure(lambda: answer(404, json=body).assert_problem(400))


def test_problem_refuses_other_bodies() -> None:
    """A body without a detail is no error body; a document must agree with its status."""
    assert "error body" in failure(lambda: answer(404, json=["no"]).assert_problem(404))
    document = {"title": "Not Found", "status": 400}
    assert "say status 404" in failure(lambda: answer(404, json=document).assert_problem(404))


@pytest.mark.parametrize("key", ["detail", "errors"])
def test_invalid_names_a_place(key: str) -> None:
    """A 422 is asserted by the end of the place that it names, in both shapes."""
    errors = [{"type": "missing", "loc": ["body", "post", "title"], "msg": "Field required"}]
    body = {"detail": "one", key: errors}
    answer(422, json=body).assert_invalid("title").assert_invalid("post", "title").assert_invalid()
    assert "('body', 'post', 'title')" in failure(lambda: answer(422, json=body).assert_invalid("body"))
    assert "expected status 422" in failure(lambda: answer(json=body).assert_invalid("title"))


def test_the_parts_are_there() -> None:
    """Status, headers, text, bytes and JSON can be read; repr shows the exchange."""
    response = answer(json={"a": 1})
    assert (response.status_code, response.text, response.content) == (200, '{"a":1}', b'{"a":1}')
    assert response.json() == {"a": 1}
    assert response.headers["Content-Type"] == "application/json"
    assert repr(response) == "TestResponse(GET /posts/9: 200)"
