"""Lineside(app): starting and stopping, around the app's own lifespan."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request

from lineside.application import Lineside
from lineside.testing import TestApp


class TestLifespan:
    """Starting and stopping: ours around the app's own."""

    @staticmethod
    def hooked(app: FastAPI, happened: list[str], **settings: Any) -> Lineside:
        """Install hooks of both kinds that note when they run."""
        lineside = Lineside(app, settings)

        @lineside.before_start
        async def before_start() -> None:
            happened.append("before_start")

        @lineside.after_start
        def after_start() -> None:
            happened.append("after_start")

        @lineside.before_stop
        async def before_stop() -> None:
            happened.append("before_stop")

        @lineside.after_stop
        def after_stop() -> None:
            happened.append("after_stop")

        return lineside

    ORDER = ("before_start", "start", "after_start", "request", "before_stop", "stop", "after_stop")

    def test_hooks_run_around_the_lifespan_of_the_app(self) -> None:
        """Sync and async hooks run in Gor's order, and the app's lifespan= keeps its state."""
        happened: list[str] = []

        @asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncGenerator[dict[str, str]]:
            happened.append("start")
            yield {"colour": "red"}
            happened.append("stop")

        app = FastAPI(lifespan=lifespan)

        @app.get("/")
        async def home(request: Request) -> str:
            happened.append("request")
            return str(request.state.colour)

        self.hooked(app, happened)
        with TestApp(app) as client:
            client.get("/").assert_json("red")
        assert tuple(happened) == self.ORDER

    @pytest.mark.filterwarnings("ignore:(?s).*on_event is deprecated:DeprecationWarning")
    def test_on_event_goes_on_working(self) -> None:
        """An app of the older style is started and stopped inside our hooks."""
        happened: list[str] = []
        app = FastAPI()

        @app.on_event("startup")
        async def start() -> None:
            happened.append("start")

        @app.on_event("shutdown")
        def stop() -> None:
            happened.append("stop")

        self.hooked(app, happened)
        with TestApp(app):
            happened.append("request")
        assert tuple(happened) == self.ORDER

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_lifespans_of_included_routers_run(self, when: str) -> None:
        """A router that brings a lifespan is started, whether it was included before or after."""
        happened: list[str] = []

        @asynccontextmanager
        async def lifespan(app: Any) -> AsyncGenerator[None]:
            happened.append("start")
            yield
            happened.append("stop")

        app, router = FastAPI(), APIRouter(lifespan=lifespan)
        if when == "before":
            app.include_router(router)
        self.hooked(app, happened)
        if when == "after":
            app.include_router(router)
        with TestApp(app):
            happened.append("request")
        assert sorted(happened) == sorted(self.ORDER)
        assert happened.index("start") < happened.index("request") < happened.index("stop")
        assert happened[0] == "before_start"
        assert happened[-1] == "after_stop"

    def test_several_hooks_run_in_the_order_of_their_declaration(self) -> None:
        """Hooks of one moment run one after the other."""
        happened: list[int] = []
        app = FastAPI()
        lineside = Lineside(app, {})
        for number in range(3):
            lineside.after_start(lambda number=number: happened.append(number))  # type: ignore[misc]
        with TestApp(app):
            assert happened == [0, 1, 2]

    def test_a_failing_before_start_refuses_the_start(self) -> None:
        """Neither the app's lifespan nor a later hook has begun."""
        happened: list[str] = []
        app = FastAPI()
        lineside = self.hooked(app, happened)

        @lineside.before_start
        def refuse() -> None:
            raise RuntimeError("no licence")

        with pytest.raises(RuntimeError, match="no licence"):
            TestApp(app).__enter__()
        assert happened == ["before_start"]

    def test_a_failing_after_start_stops_what_had_started(self) -> None:
        """The app's own lifespan ends, and after_stop runs."""
        happened: list[str] = []

        @asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
            try:
                yield
            finally:
                happened.append("stop")

        app = FastAPI(lifespan=lifespan)
        lineside = self.hooked(app, happened)

        @lineside.after_start
        def refuse() -> None:
            raise RuntimeError("no licence")

        with pytest.raises(BaseException, match="no licence"):
            TestApp(app).__enter__()
        assert happened == ["before_start", "after_start", "stop", "after_stop"]

    @pytest.mark.anyio
    async def test_all_stop_hooks_run_though_one_raises(self) -> None:
        """One clean-up that fails costs the others nothing, and is not hidden."""
        happened: list[str] = []
        app = FastAPI()
        lineside = Lineside(app, {})

        @lineside.before_stop
        def broken() -> None:
            raise OSError("disk full")

        self.hooked(app, happened)
        with pytest.raises(ExceptionGroup, match="before_stop hooks failed") as caught:
            async with lineside.started():
                pass
        assert [str(error) for error in caught.value.exceptions] == ["disk full"]
        assert happened[-2:] == ["before_stop", "after_stop"]

    @pytest.mark.anyio
    async def test_started_is_for_scripts(self, tmp_path: Path) -> None:
        """Without a server, ``started()`` runs the lifespan and leaves the database open in between."""
        happened: list[str] = []
        app = FastAPI()
        url = f"sqlite:///{tmp_path / 'app.sqlite3'}"
        lineside = self.hooked(app, happened, database={"url": url})
        async with lineside.started():
            assert happened == ["before_start", "after_start"]
            async with lineside.database.session() as session:
                assert (await session.connection()).dialect.name == "sqlite"
        assert happened[-1] == "after_stop"

    def test_an_app_can_be_started_twice(self) -> None:
        """A second test client starts it again, hooks included."""
        happened: list[str] = []
        app = FastAPI()
        self.hooked(app, happened, database={"url": "sqlite://"})
        for _ in range(2):
            with TestApp(app):
                pass
        assert happened == ["before_start", "after_start", "before_stop", "after_stop"] * 2
