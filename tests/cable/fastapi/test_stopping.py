"""A server that is told to stop does so, although somebody listens to an event stream."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.anyio

APP = """
from fastapi import FastAPI
from lineside.cable import Channel
from lineside.cable.fastapi import cable_router

class News(Channel):
    public = True

    async def subscribed(self) -> None:
        await self.stream_from("news")

app = FastAPI()
app.include_router(cable_router([News]), prefix="/cable")
"""


@pytest.mark.parametrize("command", [["uvicorn", "--log-level=error"], ["lineside", "server"]])
async def test_a_server_stops_with_an_open_event_stream(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "news_app.py").write_text(APP)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name(command[0]),
        *command[1:],
        "news_app:app",
        f"--port={port}",
        cwd=tmp_path,
    )
    try:
        reader, writer = await asyncio.wait_for(_connected(port), 30)
        writer.write(b"GET /cable/events?channel=News HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"confirm_subscription"), 10)
        process.send_signal(signal.SIGTERM)
        rest = await asyncio.wait_for(reader.read(), 20)
        assert b"server_restart" in rest
        assert rest.endswith(b"0\r\n\r\n")
        writer.close()
        assert await asyncio.wait_for(process.wait(), 20) in (0, -signal.SIGTERM)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
