"""Declarations that would silently route something else are errors that say what to write."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from lineside.controllers import Controller, before_action
from lineside.exceptions import RoutingError
from lineside.routing import Resources, namespace, path_for, resource, resources, route_list, scope, versions


class Posts(Controller):
    """Has an action of the seven and two more."""

    async def show(self) -> str:
        return "shown"

    async def publish(self) -> str:
        return self.request.method

    async def search(self) -> str:
        return "found"


def guard() -> None:
    """Lets everybody in."""


def parent() -> Resources:
    """Route a resource for others to nest below it."""
    return resources(FastAPI(), "users", Posts)


WAYS: list[Callable[..., Any]] = [
    lambda *args, **options: resources(FastAPI(), *args, **options),
    lambda *args, **options: resource(FastAPI(), *args, **options),
    lambda *args, **options: parent().resources(*args, **options),
    lambda *args, **options: parent().resource(*args, **options),
]
ANY_WAY = pytest.mark.parametrize("declare", WAYS, ids=["plural", "singular", "nested", "nested singular"])
A_PLURAL_WAY = pytest.mark.parametrize("declare", WAYS[::2], ids=["plural", "nested"])


@ANY_WAY
def test_an_unknown_option_is_refused(declare: Callable[..., Any]) -> None:
    """A guard in an option that nobody reads would guard nothing; the error names what guards."""
    with pytest.raises(RoutingError) as caught:
        declare("posts", Posts, dependencies=[Depends(guard)])
    assert "('posts'): unknown option 'dependencies'; it takes collection, constraints, " in str(caught.value)
    for way in ("namespace(app, 'x', before=[...])", "@before_action", "APIRouter(dependencies=[...])"):
        assert way in str(caught.value)


def test_only_a_nested_plural_resource_can_be_shallow() -> None:
    """Elsewhere the option would have no effect."""
    options: Any = {"shallow": True}
    with pytest.raises(RoutingError, match=r"^resources\('posts'\): unknown option 'shallow'"):
        resources(FastAPI(), "posts", Posts, **options)
    with pytest.raises(RoutingError, match=r"^resource\('cover'\): unknown option 'shallow'"):
        parent().resource("cover", Posts, **options)


@A_PLURAL_WAY
@pytest.mark.parametrize("methods", ["POSTT", "", [], ["POST", "PSOT"]])
def test_an_unknown_method_is_refused(declare: Callable[..., Any], methods: Any) -> None:
    """No client would ever reach the action."""
    with pytest.raises(RoutingError, match=r"^resources\('posts'\): member=\{'publish': .*GET, HEAD, POST"):
        declare("posts", Posts, member={"publish": methods})


def test_an_unknown_method_of_a_collection_is_refused() -> None:
    """The singular resource has further actions on the collection alone."""
    with pytest.raises(
        RoutingError, match=r"^resource\('post'\): collection=\{'search': 'FIND'\} names no HTTP"
    ):
        resource(FastAPI(), "post", Posts, collection={"search": "FIND"})


def test_a_method_may_be_written_small() -> None:
    """The methods of HTTP are capitals; what is meant is clear."""
    app = FastAPI()
    resources(app, "posts", Posts, member={"publish": ["post", "Patch"]})
    assert TestClient(app).patch("/posts/1/publish").json() == "PATCH"


@pytest.mark.parametrize("option", ["member", "collection"])
@pytest.mark.parametrize("actions", [["publish"], "publish", {"publish"}], ids=["list", "name", "set"])
def test_further_actions_need_their_methods(option: str, actions: Any) -> None:
    """A list says no method; the error shows one that does."""
    options: Any = {option: actions}
    with pytest.raises(RoutingError, match=rf'takes actions with their methods: {option}=\{{".*": ".*"\}}$'):
        resources(FastAPI(), "posts", Posts, **options)


@ANY_WAY
@pytest.mark.parametrize("path", ["/blog", "blog/", "/", "//", "a//b"])
def test_a_path_with_a_slash_too_many_is_refused(declare: Callable[..., Any], path: str) -> None:
    """A resource's path is a segment, as its name; the error says it without the slashes."""
    with pytest.raises(
        RoutingError, match=r"\('posts'\): path '.*' has a slash too many; write path='(blog|a/b|)'$"
    ):
        declare("posts", Posts, path=path)


