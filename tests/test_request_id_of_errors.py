"""The request id where it is needed most: in the answer to an unexpected error."""

from fastapi import FastAPI
from starlette.testclient import TestClient

from lineside.application import Lineside


def test_an_unexpected_error_is_answered_with_its_request_id() -> None:
    """In the header and the body, though Starlette answers it outside of every middleware."""
    app = FastAPI()
    Lineside(app, {})

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the planted text")

    client = TestClient(app, raise_server_exceptions=False)
    response = client.get("/broken", headers={"X-Request-ID": "request-7"})
    assert response.status_code == 500
    assert response.headers["X-Request-ID"] == response.json()["request_id"] == "request-7"
    assert "planted" not in response.text
