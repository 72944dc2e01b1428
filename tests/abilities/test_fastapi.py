"""Abilities as dependencies: 403 with its reason in any FastAPI app, on HTTP and WebSocket."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request, WebSocket
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from lineside.abilities import Ability, AuthorizationLedger, Rules
from lineside.abilities.fastapi import ability_for, ability_of, authorize, authorize_any
from lineside.exceptions import AccessDeniedError, ConfigurationError, RecordNotFound
from lineside.problems import error_handlers


@dataclass
class Post:
    id: int
    author_id: int
    locked: bool = False


POSTS = {1: Post(1, author_id=7), 2: Post(2, author_id=8), 3: Post(3, author_id=7, locked=True)}


def define(user_id: int | None, rules: Rules) -> None:
    rules.can("read", Post)
    if user_id is not None:
        rules.can("update", Post, author_id=user_id)
        rules.can("create", Post)
        rules.cannot("update", Post, locked=True, reason="the post is locked")


async def current_user(x_user: Annotated[int | None, Header()] = None) -> int | None:
    return x_user


async def load_post(id: int) -> Post:
    if id not in POSTS:
        raise RecordNotFound("Post", id)
    return POSTS[id]


CurrentAbility = Annotated[Ability, Depends(ability_for(define, user=current_user))]
HidingAbility = Annotated[Ability, Depends(ability_for(define, user=current_user, hide=True))]

router = APIRouter()


@router.patch("/posts/{id}")
async def update(id: int, ability: CurrentAbility) -> int:
    return ability.authorize("update", POSTS[id]).id


@router.patch("/hidden/{id}")
async def update_hidden(ability: HidingAbility, post: Annotated[Post, Depends(load_post)]) -> int:
    return ability.authorize("update", post).id


MayUpdate = Depends(authorize("update", load_post, ability=CurrentAbility))


@router.patch("/authorized/{id}")
async def update_authorized(post: Annotated[Post, MayUpdate]) -> int:
    return post.id


@router.patch(
    "/quiet/{id}", dependencies=[Depends(authorize("update", load_post, ability=CurrentAbility, hide=True))]
)
async def update_quietly(id: int) -> int:
    return id


@router.post("/posts", dependencies=[Depends(authorize_any("create", Post, ability=CurrentAbility))])
async def create() -> str:
    return "created"


@router.get("/forgotten")
async def forgotten(ability: CurrentAbility) -> str:
    return "nobody asked"


@router.websocket("/ws/{id}")
async def socket(websocket: WebSocket, id: int, ability: CurrentAbility) -> None:
    await websocket.accept()
    ability.authorize("update", POSTS[id])
    await websocket.send_json({"allowed": id})
    await websocket.close()


@router.websocket("/ws-hidden/{id}")
async def socket_hidden(websocket: WebSocket, id: int, ability: HidingAbility) -> None:
    await websocket.accept()
    ability.authorize("update", POSTS[id])


@pytest.fixture
def client() -> TestClient:
    """Give a client of a plain FastAPI app, with nothing of ours installed."""
    app = FastAPI()
    app.include_router(router)
    return TestClient(app)


AS_AUTHOR = {"x-user": "7"}


@pytest.mark.parametrize("path", ["/posts", "/authorized"])
def test_a_refusal_is_403_with_its_reason(client: TestClient, path: str) -> None:
    """A plain app answers FastAPI's own shape, in a route and in a dependency."""
    assert client.patch(f"{path}/1", headers=AS_AUTHOR).json() == 1
    for number, detail in {2: "you may not update Post", 3: "the post is locked"}.items():
        response = client.patch(f"{path}/{number}", headers=AS_AUTHOR)
        assert (response.status_code, response.json()) == (403, {"detail": detail})
    assert client.patch(f"{path}/1").status_code == 403


def test_hidden_and_missing_are_the_same_404(client: TestClient) -> None:
    """With `hide`, a refusal cannot be told from a row that does not exist."""
    hidden = client.patch("/hidden/2", headers=AS_AUTHOR)
    missing = client.patch("/hidden/999", headers=AS_AUTHOR)
    assert hidden.status_code == missing.status_code == 404
    assert hidden.content == missing.content == b'{"detail":"Not Found"}'
    assert client.patch("/hidden/1", headers=AS_AUTHOR).json() == 1


def test_a_dependency_can_hide_too(client: TestClient) -> None:
    """`authorize(..., hide=True)` answers 404 on this route alone, for hidden and missing alike."""
    hidden = client.patch("/quiet/2", headers=AS_AUTHOR)
    assert (hidden.status_code, hidden.json()) == (404, {"detail": "Not Found"})
    assert client.patch("/quiet/1", headers=AS_AUTHOR).json() == 1


def test_a_missing_row_is_404_without_any_handler(client: TestClient) -> None:
    """RecordNotFound behind the ability answers as well."""
    response = client.patch("/authorized/999", headers=AS_AUTHOR)
    assert (response.status_code, response.json()) == (404, {"detail": "no Post with key 999"})


def test_authorize_any_guards_a_route_without_an_object(client: TestClient) -> None:
    """A guest may create nothing; a user may."""
    assert client.post("/posts").status_code == 403
    assert client.post("/posts", headers=AS_AUTHOR).json() == "created"


