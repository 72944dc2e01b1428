"""`python -m examples.blog`: serve the adopted blog and the chat on 127.0.0.1, and say what to try.

PORT chooses the port (8000), BLOG_DATABASE_URL the database (a new one in a temporary folder).
"""

import os
import signal
import socket
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import NoReturn

import uvicorn

from examples.blog.after import create_app
from examples.chat.app import add_chat

HOST = "127.0.0.1"
TRIES = 50  # ports, from the one that was asked for
TRY = """
The blog is served on {url}  (Ctrl+C ends it)

Look at
  {url}/              the posts
  {url}/permissions   who may do what, asked from the rules
  {url}/docs          the API; "Authorize" takes one of the tokens
  {url}/chat          the chat: open it twice, and cut the network in between

Ada is an admin (ada-token), Ben an author (ben-token), Cleo a reader (cleo-token). Try
  curl -i -X DELETE {url}/posts/1                                           # 401: who are you?
  curl -i -X DELETE {url}/posts/1 -H 'Authorization: Bearer ben-token'      # 403, and the reason
  curl -i {url}/posts/1 -H 'Accept: image/png'                              # 406: JSON or text
  curl -i {url}/posts/1 -H 'Accept: text/plain'                             # the same post as text
  curl -i '{url}/posts?limit=0'                                             # 422, as FastAPI writes it
  curl -i '{url}/posts?limit=0' -H 'Accept: application/problem+json'       # the same as RFC 9457
  curl -i -X POST {url}/posts -H 'Authorization: Bearer ben-token' \\
       -H 'Content-Type: application/json' -d '{{"title": NaN, "body": "b"}}'  # 422; plain FastAPI: 500
  curl -s {url}/my/posts -H 'Authorization: Bearer ben-token'               # what Ben may change
  curl -s '{url}/feed?per_page=2'                                           # posts with their authors
  curl -s {url}/metrics                                                     # requests by route

In another terminal
  .venv/bin/lineside routes examples.blog.after:app
  .venv/bin/lineside config explain blog.page_size --directory examples/blog/config
"""


def listen(port: int) -> socket.socket:
    """Listen on a port, or on the next one that is free."""
    for candidate in range(port, min(port + TRIES, 65_536)):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, candidate))
            listener.listen()
        except OSError:
            listener.close()
            continue
        if candidate != port:
            print(f"Port {port} is taken; this is {candidate}.")
        return listener
    sys.exit(f"No port from {port} on is free: choose another with PORT=...")


def port_asked_for() -> int:
    asked = os.environ.get("PORT") or "8000"
    if not (asked.isdecimal() and int(asked) < 65_536):
        sys.exit(f"PORT={asked} is no port; give a number below 65536.")
    return int(asked)


def end(_signal: int, _frame: FrameType | None) -> NoReturn:
    """The end of a demo is a success; uvicorn raises the signal again when it has stopped."""
    sys.exit(0)


def main() -> None:
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with tempfile.TemporaryDirectory(prefix="blog-") as folder, listen(port_asked_for()) as listener:
        url = os.environ.get("BLOG_DATABASE_URL") or f"sqlite:///{Path(folder) / 'blog.sqlite3'}"
        app = create_app(url)
        add_chat(app)
        # A page that is left open keeps its socket: it is given a moment to end.
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        print(TRY.format(url=f"http://{HOST}:{listener.getsockname()[1]}"), flush=True)
        server.run(sockets=[listener])
    sys.exit(0 if server.started else 1)


if __name__ == "__main__":
    main()