def test_a_path_may_have_several_segments_or_none() -> None:
    """A slash between segments is right, and no path leaves that of the namespace."""
    app = FastAPI()
    resources(app, "posts", Posts, path="blog/posts")
    resource(namespace(app, "admin"), "home", Posts, path="")
    assert path_for(app, "post", id=1) == "/blog/posts/1"
    assert path_for(app, "admin_home") == "/admin"


@ANY_WAY
@pytest.mark.parametrize("name", ["/posts", "posts/", "blog/posts"])
def test_a_resource_name_has_no_slash(declare: Callable[..., Any], name: str) -> None:
    """It would stand in the names of the routes and twice in the path."""
    with pytest.raises(
        RoutingError, match=rf"\('{name}'\): write the name without slashes; path= changes the path$"
    ):
        declare(name, Posts)


@pytest.mark.parametrize("name", ["/admin", "admin/", "admin/v1"])
def test_a_namespace_name_has_no_slash(name: str) -> None:
    """The name is no path, also when one is given."""
    for options in ({}, {"path": "/admin"}):
        with pytest.raises(RoutingError, match=rf"^namespace\('{name}'\): write the name without slashes"):
            namespace(FastAPI(), name, **options)


@pytest.mark.parametrize("constraints", ["[0-9]+", ["[0-9]+"], [lambda _: True, "[0-9]+"]])
def test_a_pattern_needs_the_name_of_its_parameter(constraints: Any) -> None:
    """A text alone does not say which value it is about."""
    with pytest.raises(RoutingError, match=r"""write constraints=\{"id": '\[0-9\]\+'\}$"""):
        resources(FastAPI(), "posts", Posts, constraints=constraints)


@pytest.mark.parametrize("constraints", [7, [7]])
def test_a_constraint_is_a_pattern_or_a_function(constraints: Any) -> None:
    """The error says what a constraint may be."""
    with pytest.raises(RoutingError, match="pass patterns by parameter"):
        scope(FastAPI(), constraints=constraints)


@pytest.mark.parametrize("before", [guard, Depends(guard)], ids=["function", "Depends"])
def test_guards_stand_in_a_list(before: Any) -> None:
    """The error shows the list with the function in it."""
    for declare in (
        lambda: namespace(FastAPI(), "admin", before=before),
        lambda: scope(FastAPI(), before=before),
    ):
        with pytest.raises(RoutingError, match=r"^before= takes a list of functions: before=\[guard\]$"):
            declare()


@pytest.mark.parametrize("given", [Depends(guard), None, "guard"], ids=["Depends", "nothing", "name"])
def test_a_guard_is_the_function_itself(given: Any) -> None:
    """It is called with the parameters that it declares; nothing needs to be wrapped."""
    with pytest.raises(RoutingError, match=r"pass the function itself: before=\[guard\]$"):
        namespace(FastAPI(), "admin", before=[given])


@pytest.mark.parametrize("known", [[1, 2], ["1", 2], "12"])
def test_versions_are_texts(known: Any) -> None:
    """A header is text: a number would equal none."""
    with pytest.raises(
        RoutingError, match=r'versions are texts in a list: versions\(app, \["1", "2"\], default="1"\)$'
    ):
        versions(FastAPI(), known, default="1")


@ANY_WAY
def test_a_resource_takes_the_class_of_the_controller(declare: Callable[..., Any]) -> None:
    """Each request has an object of its own."""
    with pytest.raises(RoutingError, match=r"\('posts'\): pass the class Posts, not an object of it$"):
        declare("posts", Posts())


@ANY_WAY
@pytest.mark.parametrize("controller", [object, "Posts", guard])
def test_a_resource_takes_a_controller(declare: Callable[..., Any], controller: object) -> None:
    """Another class has no actions that could be found."""
    with pytest.raises(RoutingError, match=r"\('posts'\): pass a class derived from Controller, not "):
        declare("posts", controller)


@ANY_WAY
def test_a_controller_without_actions_is_refused(declare: Callable[..., Any]) -> None:
    """A method that is a callback is no action: nothing would be routed."""

    class OnlyGuarded(Controller):
        @before_action()
        async def show(self) -> None: ...

    with pytest.raises(
        RoutingError, match=r"^OnlyGuarded has no actions; define methods such as `async def index"
    ):
        declare("posts", OnlyGuarded)


def test_a_controller_without_actions_may_hold_others() -> None:
    """`only=[]` says that no route is wanted, as in Rails."""

    class Users(Controller):
        """Has nothing."""

    app = FastAPI(openapi_url=None)
    resources(app, "users", Users, only=[]).resource("post", Posts)
    assert [row.path for row in route_list(app)] == ["/users/{user_id}/post"]
