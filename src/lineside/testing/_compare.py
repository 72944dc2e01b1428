"""Where two JSON values differ first."""

from typing import Any

__all__ = ["first_difference"]


def first_difference(expected: Any, actual: Any, *, subset: bool, at: str = "$") -> str | None:
    """Describe the first place at which a JSON value is not as expected.

    Args:
        expected: What it should be.
        actual: What it is.
        subset: Let objects have keys that were not expected, at any depth.
        at: The place, as JSONPath writes it (RFC 9535).

    Returns:
        One line, or None when all is as expected.
    """
    if isinstance(expected, dict) and isinstance(actual, dict):
        return _of_objects(expected, actual, subset=subset, at=at)
    if isinstance(expected, list | tuple) and isinstance(actual, list):
        if len(expected) != len(actual):
            return f"at {at}: expected {len(expected)} items, got {len(actual)}"
        pairs = enumerate(zip(expected, actual, strict=True))
        found = (first_difference(e, a, subset=subset, at=f"{at}[{i}]") for i, (e, a) in pairs)
        return next(filter(None, found), None)
    # In Python True == 1; in JSON they are two things.
    if isinstance(expected, bool) is not isinstance(actual, bool) or expected != actual:
        return f"at {at}: expected {expected!r}, got {actual!r}"
    return None


def _of_objects(expected: dict[str, Any], actual: dict[str, Any], *, subset: bool, at: str) -> str | None:
    if missing := [key for key in expected if key not in actual]:
        return f"at {at}: no key {missing[0]!r}; the keys are {sorted(actual)}"
    if not subset and (unexpected := [key for key in actual if key not in expected]):
        return f"at {at}: unexpected key {unexpected[0]!r}"
    found = (first_difference(expected[k], actual[k], subset=subset, at=f"{at}.{k}") for k in expected)
    return next(filter(None, found), None)
