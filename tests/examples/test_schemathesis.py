"""What openapi.json of the adopted blog promises, held against requests that schemathesis makes from it.

SCHEMATHESIS_EXAMPLES (8) is the number of requests for each operation and each person, beside the systematic
ones; the choice is the same in every run with the same number.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.python.asgi import shutdown_lifespans
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from examples.blog.after import create_app

CHECKS: list[Any] = [not_a_server_error, status_code_conformance, response_schema_conformance]


# In memory, and opened with the first request: what one request writes, the next one meets.
app = create_app("sqlite://")
schema = schemathesis.openapi.from_dict(app.openapi())
schema.app = app
# Without the systematic part, which takes most of the time: it is there for whom the requests reach furthest.
sampled = schemathesis.openapi.from_dict(app.openapi())
sampled.app = app
sampled.config.phases.update(phases=["examples", "fuzzing"])


@pytest.fixture(autouse=True, scope="module")
def _stopped() -> Iterator[None]:
    """Stop the blog, which schemathesis starts, with the last test."""
    yield
    shutdown_lifespans()


bounded = settings(
    max_examples=int(os.environ.get("SCHEMATHESIS_EXAMPLES", "8")),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@sampled.parametrize()
@bounded
def test_a_visitor_meets_what_is_documented(case: Any) -> None:
    """Without a token, or with those that schemathesis makes up: no fault, nothing undocumented."""
    case.call_and_validate(checks=CHECKS)


@sampled.parametrize()
@bounded
def test_an_author_meets_what_is_documented(case: Any) -> None:
    """Ben may write some things: no fault, nothing undocumented."""
    case.call_and_validate(checks=CHECKS, headers={"Authorization": "Bearer ben-token"})


@schema.parametrize()
@bounded
def test_an_admin_meets_what_is_documented(case: Any) -> None:
    """Ada may do everything, so the requests reach the furthest: no fault, nothing undocumented."""
    case.call_and_validate(checks=CHECKS, headers={"Authorization": "Bearer ada-token"})
