"""Downloads: nothing outside the folder, no header from a file name (T11, T34, W13, W15)."""

import os
import re
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient

from lineside.exceptions import UnsafePathError
from lineside.problems import error_handlers
from lineside.views import content_disposition, resolve_inside, send_data, send_file

PLANTED = "planted-secret-7d1f"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of public files with everything around and inside it that must not leak."""
    public = tmp_path / "public"
    (public / "docs").mkdir(parents=True)
    (public / "docs" / "report.pdf").write_text("the report")
    (public / "page.html").write_text("<script>alert(1)</script>")
    (public / "naïve file.txt").write_text("text")
    for path in (
        tmp_path / "secret.txt",
        tmp_path / "public-secret.txt",
        public / ".env",
        public / ".git" / "config",
        public / "docs" / ".hidden.txt",
        public / "app.py",
        public / "APP.PY",
        public / "app.py.txt",
        public / "app.js.map",
        public / "app.pyc",
        public / "settings.bak",
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_text(PLANTED)
    (public / "out.txt").symlink_to(tmp_path / "secret.txt")
    (public / "outside").symlink_to(tmp_path)
    (public / "env.txt").symlink_to(public / ".env")
    (public / "loop").symlink_to(public / "loop")
    return public


UPS = [
    "..", "%2e%2e", "%252e%252e", ".%2e", "%2e.", "%c0%ae%c0%ae", "%uff0e%uff0e", "..%00", "..;", ".. ",
    " ..", "...", "....", "..\t", "\u2024\u2024", "\uff0e\uff0e", "\u2025", "%E2%80%A5", "..%20",
    "..%ff",
]  # fmt: skip
SEPARATORS = ["/", "\\", "%2f", "%5c", "%252f", "%255c", "//", "/./", "\u2215", "\u2044", "\uff0f", "\uff3c"]
OTHERS = [
    "", "/", ".", "..", "//", "/etc/passwd", "//etc/passwd", "C:\\secret.txt", "C:/secret.txt",
    "c:secret.txt", "\\\\host\\share\\secret.txt", "//host/share/secret.txt", "\\\\?\\C:\\secret.txt",
    "file:///secret.txt", ".env", ".env/", "./.env", "docs/../.env", "docs/.hidden.txt", ".git/config",
    "%2eenv", "%2e%65nv", ".env%00.txt", ".env\x00.txt", "page.html\x00.txt", "app.py", "APP.PY",
    "app.py/", "app.py.", "app.py ", "app.py::$DATA", "app.py.txt", "app.pyc", "app.js.map",
    "settings.bak", "app%2epy", "app.p%79", "out.txt", "outside/secret.txt", "env.txt",
    "outside/public/../secret.txt", "loop", "docs", "docs/", "~/secret.txt", "~root/.bashrc",
    "$HOME/secret.txt", "../public-secret.txt", "..\\public-secret.txt", 'a' * 5000, 'a/' * 600 + 'b',
    "\x00", "\n", "con", "nul", "\ud800", "docs/report.pdf/", "docs//report.pdf", "./docs/report.pdf",
    "docs/./report.pdf", "docs/../docs/report.pdf",
]  # fmt: skip
CORPUS = [
    up + separator + target for up in UPS for separator in SEPARATORS for target in ("secret.txt",)
] + OTHERS


def test_the_corpus_has_two_hundred_forms() -> None:
    """As many as the threat row asks."""
    assert len(set(CORPUS)) >= 200


def test_no_form_reaches_a_file_that_is_not_public(root: Path) -> None:
    """Each form, as it is and decoded once and twice, with and without a folder before it."""
    for form in CORPUS:
        for path in {form, unquote(form), unquote(unquote(form)), f"docs/{form}", f"docs/../{form}"}:
            with pytest.raises(UnsafePathError, match=r"^no such file$"):
                send_file(path, root=root)


ODD_NAMES = [
    "a:b.txt",
    "a\\b.txt",
    "a%41.txt",
    "a~1.txt",
    "a\nb.txt",
    "a\x7f.txt",
    "a\uff0fb.txt",
    "a\u2025b.txt",
]


@pytest.mark.skipif(sys.platform == "win32", reason="such names cannot exist there")
@pytest.mark.parametrize("name", [*ODD_NAMES, "trailing.", "trailing ", " leading"])
def test_a_name_that_systems_read_differently_is_refused_even_when_it_exists(root: Path, name: str) -> None:
    """Separators, drives, streams and escapes of any system: no file is worth the doubt."""
    (root / name).write_text(PLANTED)
    with pytest.raises(UnsafePathError):
        send_file(name, root=root)


def test_no_form_leaks_through_a_route(root: Path) -> None:
    """The same corpus as URLs: 404 or FastAPI's own refusal, and never a planted byte."""
    app = FastAPI(exception_handlers=error_handlers())

    @app.get("/files/{path:path}")
    def show(path: str) -> Response:
        return send_file(path, root=root)

    client = TestClient(app)
    for form in CORPUS:
        url = "/files/" + form.encode("utf-8", "replace").decode("latin-1")
        if any(ord(char) < 32 for char in url):
            continue
        response = client.get(url)
        assert PLANTED not in response.text, form
        assert response.status_code in {404, 200}, form
        assert response.status_code == 404 or response.text == "the report", form
    assert client.get("/files/docs/report.pdf").text == "the report"
    assert client.get("/files/nothing.txt").json() == {"detail": "no such file"}


