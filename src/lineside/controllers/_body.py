"""The request as an action with a body sees it: strict JSON, and errors that can wait for callbacks."""

import json
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from lineside.controllers._plan import SCOPE_KEY, Invocation
from lineside.exceptions import InvalidJSONError
from lineside.strict_json import loads


class _BrokenJSONError(json.JSONDecodeError, InvalidJSONError):
    """FastAPI turns the one base into its 422 with the position; an action that decodes raises the other."""

    def __init__(self, error: InvalidJSONError) -> None:
        super().__init__(error.reason, "", error.position)
        self.message, self.reason, self.position = error.message, error.reason, error.position


class StrictRequest(Request):
    """Decodes JSON with `strict_json`; a broken body becomes FastAPI's own 422."""

    async def json(self) -> Any:
        """Decode the body strictly; its size is bounded by the route's ``max_body_size``."""
        body = await self.body()
        try:
            return loads(body, max_bytes=None)
        except InvalidJSONError as error:
            raise _BrokenJSONError(error) from error


class DeferringRequest(StrictRequest):
    """Keeps the error of a broken body until the callbacks have run: a 401 beats a 422."""

    async def json(self) -> Any:
        """Decode the body, or note the error for the last gate."""
        try:
            return await super().json()
        except json.JSONDecodeError as error:
            self._invocation.body_error = RequestValidationError(
                [
                    {
                        "type": "json_invalid",
                        "loc": ("body", error.pos),
                        "msg": "JSON decode error",
                        "input": {},
                        "ctx": {"error": error.msg},
                    }
                ]
            )
            return None

    def form(self, **limits: Any) -> Any:
        """Parse the form, or note the error for the last gate."""
        return self._form_or_nothing(**limits)

    async def _form_or_nothing(self, **limits: Any) -> FormData:
        try:
            return await super().form(**limits)
        except HTTPException as error:
            self._invocation.body_error = error
            return FormData()

    @property
    def _invocation(self) -> Invocation:
        invocation: Invocation = self.scope[SCOPE_KEY]
        return invocation
