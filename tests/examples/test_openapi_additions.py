"""What each step of the blog changes in openapi.json: nothing is taken away, only added to."""

import copy
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

STEPS = [
    "before",
    "step1_lineside",
    "step2_resources",
    "step3_callbacks",
    "step4_abilities",
    "step5_config",
    "step6_models",
    "after",
]
# Where a new key takes nothing away from a client that knows the old document.
GROWING = (
    ("paths",),
    ("paths", "*"),  # a further method
    ("paths", "*", "*", "responses"),  # a further status
    ("paths", "*", "*", "responses", "*", "content"),  # a further format
    ("components", "schemas"),
    ("components", "securitySchemes"),
    ("tags",),
)


def breaks(old: Any, new: Any, *path: str) -> Iterator[str]:
    """Name everything in which the new document is not the old one with additions."""
    if isinstance(old, dict) and isinstance(new, dict):
        yield from (f"{'/'.join((*path, key))} is gone" for key in old.keys() - new.keys())
        if not any(fits(path, growing) for growing in GROWING):
            yield from (f"{'/'.join((*path, key))} was put in" for key in new.keys() - old.keys())
        for key in old.keys() & new.keys():
            yield from breaks(old[key], new[key], *path, key)
    elif path[-1:] == ("parameters",):
        yield from changed_parameters(old, new, path)
    elif old != new:
        yield f"{'/'.join(path)}: {old!r} became {new!r}"


def fits(path: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Tell whether a place is one that may grow."""
    return len(path) == len(pattern) and all(
        part in ("*", key) for part, key in zip(pattern, path, strict=True)
    )


def changed_parameters(old: list[Any], new: list[Any], path: tuple[str, ...]) -> Iterator[str]:
    """Parameters have no order; a new one must be optional."""
    before, after = ({(p["in"], p["name"]): p for p in parameters} for parameters in (old, new))
    for key, parameter in before.items():
        if after.get(key) != parameter:
            yield f"{'/'.join(path)}: {key} became {after.get(key)}"
    for key in after.keys() - before.keys():
        if after[key].get("required"):
            yield f"{'/'.join(path)}: {key} is new and required"


@pytest.mark.parametrize(("step", "following"), list(itertools.pairwise(STEPS)))
def test_a_step_only_adds_to_openapi(make_blog: Any, step: str, following: str) -> None:
    """Each operation, parameter and schema of a step is in the step after it as it was."""
    old, new = (make_blog(name).openapi() for name in (step, following))
    assert list(breaks(old, new)) == []


def test_before_and_after_differ_by_what_was_added(make_blog: Any) -> None:
    """The rewritten blog documents what the plain one did, and these paths and answers."""
    old, new = (make_blog(name).openapi() for name in ("before", "after"))
    assert list(breaks(old, new)) == []
    assert sorted(new["paths"].keys() - old["paths"].keys()) == [
        "/admin/posts",
        "/admin/posts/{post_id}/lock",
        "/admin/posts/{post_id}/unlock",
        "/archive",
        "/feed",
        "/my/comments",
        "/my/comments/{id}",
        "/my/posts",
        "/my/posts/{id}",
        "/permissions",
        "/tags",
        "/tags/{id}",
    ]
    show = new["paths"]["/posts/{post_id}"]["get"]["responses"]
    assert set(show) - set(old["paths"]["/posts/{post_id}"]["get"]["responses"]) == {"406"}
    assert set(show["200"]["content"]) == {"application/json", "text/plain"}


def test_step_1_changes_nothing_at_all(make_blog: Any) -> None:
    """One line of lineside leaves the document byte for byte as it was."""
    assert json.dumps(make_blog("before").openapi()) == json.dumps(make_blog("step1_lineside").openapi())


LIST = "/posts"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda doc: doc["paths"].pop(LIST), "/posts is gone"),
        (lambda doc: doc["paths"][LIST].pop("get"), "get is gone"),
        (lambda doc: doc["paths"][LIST]["get"].update(operationId="posts_index"), "operationId"),
        (lambda doc: doc["paths"][LIST]["get"].update(tags=["blog"]), "tags"),
        (lambda doc: doc["paths"][LIST]["get"].update(security=[]), "security"),
        (lambda doc: doc["paths"][LIST]["get"].update(requestBody={}), "requestBody was put in"),
        (lambda doc: doc["paths"][LIST]["get"]["responses"].pop("401"), "401 is gone"),
        (lambda doc: doc["paths"][LIST]["get"]["parameters"].pop(), "('query', 'offset') became None"),
        (
            lambda doc: doc["paths"][LIST]["get"]["parameters"].append(
                {"in": "query", "name": "q", "required": True}
            ),
            "new and required",
        ),
        (lambda doc: doc["components"]["schemas"].pop("PostOut"), "PostOut is gone"),
        (lambda doc: doc["components"]["schemas"]["PostCreate"]["required"].pop(), "required"),
        (lambda doc: doc["components"]["schemas"]["PostCreate"]["properties"].update(x={}), "x was put in"),
    ],
)
def test_the_comparison_sees_what_breaks_a_client(make_blog: Any, change: Any, told: str) -> None:
    """What would break somebody is named: the comparison itself is not blind."""
    old = make_blog("before").openapi()
    new = copy.deepcopy(old)
    change(new)
    assert [line for line in breaks(old, new) if told in line]
