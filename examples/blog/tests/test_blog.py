"""What the blog promises over HTTP, whatever it is built with.

The seed: Ada (admin) wrote 1 and the draft 4, Ben (author) wrote 2, the locked 3 and the draft 5,
Cleo (reader) wrote the comment under 1.
"""

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

POST = {"title": "New", "body": "Fresh ink."}
ADA, BEN, CLEO = ({"Authorization": f"Bearer {name}-token"} for name in ("ada", "ben", "cleo"))
TOO_BIG = 2**63


def ids(client: TestClient, path: str = "/posts", headers: dict[str, str] | None = None) -> list[int]:
    """The ids in a listing."""
    response = client.get(path, headers=headers)
    assert response.status_code == 200, response.text
    return [row["id"] for row in response.json()]


def refusal(response: Any) -> str:
    """The reason that a refusal gives."""
    detail = response.json()["detail"]
    assert isinstance(detail, str)
    assert detail
    return detail


# --- reading --------------------------------------------------------------------------------


def test_a_visitor_lists_published_posts_newest_first(client: TestClient) -> None:
    """Without a token only what is published is listed."""
    assert ids(client) == [3, 2, 1]


def test_a_draft_is_listed_to_its_author_only(client: TestClient) -> None:
    """Ben sees his own draft but not Ada's, Cleo sees none."""
    assert ids(client, headers=BEN) == [5, 3, 2, 1]
    assert ids(client, headers=CLEO) == [3, 2, 1]


def test_an_admin_lists_every_draft(client: TestClient) -> None:
    """Ada sees the drafts of everybody."""
    assert ids(client, headers=ADA) == [5, 4, 3, 2, 1]


def test_a_listing_is_cut_by_limit_and_offset(client: TestClient) -> None:
    """Limit and offset choose a page; behind the end it is empty."""
    assert ids(client, "/posts?limit=2") == [3, 2]
    assert ids(client, "/posts?limit=2&offset=2") == [1]
    assert ids(client, "/posts?offset=1000") == []


@pytest.mark.parametrize(
    ("query", "name"),
    [("limit=0", "limit"), ("limit=101", "limit"), ("limit=many", "limit"), ("offset=-1", "offset")],
)
def test_a_page_out_of_bounds_is_refused(client: TestClient, query: str, name: str) -> None:
    """A limit or offset that makes no sense names the parameter."""
    response = client.get(f"/posts?{query}")
    assert response.status_code == 422
    assert [["query", name]] == [error["loc"] for error in response.json()["detail"]]


def test_a_post_is_shown_whole(client: TestClient) -> None:
    """A post has exactly these members, and its time has a zone."""
    post = client.get("/posts/2").json()
    assert post.pop("created_at").endswith("Z")
    assert post == {
        "id": 2,
        "title": "On rails",
        "body": "Two lines, always parallel.",
        "published": True,
        "locked": False,
        "author_id": 2,
    }


def test_a_draft_is_hidden_from_others(client: TestClient) -> None:
    """Somebody else's draft answers 404: a 403 would tell that it exists."""
    assert client.get("/posts/5").status_code == 404
    assert client.get("/posts/5", headers=CLEO).status_code == 404
    assert client.patch("/posts/4", json={"title": "Mine"}, headers=BEN).status_code == 404
    assert client.get("/posts/5/comments").status_code == 404


def test_a_draft_is_shown_to_its_author_and_to_an_admin(client: TestClient) -> None:
    """Ben's draft opens for Ben and for Ada."""
    assert client.get("/posts/5", headers=BEN).json()["title"] == "Ben's draft"
    assert client.get("/posts/5", headers=ADA).json()["title"] == "Ben's draft"


@pytest.mark.parametrize("path", ["/posts/99", "/posts/99.txt", "/posts/99/comments", "/nowhere"])
def test_what_does_not_exist_is_not_found(client: TestClient, path: str) -> None:
    """A missing post or page answers 404 with a reason."""
    response = client.get(path)
    assert response.status_code == 404
    assert refusal(response)


@pytest.mark.parametrize("post_id", ["abc", "0", "-1", str(TOO_BIG)])
def test_an_id_that_cannot_be_one_is_refused(client: TestClient, post_id: str) -> None:
    """Not a number, or a number no database has, names the parameter."""
    response = client.get(f"/posts/{post_id}")
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["path", "post_id"]


def test_a_post_reads_as_plain_text(client: TestClient) -> None:
    """The same post with `.txt` behind it is text, and a draft stays hidden."""
    response = client.get("/posts/2.txt")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.text.startswith("On rails\n========\n\nTwo lines")
    assert client.get("/posts/5.txt").status_code == 404


# --- who you are ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/posts", POST),
        ("PATCH", "/posts/2", {"title": "Mine"}),
        ("PUT", "/posts/2", {"title": "Mine"}),
        ("DELETE", "/posts/2", None),
        ("POST", "/posts/2/publish", None),
        ("POST", "/posts/2/comments", {"body": "Hi"}),
        ("GET", "/stats", None),
    ],
)
def test_changes_need_a_token(client: TestClient, method: str, path: str, body: object) -> None:
    """Without a token the answer is 401 and says which scheme is asked for."""
    response = client.request(method, path, json=body)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert refusal(response)


