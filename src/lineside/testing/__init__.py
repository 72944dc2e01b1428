"""Testing: drive an app from pytest, in process, without a server."""

__all__: list[str] = []
