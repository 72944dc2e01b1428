"""`resources` and `resource`: the seven actions, filters, names, further actions."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, Query
from fastapi.testclient import TestClient

from lineside.controllers import Controller, action, before_action
from lineside.exceptions import RoutingError
from lineside.routing import namespace, path_for, resource, resources, route_list


class All(Controller):
    """Has all seven actions and two more; each answers with its name."""

    async def index(self) -> str:
        return "index"

    async def new(self) -> str:
        return "new"

    async def create(self) -> str:
        return "create"

    async def show(self, id: str) -> list[str]:
        return ["show", id]

    async def edit(self, id: str) -> list[str]:
        return ["edit", id]

    async def update(self, id: str) -> list[str]:
        return ["update", id]

    async def destroy(self, id: str) -> list[str]:
        return ["destroy", id]

    async def publish(self, id: str) -> list[str]:
        return ["publish", id]

    async def search(self, q: str = "") -> list[str]:
        return ["search", q]


class One(Controller):
    """A singular resource."""

    async def index(self) -> str:
        return "index"

    async def new(self) -> str:
        return "new"

    async def create(self) -> str:
        return "create"

    async def show(self) -> str:
        return "show"

    async def edit(self) -> str:
        return "edit"

    async def update(self) -> str:
        return "update"

    async def destroy(self) -> str:
        return "destroy"


def routes(app: FastAPI) -> set[str]:
    """Return the routes of an app as ``METHOD path name``, without FastAPI's own."""
    rows = [row for row in route_list(app) if "Controller" in row.target or row.target[0].isupper()]
    return {f"{' '.join(row.methods)} {row.path} {row.name}" for row in rows}


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "/posts", "index"),
        ("GET", "/posts/new", "new"),
        ("POST", "/posts", "create"),
        ("GET", "/posts/7", ["show", "7"]),
        ("GET", "/posts/7/edit", ["edit", "7"]),
        ("PATCH", "/posts/7", ["update", "7"]),
        ("PUT", "/posts/7", ["update", "7"]),
        ("DELETE", "/posts/7", ["destroy", "7"]),
    ],
)
def test_all_pairs_of_method_and_path_reach_their_action(method: str, path: str, answer: Any) -> None:
    """Eight routes reach seven actions, and `new` is not the post called "new"."""
    app = FastAPI()
    resources(app, "posts", All)
    assert TestClient(app).request(method, path).json() == answer


def test_names_are_those_of_rails() -> None:
    """Paths are made from the singular and plural names."""
    app = FastAPI()
    resources(app, "posts", All, member={"publish": "POST"}, collection={"search": "GET"})
    assert path_for(app, "posts") == "/posts"
    assert path_for(app, "new_post") == "/posts/new"
    assert path_for(app, "post", id=7) == "/posts/7"
    assert path_for(app, "edit_post", id=7) == "/posts/7/edit"
    assert path_for(app, "publish_post", id=7) == "/posts/7/publish"
    assert path_for(app, "search_posts") == "/posts/search"


@pytest.mark.parametrize(
    ("method", "answer"),
    [("GET", "show"), ("POST", "create"), ("PATCH", "update"), ("PUT", "update"), ("DELETE", "destroy")],
)
def test_a_singular_resource_has_no_parameter(method: str, answer: str) -> None:
    """Its member is the path itself; `index` has no route."""
    app = FastAPI()
    resource(app, "profile", One)
    client = TestClient(app)
    assert client.request(method, "/profile").json() == answer
    assert client.get("/profile/new").json() == "new"
    assert client.get("/profile/edit").json() == "edit"
    assert path_for(app, "edit_profile") == "/profile/edit"
    assert not [row for row in route_list(app) if row.target == "One.index"]


def test_a_singular_resource_refuses_what_has_no_meaning() -> None:
    """A parameter, a member or an index of a single thing is a mistake."""
    with pytest.raises(RoutingError, match=r"drop \['member', 'param'\]"):
        resource(FastAPI(), "profile", One, param="id", member={"publish": "POST"})
    with pytest.raises(RoutingError, match="'index'"):
        resource(FastAPI(), "profile", One, only=["index"])


