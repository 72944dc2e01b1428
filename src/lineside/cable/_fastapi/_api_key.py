"""Who may use the HTTP API: holders of its key, or whom a dependency of the app lets pass."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Security, params
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from lineside.cable._auth._bearer import BearerKey, derived_key
from lineside.cable._fastapi._dependencies import call_of
from lineside.cable._protocol._errors import CableConfigurationError

__all__ = ["APIGuards", "guards_of"]

_bearer = HTTPBearer(auto_error=False, scheme_name="cable", description="The key of the cable's HTTP API")


@dataclass(frozen=True, slots=True)
class APIGuards:
    """The dependencies in front of the HTTP API.

    Attributes:
        api: In front of ``/api/...``.
        publish: In front of ``/_broadcast``.
    """

    api: params.Depends
    publish: params.Depends


def guards_of(
    api_key: str | Sequence[str] | None, guard: Callable[..., Any] | None, secret: str | None
) -> APIGuards | None:
    """Return what stands in front of the HTTP API; None where there is none.

    Args:
        api_key: Its key, or several.
        guard: A dependency of the app that refuses who may not.
        secret: The app's secret, of which AnyCable's publishers derive their keys.

    Raises:
        CableConfigurationError: There are a key and a guard.
        SecretError: A key is too short.
    """
    if guard is not None and api_key is not None:
        raise CableConfigurationError("api_key= and api_guard= are two locks for one door; give one of them")
    if guard is not None:
        depends = Depends(call_of(guard, argument="api_guard"))
        return APIGuards(depends, depends)
    keys = [api_key] if isinstance(api_key, str) else list(api_key or ())
    if api_key is None and secret is None:
        return None
    derived = {label: [] if secret is None else [derived_key(secret, label)] for label in _LABELS}
    return APIGuards(*(_checking(BearerKey([*keys, *derived[label]])) for label in _LABELS))


_LABELS = ("api-cable", "broadcast-cable")


def _checking(key: BearerKey) -> params.Depends:
    async def check(
        request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
    ) -> None:
        key.check(request.scope)

    depends: params.Depends = Depends(check)
    return depends
