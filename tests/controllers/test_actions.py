"""Actions: what they may return, sync and async, files, options, what is reachable."""

import threading
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, File, Response, UploadFile
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel

from lineside.controllers import Controller, action, before_action
from lineside.controllers.endpoints import ControllerRoute, actions_of, endpoint_for, plan
from lineside.exceptions import AccessDeniedError, ConfigurationError, RoutingError
from lineside.routing import resources


class Pair(BaseModel):
    """A response with a part that may be missing."""

    a: int
    b: int | None = None


def client_for(controller: type[Controller], **options: Any) -> TestClient:
    """Route a controller as `/items`."""
    app = FastAPI()
    resources(app, "items", controller, **options)
    return TestClient(app)


def test_none_as_return_type_is_204() -> None:
    """`-> None` means that there is no body, in the answer and in OpenAPI."""

    class Items(Controller):
        async def destroy(self, id: int) -> None: ...

    client = client_for(Items)
    response = client.delete("/items/1")
    assert (response.status_code, response.content) == (204, b"")
    assert set(client.get("/openapi.json").json()["paths"]["/items/{id}"]["delete"]["responses"]) == {
        "204",
        "422",
    }


def test_a_status_of_its_own_goes_with_none() -> None:
    """`action(status_code=)` wins over the 204."""

    class Items(Controller):
        @action(status_code=202)
        async def create(self) -> None: ...

    assert client_for(Items).post("/items").status_code == 202


def test_create_is_201_and_others_are_200() -> None:
    """`create` answers 201 in the response and in OpenAPI."""

    class Items(Controller):
        async def index(self) -> int:
            return 1

        async def create(self) -> int:
            return 1

    client = client_for(Items)
    assert (client.get("/items").status_code, client.post("/items").status_code) == (200, 201)


def test_a_sync_action_runs_in_a_thread() -> None:
    """A plain `def` does not block the event loop, with and without callbacks."""
    threads: dict[str, int] = {}

    class Plain(Controller):
        @before_action()
        async def here(self) -> None:
            threads["loop"] = threading.get_ident()

        def index(self) -> int:
            threads["index"] = threading.get_ident()
            return 1

    assert client_for(Plain).get("/items").json() == 1
    assert threads["loop"] != threads["index"]


def test_options_of_fastapi() -> None:
    """`action` takes what a path operation decorator takes."""

    class Items(Controller):
        @action(
            summary="Everything",
            tags=["things"],
            deprecated=True,
            operation_id="everything",
            response_model_exclude_none=True,
            responses={404: {"description": "Nothing"}},
        )
        async def index(self) -> Pair:
            """List all."""
            return Pair(a=1)

        @action(response_class=HTMLResponse)
        async def new(self) -> str:
            return "<form>"

        @action(include_in_schema=False)
        async def edit(self, id: int) -> int:
            return id

    client = client_for(Items)
    paths = client.get("/openapi.json").json()["paths"]
    index = paths["/items"]["get"]
    assert (index["summary"], index["tags"], index["deprecated"]) == ("Everything", ["things"], True)
    assert (index["operationId"], index["description"]) == ("everything", "List all.")
    assert index["responses"]["404"] == {"description": "Nothing"}
    assert client.get("/items").json() == {"a": 1}
    assert client.get("/items/new").headers["content-type"].startswith("text/html")
    assert "/items/{id}/edit" not in paths


def test_a_returned_response_is_sent_as_it_is() -> None:
    """An action may answer with any response."""

    class Items(Controller):
        async def index(self) -> Response:
            return Response("plain", 203, media_type="text/plain")

    response = client_for(Items).get("/items")
    assert (response.status_code, response.text) == (203, "plain")


def test_upload_and_download(tmp_path: Path) -> None:
    """Files go in as `UploadFile` and come out as `FileResponse`, behind callbacks of both kinds."""

    class Files(Controller):
        @before_action()
        async def early(self) -> None: ...

        @before_action(only=["create"])
        async def late(self, page: int = 1) -> None: ...

        async def create(self, file: UploadFile, note: Annotated[bytes | None, File()] = None) -> int:
            target = tmp_path / "stored"
            target.write_bytes(await file.read())
            return target.stat().st_size

        async def show(self, id: str) -> FileResponse:
            return FileResponse(tmp_path / "stored", filename=f"{id}.txt")

    client = client_for(Files)
    assert client.post("/items", files={"file": ("a.txt", b"hello")}).json() == 5
    response = client.get("/items/report")
    assert response.content == b"hello"
    assert response.headers["content-disposition"] == 'attachment; filename="report.txt"'


def test_only_what_a_class_of_the_user_defines_is_an_action() -> None:
    """Private methods, callbacks, classes and what `Controller` has are out of reach."""

    class Items(Controller):
        limit = 3

        class Inner:
            pass

        @before_action()
        async def check(self) -> None: ...

        @staticmethod
        def shared() -> int:
            return 1

        @classmethod
        def made(cls) -> int:
            return 1

        async def index(self) -> int:
            return self._helper()

        def _helper(self) -> int:
            return self.limit

    assert actions_of(Items) == ("index",)
    with pytest.raises(RoutingError, match=r"\['authorize'\]; its actions are \['index'\]"):
        client_for(Items, member={"authorize": "POST"})


@pytest.mark.parametrize("name", ["*args", "**kwargs"])
def test_an_open_list_of_parameters_is_an_error(name: str) -> None:
    """No request can fill `*args`: the message names it."""

    async def with_args(self: Any, *args: int) -> int:
        return 1

    async def with_kwargs(self: Any, **kwargs: int) -> int:
        return 1

    members = {"index": with_args if name == "*args" else with_kwargs}
    with pytest.raises(RoutingError, match=r"`\*.*` cannot come from a request"):
        client_for(type("Items", (Controller,), members))


def test_authorize_asks_the_ability_of_the_controller() -> None:
    """Without an ability it is an error of the developer, never a pass."""

    class Refusing:
        def authorize(self, action: str, subject: Any) -> None:
            raise AccessDeniedError(action, subject)

    class Items(Controller):
        ability: Any = Refusing()

        async def index(self) -> int:
            self.authorize("read", "Item")
            return 1

    class Forgotten(Controller):
        async def index(self) -> int:
            self.authorize("read", "Item")
            return 1

    assert client_for(Items).get("/items").status_code == 403
    assert client_for(Forgotten).get("/items").status_code == 500
    with pytest.raises(ConfigurationError, match="declare the attribute `ability"):
        Forgotten().authorize("read", "Item")


def test_an_endpoint_without_routing() -> None:
    """`plan`, `endpoint_for` and `ControllerRoute` serve a router of one's own."""

    class Clock(Controller):
        @before_action()
        async def check(self) -> Response | None:
            return Response(status_code=401) if "anonymous" in self.request.headers else None

        async def show(self, zone: str = "utc") -> dict[str, str]:
            return {"zone": zone, "action": self.action_name}

    app = FastAPI()
    endpoint = endpoint_for(plan(Clock, "show"))
    app.router.add_api_route("/clock", endpoint, route_class_override=ControllerRoute)
    client = TestClient(app)
    assert client.get("/clock?zone=cet").json() == {"zone": "cet", "action": "show"}
    assert client.get("/clock", headers={"anonymous": "1"}).status_code == 401