@pytest.mark.parametrize("only", [["index", "show"], "index"])
def test_only_limits_the_actions(only: Any) -> None:
    """What `only` does not name has no route: 405 on a known path, 404 elsewhere."""
    app = FastAPI()
    resources(app, "posts", All, only=only)
    client = TestClient(app)
    assert client.get("/posts").status_code == 200
    assert client.post("/posts").status_code == 405
    assert client.get("/posts/7/edit").status_code == 404


@pytest.mark.parametrize("except_", [["destroy"], "destroy"])
def test_except_leaves_actions_out(except_: Any) -> None:
    """All but those named are routed."""
    app = FastAPI()
    resources(app, "posts", All, except_=except_)
    client = TestClient(app)
    assert client.delete("/posts/7").status_code == 405
    assert client.put("/posts/7").status_code == 200


def test_an_action_that_the_controller_lacks_has_no_route() -> None:
    """There is nothing to answer 501 with: the path is 404, the method 405."""

    class Reader(Controller):
        async def index(self) -> str:
            return "index"

    app = FastAPI()
    resources(app, "posts", Reader)
    client = TestClient(app)
    assert client.post("/posts").status_code == 405
    assert client.get("/posts/7").status_code == 404


@pytest.mark.parametrize(
    "options",
    [
        {"only": ["shwo"]},
        {"except_": ["shwo"]},
        {"member": {"shwo": "POST"}},
        {"collection": {"shwo": "GET"}},
    ],
)
def test_an_undefined_action_is_an_error_with_the_known_ones(options: Any) -> None:
    """A misspelled name would leave a route out, or open one."""
    with pytest.raises(RoutingError, match=r"All has no action \['shwo'\].*'index'.*'show'"):
        resources(FastAPI(), "posts", All, **options)


def test_only_may_not_name_an_action_without_a_route() -> None:
    """A further action needs its method: the message says where to put it."""
    with pytest.raises(RoutingError, match=r"\['publish'\].*`member=` or `collection=`"):
        resources(FastAPI(), "posts", All, only=["index", "publish"])


def test_member_and_collection_actions() -> None:
    """A collection action is tried before `show`; one action may have several methods."""
    app = FastAPI()
    resources(
        app,
        "posts",
        All,
        only=["show"],
        member={"publish": ["POST", "put"]},
        collection={"search": "GET"},
    )
    client = TestClient(app)
    assert client.get("/posts/search?q=a").json() == ["search", "a"]
    assert client.post("/posts/7/publish").json() == ["publish", "7"]
    assert client.put("/posts/7/publish").json() == ["publish", "7"]
    ids = [o["operationId"] for path in app.openapi()["paths"].values() for o in path.values()]
    assert sorted(ids) == ["posts_publish", "posts_publish_put", "posts_search", "posts_show"]


def test_path_param_and_singular_are_chosen() -> None:
    """Where English or the address differs, the user says so."""

    class Data(Controller):
        async def index(self) -> str:
            return "index"

        async def show(self, slug: str) -> str:
            return slug

    app = FastAPI()
    resources(app, "data", Data, path="records", param="slug", singular="datum")
    client = TestClient(app)
    assert client.get("/records").json() == "index"
    assert client.get("/records/a").json() == "a"
    assert path_for(app, "datum", slug="a") == "/records/a"


def test_tags_default_to_the_name() -> None:
    """OpenAPI groups by resource, or as it is told."""
    app = FastAPI()
    resources(app, "posts", All, only=["index"])
    resources(app, "tags", All, only=["index"], tags=["words"])
    resources(namespace(app, "admin", tags=["admin"]), "posts", All, only=["index"])
    paths = app.openapi()["paths"]
    assert [paths[path]["get"]["tags"] for path in ("/posts", "/tags", "/admin/posts")] == [
        ["posts"],
        ["words"],
        ["admin"],
    ]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/posts", 200), ("/posts/7/8", 404), ("/postsx", 404), ("/xposts", 404), ("/posts/7/edit/more", 404)],
)
def test_paths_match_whole(path: str, status: int) -> None:
    """A pattern matches neither a longer path nor a part of one."""
    app = FastAPI()
    resources(app, "posts", All)
    assert TestClient(app).get(path).status_code == status


def test_patterns_are_escaped() -> None:
    """A dot in a path is a dot."""
    app = FastAPI()
    resources(app, "files", All, path="a.b+c", only=["index"])
    client = TestClient(app)
    assert client.get("/a.b+c").status_code == 200
    assert client.get("/axbbc").status_code == 404


