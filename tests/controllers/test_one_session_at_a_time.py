"""A request whose callback refuses it opens one session at a time: two would wait for each other."""

from pathlib import Path as File
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Path
from sqlalchemy import text

from lineside.controllers import Controller, before_action
from lineside.models.fastapi import SessionDep, install_database
from lineside.routing import resources
from lineside.testing import TestApp


async def get_user(session: SessionDep) -> int:
    """Ask the database, which takes SQLite's lock to write."""
    return int((await (await session.connection()).execute(text("SELECT 1"))).scalar_one())


class DogsController(Controller):
    """Its first callback uses the session, its second has a parameter that may be invalid."""

    @before_action()
    async def find_user(self, user: Annotated[int, Depends(get_user)]) -> None:
        self.user = user

    @before_action()
    async def find_dog(self, dog_id: Annotated[int, Path(ge=1)]) -> None:
        self.dog = dog_id

    async def destroy(self, session: SessionDep) -> None:
        """Delete."""


@pytest.mark.parametrize(("key", "status"), [(1, 204), (0, 422)])
def test_an_invalid_parameter_behind_a_session(tmp_path: File, key: int, status: int) -> None:
    """The errors are looked for when the first session is closed."""
    app = FastAPI()
    install_database(app, f"sqlite:///{tmp_path / 'dogs.sqlite3'}")
    resources(app, "dogs", DogsController, only=["destroy"], param="dog_id")
    with TestApp(app) as client:
        client.delete(f"/dogs/{key}").assert_status(status)