def test_a_public_file_is_sent_as_an_attachment(root: Path) -> None:
    """With its type, its name, `nosniff`, and what Starlette adds: length, ETag, ranges."""
    app = FastAPI()
    app.get("/")(lambda: send_file("docs/report.pdf", root=root))
    client = TestClient(app)
    response = client.get("/")
    assert response.text == "the report"
    assert response.headers["content-type"] == "application/pdf"
    assert response.headers["content-disposition"] == 'attachment; filename="report.pdf"'
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["etag"]
    part = client.get("/", headers={"Range": "bytes=4-9"})
    assert (part.status_code, part.text) == (206, "report")


def test_a_path_object_and_a_relative_root_work(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder may be given as a developer writes it."""
    monkeypatch.chdir(root.parent)
    assert resolve_inside(Path("docs") / "report.pdf", "public") == (root / "docs" / "report.pdf").resolve()


def test_a_missing_folder_is_no_file(tmp_path: Path) -> None:
    """An error of the file system is a 404 too, and says nothing of the folder."""
    with pytest.raises(UnsafePathError, match=r"^no such file$"):
        send_file("a.txt", root=tmp_path / "missing")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_no_file(root: Path) -> None:
    """Opening it would wait for ever."""
    os.mkfifo(root / "pipe")
    with pytest.raises(UnsafePathError):
        send_file("pipe", root=root)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_inside_the_folder_is_followed(root: Path) -> None:
    """What is refused is leaving the folder, not linking."""
    (root / "latest.pdf").symlink_to(root / "docs" / "report.pdf")
    assert resolve_inside("latest.pdf", root).name == "report.pdf"


def test_an_active_type_is_shown_in_a_sandbox(root: Path) -> None:
    """HTML and SVG from a folder run no script in our origin."""
    shown = send_file("page.html", root=root, disposition="inline")
    assert shown.headers["content-security-policy"] == "sandbox"
    assert shown.headers["content-disposition"] == 'inline; filename="page.html"'
    assert "content-security-policy" not in send_file("page.html", root=root).headers
    assert "content-security-policy" not in send_data(b"", filename="a.png", disposition="inline").headers


def test_bytes_are_sent_with_a_name() -> None:
    """The type comes from the name, or from the caller."""
    response = send_data(b"a,b", filename="numbers.csv")
    assert (response.body, response.media_type) == (b"a,b", "text/csv")
    assert response.headers["content-disposition"] == 'attachment; filename="numbers.csv"'
    assert send_data(b"", filename="x.unknownkind").media_type == "application/octet-stream"
    assert (
        send_data(b"", filename="x", media_type="text/html").headers["content-type"].startswith("text/html")
    )


def test_an_unknown_disposition_is_refused() -> None:
    """A header is never made from a word that we do not know."""
    with pytest.raises(ValueError, match="'attachment' or 'inline'"):
        send_data(b"", filename="a", disposition="x\r\nX-Evil: 1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.txt", 'attachment; filename="a.txt"'),
        ("naïve.txt", "attachment; filename=\"naive.txt\"; filename*=UTF-8''na%C3%AFve.txt"),
        ("€ rates.txt", "attachment; filename=\"rates.txt\"; filename*=UTF-8''%E2%82%AC%20rates.txt"),
        ("日本", "attachment; filename=\"download\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC"),
        ('a"b;c.txt', "attachment; filename=\"a_b_c.txt\"; filename*=UTF-8''a%22b%3Bc.txt"),
        ("../../etc/passwd", 'attachment; filename="passwd"'),
        ("C:\\dir\\a.txt", 'attachment; filename="a.txt"'),
        ("", 'attachment; filename="download"'),
        ("..", 'attachment; filename="download"'),
        ("a\r\nX-Evil: 1", 'attachment; filename="aX-Evil: 1"'),
        ("invoice\u202efdp.exe", 'attachment; filename="invoicefdp.exe"'),
        ("a\ud800.txt", 'attachment; filename="a.txt"'),
        ("a%41.txt", "attachment; filename=\"a_41.txt\"; filename*=UTF-8''a%2541.txt"),
    ],
)
def test_any_name_makes_a_well_formed_header(name: str, header: str) -> None:
    """RFC 6266 for everybody, RFC 8187 beside it when the name is more than ASCII."""
    assert content_disposition("attachment", name) == header


LINE_ENDS = [
    "\r\n",
    "\n",
    "\r",
    "\x0b",
    "\x0c",
    "\x85",
    "\u2028",
    "\u2029",
    "\x00",
    "\u560a",
    "\u560d",
    "%0d%0a",
    "\\r\\n",
]


@pytest.mark.parametrize("end", LINE_ENDS)
@pytest.mark.parametrize("tail", ["X-Evil: 1", "Set-Cookie: a=b", "\r\n<script>", 'x"; filename="evil.exe'])
def test_no_line_end_in_a_name_makes_a_header(end: str, tail: str) -> None:
    """The whole of the name stays inside one quoted value (T34)."""
    response = send_data(b"", filename=f"a{end}{tail}")
    names = {name for name, _ in response.raw_headers}
    assert names == {b"content-disposition", b"x-content-type-options", b"content-length", b"content-type"}
    value = response.headers["content-disposition"]
    assert value.isascii()
    assert value.isprintable()
    assert value.count('"') == 2
    assert re.sub(r'"[^"]*"', "", value).count("filename=") == 1
