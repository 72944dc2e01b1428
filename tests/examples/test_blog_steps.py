"""What each step of the blog adds, used over HTTP; what was there before has tests of its own."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.schema import CreateIndex, CreateTable

from examples.blog import before, step6_models
from lineside.exceptions import RecordInvalid
from lineside.models import Database

ADA, BEN, CLEO = ({"Authorization": f"Bearer {name}-token"} for name in ("ada", "ben", "cleo"))
POST = {"title": "New", "body": "Fresh ink."}


# --- step 1: one line -----------------------------------------------------------------------


def test_step_1_gives_each_answer_an_id(open_blog: Any) -> None:
    """An answer carries the id that a well-formed request brought, or a new one."""
    with open_blog("step1_lineside") as client:
        assert len(client.get("/posts").headers["x-request-id"]) >= 32
        answer = client.get("/posts/99", headers={"X-Request-ID": "7f3c2f1e-0000-4000-8000-000000000001"})
        assert answer.headers["x-request-id"] == "7f3c2f1e-0000-4000-8000-000000000001"


def test_step_1_answers_with_a_problem_only_when_asked(open_blog: Any) -> None:
    """A client that names problem+json gets it; the others get FastAPI's shape."""
    with open_blog("step1_lineside") as client:
        plain = client.get("/posts/99")
        problem = client.get("/posts/99", headers={"Accept": "application/problem+json"})
    assert plain.json() == {"detail": "Post not found"}
    assert problem.headers["content-type"] == "application/problem+json"
    assert (problem.json()["status"], problem.json()["title"]) == (404, "Not Found")


def test_step_1_refuses_a_host_that_it_does_not_know(open_blog: Any) -> None:
    """A forged Host header ends at the door; before, it was believed."""
    with open_blog("step1_lineside") as client:
        assert client.get("/health", headers={"Host": "evil.example"}).status_code == 400
    with open_blog("before") as client:
        assert client.get("/health", headers={"Host": "evil.example"}).status_code == 200


def test_step_1_counts_requests_by_their_route(open_blog: Any) -> None:
    """The metrics name the template of a route, never the path that was asked for."""
    with open_blog("step1_lineside") as client:
        client.get("/posts/2")
        figures = client.get("/metrics").text
    assert "/posts/{post_id}" in figures
    assert "/posts/2" not in figures


# --- step 2: a resource ---------------------------------------------------------------------


def test_step_2_has_tags_that_an_admin_changes(open_blog: Any) -> None:
    """Created, listed, shown, renamed, deleted; and what was written is kept."""
    with open_blog("step2_resources") as client:
        created = client.post("/tags", json={"name": "rails"}, headers=ADA)
        assert created.status_code == 201
        one = f"/tags/{created.json()['id']}"
        assert client.get("/tags").json() == [created.json()]
        assert client.patch(one, json={"name": "trains"}, headers=ADA).json()["name"] == "trains"
        assert client.get(one).json()["name"] == "trains"
        assert client.delete(one, headers=ADA).status_code == 204
        assert client.get(one).status_code == 404


@pytest.mark.parametrize("headers", [{}, CLEO, BEN])
def test_step_2_refuses_others_with_a_reason(open_blog: Any, headers: dict[str, str]) -> None:
    """Without the rule anybody could name tags: the ability refuses, and says why."""
    with open_blog("step2_resources") as client:
        refused = client.post("/tags", json={"name": "rails"}, headers=headers)
        assert (refused.status_code, refused.json()) == (403, {"detail": "Only an admin may change tags"})
        assert client.get("/tags").json() == []


def test_step_2_refuses_bad_names_and_conflicts(open_blog: Any) -> None:
    """The model's limits hold (422), and a name is there once (409)."""
    with open_blog("step2_resources") as client:
        assert client.post("/tags", json={"name": ""}, headers=ADA).status_code == 422
        assert client.post("/tags", json={"name": "x", "id": 7}, headers=ADA).status_code == 422
        assert client.post("/tags", json={"name": "x"}, headers=ADA).status_code == 201
        assert client.post("/tags", json={"name": "x"}, headers=ADA).status_code == 409


# --- step 3: callbacks ----------------------------------------------------------------------


