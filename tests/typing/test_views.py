"""What type checkers infer about the functions of `respond_to`; strict, as in apps that are."""

# pyright: strict

from typing import Any

from fastapi import Request, Response

from lineside.views import respond_to


async def page(post: dict[str, Any], request: Request) -> Response:
    """Make a page from both arguments."""
    return Response(f"{post['title']} {request.url}")


@respond_to("json", text=lambda post: post["title"], html=lambda post: f"<h1>{post['title']}</h1>")
def with_one_argument() -> dict[str, str]:
    """Give a value; a lambda's parameter needs no annotation."""
    return {"title": "Hello"}


@respond_to("json", text=lambda post, request: f"{post['title']} {request.url}", html=page)
def with_the_request() -> dict[str, str]:
    """Give a value; the second parameter is the request."""
    return {"title": "Hello"}


def test_lambdas_are_offered_formats() -> None:
    """The module has been checked: what is left is that both decorate."""
    for function in (with_one_argument, with_the_request):
        assert getattr(function, "__lineside_formats__").names == ("json", "html", "text")  # noqa: B009 - set by us