def test_wrong_method_is_405_with_allow() -> None:
    """FastAPI's own answer: the route that knows the path names its method."""
    app = FastAPI()
    resources(app, "posts", All, only=["index"])
    response = TestClient(app).delete("/posts")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_head_and_options_are_as_in_fastapi(method: str) -> None:
    """A controller's GET answers them as a plain path operation does."""
    app = FastAPI()
    resources(app, "posts", All, only=["index"])

    @app.get("/plain")
    async def plain() -> str:
        return "plain"

    client = TestClient(app)
    assert client.request(method, "/posts").status_code == client.request(method, "/plain").status_code


def test_routes_are_flat_on_the_app() -> None:
    """No router is included between the app and its resources."""
    app = FastAPI()
    before = len(app.routes)
    resources(app, "posts", All).resources("comments", All)
    assert len(app.routes) == before + 16


def test_an_operation_id_of_ones_own_stays_unique_over_methods() -> None:
    """PUT and PATCH reach one action, and a function may have several methods."""

    class Named(Controller):
        @action(operation_id="changeIt")
        async def update(self, id: str) -> str:
            return id

    app = FastAPI()
    resources(app, "posts", Named)

    @namespace(app, "admin").route("/both", methods=["GET", "POST"], operation_id="doBoth")
    async def both() -> None: ...

    operations = [found for path in app.openapi()["paths"].values() for found in path.values()]
    ids = sorted(operation["operationId"] for operation in operations)
    assert ids == ["changeIt", "changeIt_put", "doBoth", "doBoth_post"]


class Slugged(Controller):
    """Its members are found by `slug`, and `publish` still asks for `id`."""

    async def search(self, id: int) -> int:
        return id

    async def show(self, slug: str, id: Annotated[int, Query()] = 0) -> str:
        return f"{slug} {id}"

    async def update(self, slug: str, id: int = Query(default=1)) -> str:
        return f"{slug} {id}"

    async def publish(self, id: str) -> str:
        return id


def test_an_action_that_asks_for_id_where_the_path_has_another_parameter_is_an_error() -> None:
    """FastAPI would read `id` from the query, and every request would be a 422."""
    with pytest.raises(
        RoutingError,
        match=r"Slugged\.publish.*`id`.*/posts/\{post_id\}/ps/\{slug\}/publish.*'post_id', 'slug'.*"
        r"rename the action's parameter to slug, or drop param=",
    ):
        resources(FastAPI(), "posts", All).resources(
            "ps", Slugged, param="slug", member={"publish": "POST"}, only=[]
        )


def test_a_callback_that_asks_for_id_where_the_path_has_another_parameter_is_an_error() -> None:
    """The error names the callback; actions that it does not run before are no matter."""

    class Loading(Controller):
        @before_action(only=["show"])
        async def load(self, id: int) -> None: ...

        async def index(self) -> str:
            return "index"

        async def show(self, slug: str) -> str:
            return slug

    with pytest.raises(
        RoutingError, match=r"Loading\.show: its callback load takes `id`.*rename the callback's"
    ):
        resources(FastAPI(), "ps", Loading, param="slug")
    resources(FastAPI(), "ps", Loading, param="slug", only=["index"])


def test_an_id_that_says_where_it_comes_from_is_the_users_own() -> None:
    """Said in the annotation or in the default; and a collection's `id` is a query parameter as ever."""
    app = FastAPI()
    resources(app, "ps", Slugged, param="slug", except_=["publish"], collection={"search": "GET"})
    client = TestClient(app)
    assert client.get("/ps/a?id=7").json() == "a 7"
    assert client.patch("/ps/a").json() == "a 1"
    assert client.get("/ps/search?id=3").json() == 3


def test_an_id_in_the_path_in_front_of_a_resource_is_in_its_path() -> None:
    """A router's own prefix is a part of the path."""

    class Pages(Controller):
        async def show(self, id: int, slug: str) -> str:
            return f"{id} {slug}"

    router, app = APIRouter(prefix="/books/{id}"), FastAPI()
    resources(router, "pages", Pages, param="slug")
    app.include_router(router)
    assert TestClient(app).get("/books/7/pages/a").json() == "7 a"
