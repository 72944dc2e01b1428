"""Uploads to disk: our name, the limit while writing, nothing left behind (T12)."""

import io
import stat
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastapi import FastAPI, UploadFile
from fastapi.testclient import TestClient

from lineside.exceptions import PayloadTooLargeError
from lineside.problems import error_handlers
from lineside.views import save_upload

pytestmark = pytest.mark.anyio


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


class Endless(io.BytesIO):
    """A file that never ends and counts what was read of it."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.taken += size or 0
        return b"x" * (size or 0)


class Failing(io.BytesIO):
    """A file that fails in the middle."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise OSError("the spool is gone")
        return super().read(size)


async def test_a_file_is_written_under_a_name_of_ours(tmp_path: Path) -> None:
    """The client's name is kept for display and decides nothing."""
    upload = UploadFile(io.BytesIO(b"hello" * 50_000), filename="../../evil.sh")
    saved = await save_upload(upload, tmp_path, max_bytes=250_000)
    assert saved.path.parent == tmp_path
    assert saved.path.read_bytes() == b"hello" * 50_000
    assert (saved.name, saved.size) == ("../../evil.sh", 250_000)
    assert len(saved.path.name) == 32
    assert saved.path.name.isalnum()
    assert stat.S_IMODE(saved.path.stat().st_mode) == 0o600


async def test_two_uploads_of_one_name_do_not_meet(tmp_path: Path) -> None:
    """Names are random."""
    paths = {
        (await save_upload(UploadFile(io.BytesIO(b"x"), filename="a"), tmp_path, max_bytes=1)).path
        for _ in "ab"
    }
    assert len(paths) == 2


async def test_a_file_over_the_limit_leaves_nothing(tmp_path: Path) -> None:
    """Reading stops at the limit plus one chunk; the folder is empty after."""
    source = Endless()
    with pytest.raises(PayloadTooLargeError, match="the uploaded file is larger than 100000 bytes"):
        await save_upload(UploadFile(source), tmp_path, max_bytes=100_000)
    assert source.taken <= 100_000 + 64 * 1024
    assert not files_in(tmp_path)


async def test_a_read_error_leaves_nothing(tmp_path: Path) -> None:
    """Half a file is no file."""
    with pytest.raises(OSError, match="the spool is gone"):
        await save_upload(UploadFile(Failing(b"x" * 100_000)), tmp_path, max_bytes=1_000_000)
    assert not files_in(tmp_path)


async def test_a_cancelled_request_leaves_nothing(tmp_path: Path) -> None:
    """The client went away while we were writing."""
    reading = anyio.Event()

    class Slow(UploadFile):
        async def read(self, size: int = -1) -> bytes:
            if self.filename == "started":
                reading.set()
                await anyio.sleep_forever()
            self.filename = "started"
            return b"x" * size

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:

            async def save() -> None:
                await save_upload(Slow(io.BytesIO()), tmp_path, max_bytes=10_000_000)

            group.start_soon(save)
            await reading.wait()
            assert files_in(tmp_path)
            group.cancel_scope.cancel()
    assert not files_in(tmp_path)


async def test_a_missing_folder_is_the_developers_error(tmp_path: Path) -> None:
    """It is not made up; nothing is written elsewhere."""
    with pytest.raises(FileNotFoundError):
        await save_upload(UploadFile(io.BytesIO(b"x")), tmp_path / "missing", max_bytes=1)


def test_an_oversized_upload_is_answered_with_413(tmp_path: Path) -> None:
    """Through a route; one byte less is accepted."""
    app = FastAPI(exception_handlers=error_handlers())

    @app.post("/avatar")
    async def avatar(file: UploadFile) -> dict[str, Any]:
        saved = await save_upload(file, tmp_path, max_bytes=1_000)
        return {"name": saved.name, "size": saved.size, "type": saved.content_type}

    client = TestClient(app)
    accepted = client.post("/avatar", files={"file": ("me.png", b"x" * 1_000, "image/png")})
    assert accepted.json() == {"name": "me.png", "size": 1_000, "type": "image/png"}
    refused = client.post("/avatar", files={"file": ("me.png", b"x" * 1_001, "image/png")})
    assert refused.status_code == 413
    assert refused.json() == {"detail": "the uploaded file is larger than 1000 bytes; send less"}
    assert len(files_in(tmp_path)) == 1