def test_an_app_that_handles_the_error_sees_the_error() -> None:
    """A handler of the app is used, ours or its own."""
    app = FastAPI(exception_handlers=error_handlers())
    app.include_router(router)
    problem = TestClient(app).patch("/posts/2", headers={**AS_AUTHOR, "accept": "application/problem+json"})
    assert problem.headers["content-type"] == "application/problem+json"
    assert (problem.status_code, problem.json()["detail"]) == (403, "you may not update Post")

    own = FastAPI()
    own.include_router(router)

    @own.exception_handler(AccessDeniedError)
    async def denied(_: Request, error: AccessDeniedError) -> JSONResponse:
        return JSONResponse({"action": error.action}, status_code=403)

    assert TestClient(own).patch("/posts/2", headers=AS_AUTHOR).json() == {"action": "update"}


def test_a_websocket_is_closed_with_the_reason(client: TestClient) -> None:
    """1008 with the reason; hidden says no more than Not Found."""
    with client.websocket_connect("/ws/1", headers=AS_AUTHOR) as websocket:
        assert websocket.receive_json() == {"allowed": 1}
    for path, reason in {"/ws/3": "the post is locked", "/ws-hidden/3": "Not Found"}.items():
        with client.websocket_connect(path, headers=AS_AUTHOR) as websocket:
            with pytest.raises(WebSocketDisconnect) as closed:
                websocket.receive_json()
            assert (closed.value.code, closed.value.reason) == (1008, reason)


def test_a_route_without_a_user_has_a_guest() -> None:
    """`ability_for` without `user=` treats everybody as a guest."""
    app = FastAPI()

    @app.get("/")
    async def ask(ability: Annotated[Ability, Depends(ability_for(define))]) -> list[bool]:
        return [ability.can("read", POSTS[1]), ability.can("update", POSTS[1])]

    assert TestClient(app).get("/").json() == [True, False]


def test_the_user_may_be_an_annotated_alias_and_have_roles() -> None:
    """`user=CurrentUser` is the same as `user=get_user`; roles and role_of pass through."""
    app = FastAPI()
    CurrentUser = Annotated[int | None, Depends(current_user)]
    dependency = ability_for(
        user=CurrentUser,
        roles={"author": lambda _, rules: rules.can("update", Post)},
        role_of=lambda _: "author",
    )

    @app.get("/")
    async def ask(ability: Annotated[Ability, Depends(dependency)]) -> list[Any]:
        return [ability.user, ability.can("update", POSTS[1])]

    client = TestClient(app)
    assert client.get("/", headers=AS_AUTHOR).json() == [7, True]
    assert client.get("/").json() == [None, False]


def test_dependency_overrides_reach_the_user(client: TestClient) -> None:
    """A test replaces the user where FastAPI has it."""
    client.app.dependency_overrides[current_user] = lambda: 8  # type: ignore[attr-defined]
    assert client.patch("/posts/2").json() == 2


def test_nothing_of_a_dependency_is_in_the_schema(client: TestClient) -> None:
    """The ability adds no parameter; those of the app's own dependencies stay."""
    operation = client.get("/openapi.json").json()["paths"]["/authorized/{id}"]["patch"]
    assert {parameter["name"] for parameter in operation["parameters"]} == {"id", "x-user"}


def test_the_ability_of_a_request_can_be_found_again() -> None:
    """Code that has only the request finds its ability; without the dependency it says what to add."""
    app = FastAPI()

    @app.get("/with")
    async def with_ability(request: Request, ability: CurrentAbility) -> bool:
        return ability_of(request) is ability

    @app.get("/without")
    async def without_ability(request: Request) -> None:
        ability_of(request)

    client = TestClient(app)
    assert client.get("/with").json() is True
    with pytest.raises(ConfigurationError, match="add the dependency"):
        client.get("/without")


def test_the_ledger_names_routes_that_never_asked() -> None:
    """With a ledger, a plain app gets the report of forgotten checks."""
    ledger = AuthorizationLedger()
    app = FastAPI()
    Watched = Annotated[Ability, Depends(ability_for(define, user=current_user, ledger=ledger))]

    @app.get("/asks")
    async def asks(ability: Watched) -> bool:
        return ability.can("update", POSTS[2])

    @app.get("/forgets")
    async def forgets(ability: Watched) -> None: ...

    client = TestClient(app)
    client.get("/asks")
    client.get("/forgets")
    (name,) = ledger.unauthorized()
    assert name.endswith("forgets")


def test_wrong_dependencies_are_refused_when_the_route_is_written() -> None:
    """A class is no loader of objects, a value is no dependency."""
    with pytest.raises(ConfigurationError, match=r"authorize_any\('create', Post"):
        authorize("create", Post, ability=CurrentAbility)
    for wrong in (7, Annotated[int, "nothing"]):
        with pytest.raises(ConfigurationError, match="user= takes a dependency"):
            ability_for(define, user=wrong)


def test_other_errors_pass_through() -> None:
    """An HTTPException of the route stays what it is."""
    app = FastAPI()

    @app.get("/")
    async def fails(ability: CurrentAbility) -> None:
        raise HTTPException(418, "teapot")

    assert TestClient(app).get("/").status_code == 418
