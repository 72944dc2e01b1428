"""The pytest plugin of lineside: fixtures that are there without an import."""

__all__: list[str] = []