def test_a_missing_token_is_told_before_a_wrong_body(client: TestClient) -> None:
    """401 beats 422: a stranger learns nothing about the body."""
    assert client.post("/posts", json={"title": ""}).status_code == 401


def test_a_wrong_token_is_an_error_even_where_none_is_needed(client: TestClient) -> None:
    """An unknown token is not taken for a visitor in silence."""
    assert client.get("/posts", headers={"Authorization": "Bearer nobody"}).status_code == 401


def test_a_token_never_leaves_the_blog(client: TestClient) -> None:
    """No page an admin can read shows a token."""
    pages = ["/", "/posts", "/posts/1", "/posts/1/comments", "/stats", "/openapi.json"]
    assert [page for page in pages if "-token" in client.get(page, headers=ADA).text] == []


# --- writing --------------------------------------------------------------------------------


def test_an_author_creates_a_draft(client: TestClient) -> None:
    """A new post belongs to its author, is a draft, and its texts are trimmed."""
    response = client.post("/posts", json={"title": "  New ", "body": "Fresh ink."}, headers=BEN)
    assert response.status_code == 201
    post = response.json()
    assert (post["title"], post["author_id"], post["published"], post["locked"]) == ("New", 2, False, False)
    assert post == client.get(f"/posts/{post['id']}", headers=BEN).json()
    assert client.get(f"/posts/{post['id']}").status_code == 404


def test_a_reader_may_not_create(client: TestClient) -> None:
    """Cleo has an account but does not write posts."""
    response = client.post("/posts", json=POST, headers=CLEO)
    assert response.status_code == 403
    assert refusal(response)


@pytest.mark.parametrize(
    ("body", "place", "kind"),
    [
        ({"title": "New"}, ["body", "body"], "missing"),
        ({"title": " ", "body": "b"}, ["body", "title"], "string_too_short"),
        ({"title": "t" * 201, "body": "b"}, ["body", "title"], "string_too_long"),
        ({"title": 7, "body": "b"}, ["body", "title"], "string_type"),
        ({"title": "t", "body": "b", "author_id": 1}, ["body", "author_id"], "extra_forbidden"),
        ({"title": "t", "body": "b", "published": True}, ["body", "published"], "extra_forbidden"),
    ],
)
def test_a_wrong_body_is_refused_in_fastapis_shape(
    client: TestClient, body: object, place: list[str], kind: str
) -> None:
    """422 lists each fault with its place and kind; nobody sets the author or publishes on the way."""
    response = client.post("/posts", json=body, headers=BEN)
    assert response.status_code == 422
    [error] = response.json()["detail"]
    assert (place, kind) == (error["loc"], error["type"])
    assert ids(client, headers=ADA) == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_author_updates_an_own_post(client: TestClient, method: str) -> None:
    """What is sent changes; what is left out, or null, stays."""
    response = client.request(method, "/posts/2", json={"title": "Off rails", "body": None}, headers=BEN)
    assert response.status_code == 200
    assert (response.json()["title"], response.json()["body"]) == ("Off rails", "Two lines, always parallel.")
    assert response.json() == client.get("/posts/2").json()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/posts/1", {"title": "Mine"}),
        ("PUT", "/posts/1", {"title": "Mine"}),
        ("DELETE", "/posts/1", None),
        ("POST", "/posts/1/publish", None),
    ],
)
def test_nobody_changes_the_post_of_another(client: TestClient, method: str, path: str, body: object) -> None:
    """Ben may read Ada's post, and that is all."""
    before = client.get("/posts/1").json()
    response = client.request(method, path, json=body, headers=BEN)
    assert response.status_code == 403
    assert refusal(response)
    assert before == client.get("/posts/1").json()


def test_an_admin_changes_any_post(client: TestClient) -> None:
    """Ada updates and deletes what Ben wrote."""
    assert client.patch("/posts/2", json={"title": "Edited"}, headers=ADA).json()["title"] == "Edited"
    assert client.delete("/posts/2", headers=ADA).status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/posts/3", {"title": "Mine"}),
        ("DELETE", "/posts/3", None),
        ("POST", "/posts/3/publish", None),
        ("POST", "/posts/3/comments", {"body": "But why?"}),
    ],
)
def test_a_locked_post_is_closed_to_its_author(
    client: TestClient, method: str, path: str, body: object
) -> None:
    """A locked post is read only for everybody but an admin."""
    response = client.request(method, path, json=body, headers=BEN)
    assert response.status_code == 403
    assert "locked" in refusal(response)


def test_only_an_admin_locks_and_unlocks(client: TestClient) -> None:
    """The lock is the one member of a post that its author may not change."""
    response = client.patch("/posts/2", json={"locked": True}, headers=BEN)
    assert response.status_code == 403
    assert "locked" in refusal(response)
    assert client.patch("/posts/2", json={"locked": True}, headers=ADA).json()["locked"]
    assert client.patch("/posts/2", json={"title": "Late"}, headers=BEN).status_code == 403
    assert not client.patch("/posts/2", json={"locked": False}, headers=ADA).json()["locked"]
    assert client.patch("/posts/2", json={"title": "In time"}, headers=BEN).status_code == 200


