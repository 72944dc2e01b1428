"""Testing: drive an app from pytest, in process, without a server.

    from fastapi import FastAPI
    from lineside.testing import TestApp

    app = FastAPI()

    @app.get("/posts")
    async def posts() -> list[str]:
        return ["Hello"]

    with TestApp(app) as client:
        client.get("/posts").assert_status(200).assert_json(["Hello"])
        client.get("/nothing").assert_problem(404, "Not Found")

Any FastAPI app will do; it need not use anything else of ours. The pytest plugin, which is there as
soon as lineside is installed, has the fixtures ``test_app`` and ``capture_events``.
"""

from lineside.testing._abilities import assert_all_authorized, assert_can, assert_cannot
from lineside.testing._app import TestApp
from lineside.testing._bus_conformance import BusConformance
from lineside.testing._database import TestDatabase
from lineside.testing._events import EventLog, capture_events
from lineside.testing._factories import Factory
from lineside.testing._factory_attributes import Association, Sequence, Trait, Transient, Values
from lineside.testing._queries import assert_no_n_plus_one, assert_no_queries, assert_queries_count
from lineside.testing._response import TestResponse
from lineside.testing._transactional import TransactionalTests, transactional_tests

__all__ = [
    "Association",
    "BusConformance",
    "EventLog",
    "Factory",
    "Sequence",
    "TestApp",
    "TestDatabase",
    "TestResponse",
    "Trait",
    "TransactionalTests",
    "Transient",
    "Values",
    "assert_all_authorized",
    "assert_can",
    "assert_cannot",
    "assert_no_n_plus_one",
    "assert_no_queries",
    "assert_queries_count",
    "capture_events",
    "transactional_tests",
]
