"""What is worked out once for each class, and kept on the class itself."""

from collections.abc import Callable
from typing import Any, TypeVar

_Kept = TypeVar("_Kept")


def kept_on(model: type, name: str, make: Callable[[], _Kept]) -> _Kept:
    """Return what a class keeps under a name, made when it is first asked for.

    Args:
        model: The class; what its bases keep is not its own.
        name: The name, with ``__lineside_`` before it.
        make: Makes it.
    """
    known: _Kept | None = vars(model).get(name)
    if known is None:
        known = make()
        keep_on(model, name, known)
    return known


def keep_on(model: type, name: str, value: Any) -> None:
    """Keep something on a class."""
    # Past SQLModel's metaclass, which would look for a column here.
    type.__setattr__(model, name, value)
