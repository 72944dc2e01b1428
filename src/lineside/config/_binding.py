"""A section as an instance of a pydantic model."""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lineside.config._errors import ConfigBindError
from lineside.config._nodes import Branch, Items, Leaf, Node, child_of, join
from lineside.config._snapshot import Snapshot
from lineside.config._typing import split_list, to_duration

M = TypeVar("M", bound=BaseModel)
_LISTS = {"list_type", "set_type", "tuple_type", "frozen_set_type"}
_DURATIONS = {"time_delta_parsing", "time_delta_type"}
# A value is typed before the model is known; where the model disagrees it gets one second reading.
_READINGS = 2


def bind(snapshot: Snapshot, key: str, model: type[M]) -> M:
    """Validate a section.

    Args:
        snapshot: The state to read.
        key: The section, ``""`` for everything; one that is not there counts as empty.
        model: The model. Unknown keys are refused unless its config sets ``extra``.

    Returns:
        The validated instance.

    Raises:
        ConfigBindError: Every value that does not fit, with its key and source.
    """
    node = snapshot.nodes.get(key)
    if (
        node is not None
        and not isinstance(node, Branch)
        and not (isinstance(node, Leaf) and node.value is None)
    ):
        raise ConfigBindError(
            key, model=model.__name__, problems=[f"{node.origin} sets it to a plain value, not a map"]
        )
    data = plain(node) if isinstance(node, Branch) else {}
    errors: list[ErrorDetails] = []
    for _ in range(_READINGS):
        instance, errors = _validated(model, data)
        if instance is not None:
            return instance
        if not sum(_reread(data, node, error) for error in errors):  # each of them, so not any()
            break
    raise ConfigBindError(
        key, model=model.__name__, problems=[_problem(snapshot, key, node, e) for e in errors]
    )


def plain(node: Node) -> Any:
    """Return a node as plain dictionaries, lists and scalars."""
    if isinstance(node, Branch):
        return {name: plain(child) for name, child in node.children.items()}
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return node.value


def _validated(model: type[M], data: Any) -> tuple[M | None, list[ErrorDetails]]:
    try:
        return model.model_validate(data, extra=None if "extra" in model.model_config else "forbid"), []
    except ValidationError as error:
        # Only the details leave: the error itself quotes the input.
        return None, error.errors(include_url=False, include_input=False, include_context=False)


def _follow(node: Node | None, loc: Sequence[int | str]) -> tuple[list[str], Node | None]:
    """Walk a pydantic location; steps that name a union branch or a validator are not ours."""
    steps: list[str] = []
    for step in loc:
        child = child_of(node, str(step))
        if child is not None:
            steps.append(str(step))
            node = child
    return steps, node


def _reread(data: Any, root: Node | None, error: ErrorDetails) -> bool:
    """Replace a value by its second reading; tell whether there was one."""
    steps, node = _follow(root, error["loc"])
    if not steps or node is None:
        return False
    reading = _second_reading(node, error["type"])
    if reading is None:
        return False
    for step in steps[:-1]:
        data = data[_position(data, step)]
    last = _position(data, steps[-1])
    changed = bool(data[last] != reading)
    data[last] = reading
    return changed


def _position(data: Any, step: str) -> Any:
    return int(step) if isinstance(data, list) else step


def _second_reading(node: Node, error_type: str) -> Any:
    text = node.text
    if text is None and isinstance(node, Leaf) and isinstance(node.value, str):
        text = node.value
    if error_type in _DURATIONS and isinstance(node, Leaf):
        try:
            return to_duration(text if text is not None else node.value)
        except ValueError:
            return None
    if error_type in _LISTS and isinstance(node, Leaf):
        return None if text is None else split_list(text)
    return node.text


def _problem(snapshot: Snapshot, key: str, root: Node | None, error: ErrorDetails) -> str:
    steps, node = _follow(root, error["loc"])
    at = key
    for step in steps:
        at = join(at, step)
    if error["type"] == "missing":
        at = join(at, str(error["loc"][-1]))
        return f"{at!r} is missing; set it"
    source = "" if node is None else f" ({node.origin})"
    if error["type"] == "extra_forbidden":
        return f"{at!r}{source} is not a known key; remove or rename it"
    return f"{at!r}{source}: {_reason(snapshot, at, error)}"


def _reason(snapshot: Snapshot, key: str, error: ErrorDetails) -> str:
    # A validator of the user's own may have put the value into its message.
    own = error["type"] in {"value_error", "assertion_error"}
    if own and snapshot.redactor.is_secret(key):
        return "its validator refuses it"
    return snapshot.redactor.text(error["msg"])