def test_a_deleted_post_is_gone_with_its_comments(client: TestClient) -> None:
    """Deleting answers 204 without a body, and the second time 404."""
    response = client.delete("/posts/2", headers=BEN)
    assert (response.status_code, response.content) == (204, b"")
    assert client.get("/posts/2").status_code == 404
    assert client.delete("/posts/2", headers=BEN).status_code == 404
    assert client.get("/stats", headers=ADA).json()["comments"] == 1


def test_publishing_shows_a_draft_to_everybody(client: TestClient) -> None:
    """A published draft is listed; publishing again changes nothing."""
    for _ in range(2):
        response = client.post("/posts/5/publish", headers=BEN)
        assert response.status_code == 200
        assert response.json()["published"]
    assert ids(client) == [5, 3, 2, 1]


# --- comments -------------------------------------------------------------------------------


def test_comments_are_listed_oldest_first_in_pages(client: TestClient) -> None:
    """The comments of one post, cut by limit and offset."""
    created = client.post("/posts/1/comments", json={"body": "And bye"}, headers=CLEO).json()["id"]
    assert [1, created] == ids(client, "/posts/1/comments")
    assert [created] == ids(client, "/posts/1/comments?limit=1&offset=1")


def test_a_reader_comments(client: TestClient) -> None:
    """A comment belongs to its post and to its author."""
    response = client.post("/posts/2/comments", json={"body": "Nice"}, headers=CLEO)
    assert response.status_code == 201
    comment = response.json()
    assert {"id": comment["id"], "post_id": 2, "author_id": 3, "body": "Nice"} == comment


def test_an_empty_comment_is_refused(client: TestClient) -> None:
    """Blanks are not a comment."""
    response = client.post("/posts/2/comments", json={"body": "  "}, headers=CLEO)
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", "body"]


# --- the rest -------------------------------------------------------------------------------


def test_the_page_shows_published_posts_and_no_markup_of_others(client: TestClient) -> None:
    """The home page is HTML, hides drafts and escapes what people wrote."""
    client.patch("/posts/2", json={"title": "<script>alert(1)</script> {body}"}, headers=BEN)
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {body}" in page.text
    assert "<script>" not in page.text
    assert "House rules" in page.text
    assert "draft" not in page.text


def test_the_numbers_are_for_admins(client: TestClient) -> None:
    """Ada sees the counts, Ben is refused."""
    assert client.get("/stats", headers=ADA).json() == {"users": 3, "posts": 5, "published": 3, "comments": 2}
    assert client.get("/stats", headers=BEN).status_code == 403


def test_what_was_written_survives_a_restart(app: FastAPI) -> None:
    """The database is a file, and it is seeded once."""
    with TestClient(app) as client:
        client.delete("/posts/1", headers=ADA)
    with TestClient(app) as client:
        assert ids(client) == [3, 2]


def test_the_app_answers_before_it_is_started(app: FastAPI) -> None:
    """Without a lifespan everything that needs no database works."""
    client = TestClient(app)
    assert client.get("/health").json() == {"status": "ok"}
    assert client.post("/posts", json=POST).status_code == 401
    assert client.get("/docs").status_code == 200


def test_every_operation_is_documented(client: TestClient) -> None:
    """OpenAPI lists these operations at least, each with an id of its own."""
    paths = client.get("/openapi.json").json()["paths"]
    operations = {f"{method.upper()} {path}": op for path, ops in paths.items() for method, op in ops.items()}
    assert {
        "GET /",
        "GET /health",
        "GET /stats",
        "GET /posts",
        "POST /posts",
        "GET /posts/{post_id}",
        "PATCH /posts/{post_id}",
        "PUT /posts/{post_id}",
        "DELETE /posts/{post_id}",
        "POST /posts/{post_id}/publish",
        "GET /posts/{post_id}.txt",
        "GET /posts/{post_id}/comments",
        "POST /posts/{post_id}/comments",
    } <= set(operations)
    assert len(operations) == len({operation["operationId"] for operation in operations.values()})


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("get", "/posts", {"200", "401", "422"}),
        ("post", "/posts", {"201", "401", "403", "422"}),
        ("patch", "/posts/{post_id}", {"200", "401", "403", "404", "422"}),
        ("put", "/posts/{post_id}", {"200", "401", "403", "404", "422"}),
        ("delete", "/posts/{post_id}", {"204", "401", "403", "404", "422"}),
        ("post", "/posts/{post_id}/comments", {"201", "401", "403", "404", "422"}),
    ],
)
def test_refusals_are_documented(client: TestClient, method: str, path: str, statuses: set[str]) -> None:
    """Each status that an operation answers with is in its documentation."""
    operation = client.get("/openapi.json").json()["paths"][path][method]
    assert statuses <= set(operation["responses"])