def test_step_3_locks_and_unlocks(open_blog: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An admin locks a post: its author is kept out until it is unlocked, and each change is logged."""
    with open_blog("step3_callbacks") as client, caplog.at_level(logging.INFO, "blog.moderation"):
        locked = client.post("/admin/posts/2/lock", headers=ADA)
        assert (locked.status_code, locked.json()["locked"]) == (200, True)
        assert locked.headers["x-was-locked"] == "false"
        assert client.patch("/posts/2", json={"title": "Mine"}, headers=BEN).status_code == 403
        assert [post["id"] for post in client.get("/admin/posts", headers=ADA).json()] == [3, 2]
        assert not client.post("/admin/posts/2/unlock", headers=ADA).json()["locked"]
        assert client.patch("/posts/2", json={"title": "Mine"}, headers=BEN).status_code == 200
    assert [record.getMessage() for record in caplog.records] == [
        "post 2: locked False -> True",
        "post 2: locked True -> False",
    ]


@pytest.mark.parametrize(("headers", "status"), [({}, 401), (CLEO, 403), (BEN, 403)])
def test_step_3_guards_the_whole_area(open_blog: Any, headers: dict[str, str], status: int) -> None:
    """The namespace's guard answers before the path is even looked at, for each of its routes."""
    with open_blog("step3_callbacks") as client:
        for method, path in [("GET", ""), ("POST", "/2/lock"), ("POST", "/2/unlock"), ("POST", "/no/lock")]:
            assert client.request(method, f"/admin/posts{path}", headers=headers).status_code == status
        assert not client.get("/posts/2").json()["locked"]


def test_step_3_rescues_a_post_that_is_not_there(open_blog: Any) -> None:
    """The database's own error becomes a 404 in one method."""
    with open_blog("step3_callbacks") as client:
        missing = client.post("/admin/posts/99/lock", headers=ADA)
        assert (missing.status_code, missing.json()) == (404, {"detail": "Post not found"})


# --- step 4: abilities ----------------------------------------------------------------------


@pytest.mark.parametrize(("headers", "ids"), [(ADA, [5, 4, 3, 2, 1]), (BEN, [5, 2]), (CLEO, [])])
def test_step_4_lists_what_you_may_change(open_blog: Any, headers: dict[str, str], ids: list[int]) -> None:
    """The rules, as a query: Ben's locked post 3 is not among his."""
    with open_blog("step4_abilities") as client:
        assert [post["id"] for post in client.get("/my/posts", headers=headers).json()] == ids


def test_step_4_needs_a_token(open_blog: Any) -> None:
    """A visitor has no posts: the namespace's guard answers 401."""
    with open_blog("step4_abilities") as client:
        assert client.get("/my/posts").status_code == 401
        assert client.post("/my/posts", json={}).status_code == 401


def test_step_4_checks_with_the_same_rules(open_blog: Any) -> None:
    """Create, change and delete as the rules say, each refusal with its reason."""
    with open_blog("step4_abilities") as client:
        created = client.post("/my/posts", json=POST, headers=BEN)
        assert (created.status_code, created.json()["author_id"]) == (201, 2)
        one = f"/my/posts/{created.json()['id']}"
        assert client.patch(one, json={"title": "Newer"}, headers=BEN).json()["title"] == "Newer"
        assert client.get(one, headers=CLEO).status_code == 404
        assert client.delete(one, headers=BEN).status_code == 204
        refusals = {
            client.post("/my/posts", json=POST, headers=CLEO).json()["detail"],
            client.patch("/my/posts/1", json={"title": "Mine"}, headers=BEN).json()["detail"],
            client.patch("/my/posts/3", json={"title": "Mine"}, headers=BEN).json()["detail"],
        }
        assert refusals == {"Readers may not write posts", "Not your post", "The post is locked"}


def test_step_4_shows_the_rules_in_a_page(open_blog: Any) -> None:
    """The page asks the rules for each person, escapes, and shows neither drafts nor tokens."""
    with open_blog("step4_abilities") as client:
        client.patch("/posts/2", json={"title": "<script>alert(1)</script>"}, headers=BEN)
        page = client.get("/permissions")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for text in ("Ben, author", "a visitor", "Not your post", "The post is locked", "Sign in to comment"):
        assert text in page.text
    assert "<script>" not in page.text
    assert "draft" not in page.text
    assert "-token" not in page.text


# --- step 5: config -------------------------------------------------------------------------


def test_step_5_pages_by_the_settings(open_blog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page size comes from the file, or from the variable that the file names."""
    monkeypatch.setenv("BLOG_PAGE_SIZE", "2")
    with open_blog("step5_config") as client:
        pages = [client.get("/archive", params={"page": page}).json() for page in (1, 2, 3)]
    assert [[post["id"] for post in page["posts"]] for page in pages] == [[1, 2], [3], []]
    assert {page["pages"] for page in pages} == {2}


def test_step_5_follows_the_settings(open_blog: Any) -> None:
    """A setting that changes while the app runs changes the next page; a wrong one is refused."""
    with open_blog("step5_config") as client:
        config = client.app.state.lineside.config
        assert len(client.get("/archive", headers=ADA).json()["posts"]) == 5
        config.set("blog.page_size", 1)
        assert len(client.get("/archive", headers=ADA).json()["posts"]) == 1
        with pytest.raises(Exception, match="page_size"):
            config.set("blog.page_size", 0)
        assert len(client.get("/archive", headers=ADA).json()["posts"]) == 1


def test_step_5_refuses_to_start_with_a_wrong_setting(
    make_blog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of no posts is told when the app is made, with the file that says so."""
    monkeypatch.setenv("BLOG_PAGE_SIZE", "0")
    with pytest.raises(Exception, match=r"page_size.*config\.yml"):
        make_blog("step5_config")


# --- step 6: models -------------------------------------------------------------------------


def test_step_6_reads_the_tables_that_are_there() -> None:
    """The records describe the tables of `before` to the letter: nothing is migrated."""

    def columns(table: Any) -> list[str]:
        return [str(CreateTable(table)), *sorted(str(CreateIndex(index)) for index in table.indexes)]

    records = step6_models.Table.metadata.tables
    plain = before.Table.metadata.tables
    assert set(records) == {"user", "post", "comment"}
    assert {name: columns(table) for name, table in records.items()} == {
        name: columns(plain[name]) for name in records
    }


def test_step_6_feeds_what_you_may_read_in_pages(open_blog: Any) -> None:
    """Newest first, each post with its author, and of the author nothing but the name."""
    with open_blog("step6_models") as client:
        page = client.get("/feed", params={"per_page": 2}).json()
        assert [(post["id"], post["author"]) for post in page["items"]] == [
            (3, {"id": 2, "name": "Ben"}),
            (2, {"id": 2, "name": "Ben"}),
        ]
        assert (page["total"], page["pages"]) == (3, 2)
        assert [post["id"] for post in client.get("/feed", headers=BEN).json()["items"]] == [5, 3, 2, 1]


def test_step_6_asks_the_same_number_of_queries_for_any_page(open_blog: Any) -> None:
    """The authors are loaded along: one post costs as many statements as five."""
    with open_blog("step6_models") as client:
        statements: list[str] = []
        event.listen(
            client.app.state.lineside.database.engine.sync_engine,
            "before_cursor_execute",
            lambda _connection, _cursor, statement, *_: statements.append(statement),
        )
        client.get("/feed", params={"per_page": 1}, headers=ADA)
        of_one = len(statements)
        assert len(client.get("/feed", params={"per_page": 5}, headers=ADA).json()["items"]) == 5
    assert len(statements) == 2 * of_one > 0


def test_step_6_lets_you_change_your_comments(open_blog: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Trimmed and checked by the model; a comment that goes is logged, and only when it has gone."""
    with open_blog("step6_models") as client, caplog.at_level(logging.INFO, "blog.models"):
        assert [comment["id"] for comment in client.get("/my/comments", headers=CLEO).json()] == [1]
        assert client.patch("/my/comments/1", json={"body": " Hi "}, headers=CLEO).json()["body"] == "Hi"
        assert client.get("/posts/1/comments").json()[0]["body"] == "Hi"
        for body in ("  ", "x" * 2_001):
            refused = client.patch("/my/comments/1", json={"body": body}, headers=CLEO)
            assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", "body"])
        assert client.patch("/my/comments/1", json={"author_id": 1}, headers=CLEO).status_code == 422
        assert client.delete("/my/comments/1", headers=BEN).status_code == 404
        assert caplog.messages == []
        assert client.delete("/my/comments/1", headers=CLEO).status_code == 204
        assert client.get("/posts/1/comments").json() == []
    assert caplog.messages == ["comment 1 of post 1 is gone"]


async def _add_a_blank_post(database: Database) -> None:
    async with database.session() as session:
        session.add(step6_models.Post(title=" ", body="b", author_id=1))


def test_step_6_checks_what_is_merely_added_to_a_session(open_blog: Any) -> None:
    """No schema stands before a script: the record refuses by itself, and nothing is written."""
    with open_blog("step6_models") as client:
        with pytest.raises(RecordInvalid, match="Title can't be blank"):
            client.portal.call(_add_a_blank_post, client.app.state.lineside.database)
        assert client.get("/stats", headers=ADA).json()["posts"] == 5


# --- after ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/posts", "/posts/5", "/posts/5.txt", "/archive", "/my/posts", "/my/posts/5"]
)
def test_after_shows_a_draft_to_its_author_only(open_blog: Any, path: str) -> None:
    """Each way to a draft goes through the same rule."""
    with open_blog("after") as client:
        assert "Ben's draft" in client.get(path, headers=BEN).text
        assert "Ben's draft" not in client.get(path, headers=CLEO).text


def test_after_announces_a_post_once(open_blog: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What is published is announced when it is committed, and not a second time."""
    with open_blog("after") as client, caplog.at_level(logging.INFO, "blog.models"):
        assert client.patch("/posts/5", json={"title": "Ink"}, headers=BEN).status_code == 200
        assert caplog.messages == []
        for _ in range(2):
            assert client.post("/posts/5/publish", headers=BEN).json()["published"]
        assert client.patch("/posts/5", json={"title": "Late"}, headers=BEN).status_code == 200
    assert caplog.messages == ["post 5 is published: Ink"]


def test_after_destroys_the_comments_of_a_post_as_records(
    open_blog: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """They go with their callbacks, which a cascade of the database knows nothing of."""
    with open_blog("after") as client, caplog.at_level(logging.INFO, "blog.models"):
        assert client.delete("/posts/1", headers=ADA).status_code == 204
        assert client.get("/stats", headers=ADA).json()["comments"] == 1
    assert caplog.messages == ["comment 1 of post 1 is gone"]


def test_after_moderates_records(open_blog: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Locked, listed, logged and told in the header; a post that is not there is a 404."""
    with open_blog("after") as client, caplog.at_level(logging.INFO, "blog.moderation"):
        locked = client.post("/admin/posts/2/lock", headers=ADA)
        assert (locked.json()["locked"], locked.headers["x-was-locked"]) == (True, "false")
        assert [post["id"] for post in client.get("/admin/posts", headers=ADA).json()] == [3, 2]
        assert client.patch("/posts/2", json={"title": "Mine"}, headers=BEN).status_code == 403
        assert client.post("/admin/posts/99/lock", headers=ADA).status_code == 404
    assert caplog.messages == ["post 2: locked False -> True"]


def test_after_answers_in_the_format_that_is_asked_for(open_blog: Any) -> None:
    """JSON or text by Accept; 406 names them; the path with .txt says the same."""
    with open_blog("after") as client:
        text = client.get("/posts/2", headers={"Accept": "text/plain"})
        assert text.text == client.get("/posts/2.txt").text
        assert client.get("/posts/2").json()["title"] == "On rails"
        assert client.get("/posts/2", headers={"Accept": "image/png"}).status_code == 406


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"title": NaN, "body": "b"}', id="NaN"),
        pytest.param(b'{"title": "t", "body": "b", "locked": Infinity}', id="Infinity"),
        pytest.param(b'{"title": "\\ud800", "body": 7}', id="half a surrogate pair"),
        pytest.param(b'{"title": "\\u0000", "body": "b"}', id="NUL"),
        pytest.param(b'{"title": ' + b"[" * 5_000 + b"]" * 5_000 + b', "body": "b"}', id="deep"),
        pytest.param(b'{"title": 1' + b"0" * 5_000 + b', "body": "b"}', id="long number"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b'{"title": "a", "title": "b", "body": "b"}', id="a key twice"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_after_answers_4xx_to_a_body_that_is_no_json(open_blog: Any, method: str, body: bytes) -> None:
    """What plain FastAPI cannot even refuse is refused, in FastAPI's own shape."""
    path = "/posts" if method == "POST" else "/posts/2"
    headers = BEN | {"Content-Type": "application/json"}
    with open_blog("after") as client:
        answer = client.request(method, path, content=body, headers=headers)
        assert 400 <= answer.status_code < 500
        assert json.loads(answer.text)["detail"]
        assert client.get("/posts/2").json()["title"] == "On rails"


@pytest.mark.parametrize(("step", "status"), [("before", 500), ("step1_lineside", 422), ("after", 422)])
@pytest.mark.parametrize("body", [b'{"title": NaN, "body": "b"}', b'{"title": "\\ud800", "body": 7}'])
def test_step_1_refuses_what_before_cannot(open_blog: Any, step: str, status: int, body: bytes) -> None:
    """FastAPI fails to write its 422, and one line repairs that; when `before` fails, FastAPI has."""
    headers = BEN | {"Content-Type": "application/json"}
    with open_blog(step) as client:
        assert client.post("/posts", content=body, headers=headers).status_code == status


# --- the table of steps ---------------------------------------------------------------------


def test_the_readme_counts_the_lines() -> None:
    """The table of steps names every step, with the length of its file."""
    folder = Path(before.__file__).parent
    table = re.findall(
        r"^\| \[`(\w+)\.py`\].*\| (\d+) \|[^|]*\|$", (folder / "README.md").read_text("utf-8"), re.M
    )
    counted = {name: len((folder / f"{name}.py").read_text("utf-8").splitlines()) for name, _ in table}
    assert {name: int(lines) for name, lines in table} == counted
    assert {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")} == set(counted)
