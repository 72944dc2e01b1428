"""Line ends in names, targets, cookies and headers, against a real server and a raw socket (T34, W13)."""

import socket
import threading
from collections.abc import Iterator
from urllib.parse import quote

import pytest
import uvicorn
from fastapi import FastAPI, Response

from lineside.problems import install_error_handlers
from lineside.views import redirect_to, send_data

LINE_ENDS = [
    "\r\n",
    "\n",
    "\r",
    "\x0b",
    "\x0c",
    "\x00",
    "\x85",
    "\u2028",
    "\u2029",
    "\u560d\u560a",
    "\r\n\r\n",
]
INJECTED = ["X-Evil: 1", "Set-Cookie: evil=1", "Content-Length: 0", "HTTP/1.1 200 OK"]
SENSITIVE = (b"x-evil:", b"set-cookie: evil", b"content-length: 0", b"http/1.1 200 ok")


def build() -> FastAPI:
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/redirect")
    def redirect(value: str) -> Response:
        return redirect_to(value)

    @app.get("/download")
    def download(value: str) -> Response:
        return send_data(b"x", filename=value)

    @app.get("/inline")
    def inline(value: str) -> Response:
        return send_data(b"x", filename=value, disposition="inline")

    return app


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    """A uvicorn server on a free port of this machine, stopped at the end."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(build(), http="h11", ws="none", lifespan="off", log_level="critical")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield listening.getsockname()
        server.should_exit = True
        thread.join(timeout=30)
        assert not thread.is_alive()


def raw_head(address: tuple[str, int], target: str) -> bytes:
    """Send one request and return the head of the answer, byte for byte."""
    request = f"GET {target} HTTP/1.1\r\nHost: ours.example\r\nConnection: close\r\n\r\n"
    received = b""
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(request.encode("ascii"))
        while piece := connection.recv(65_536):
            received += piece
    return received.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize("route", ["redirect", "download", "inline"])
@pytest.mark.parametrize("end", LINE_ENDS)
def test_no_line_end_from_outside_makes_a_header(address: tuple[str, int], route: str, end: str) -> None:
    """The answer has exactly the headers of a harmless one; a redirect is refused with 400."""
    for injected in INJECTED:
        head = raw_head(address, f"/{route}?value={quote(f'/a{end}{injected}', safe='')}")
        status, *headers = head.split(b"\r\n")
        expected = b" 400 " if route == "redirect" else b" 200 "
        assert expected in status
        assert not any(line.lower().startswith(SENSITIVE) for line in headers)
        assert not any(byte in head.replace(b"\r\n", b"") for byte in b"\r\n\x00")
        names = {line.split(b":")[0].lower() for line in headers}
        assert names <= {
            b"date", b"server", b"connection", b"content-length", b"content-type", b"content-disposition",
            b"x-content-type-options",
        }  # fmt: skip


def test_a_harmless_value_passes(address: tuple[str, int]) -> None:
    """The routes do answer: without this, the test above could pass on errors alone."""
    assert b"location: /posts" in raw_head(address, "/redirect?value=/posts")
    assert b'filename="a.txt"' in raw_head(address, "/download?value=a.txt")
