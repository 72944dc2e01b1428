"""Dicts and lists that say when they change, however deep: the values of JSON columns."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Self, SupportsIndex
from weakref import ref

from sqlalchemy import inspect
from sqlalchemy.ext.mutable import MutableBase
from sqlalchemy.orm.attributes import set_attribute, set_committed_value

# The encoder of Python recurses, and so does PostgreSQL.
MAX_DEPTH: Final = 200


class Node(MutableBase):
    """A part of a document, which belongs to another part, or to a record."""

    _owner: Callable[[], object | None]
    _name: str | None  # of the attribute, when the owner is a record

    def put(self, owner: object, name: str | None) -> None:
        """Give this part its place."""
        self._owner, self._name = ref(owner), name

    def belongs_to(self, owner: object) -> bool:
        """Tell whether this part is in its place there."""
        return self._owner() is owner

    def changing(self) -> None:
        """Let the record note how the document was, before it changes."""
        owner = self._owner()
        if isinstance(owner, Node):
            owner.changing()
        elif owner is not None and self._name is not None:
            _remember(owner, self._name, self)

    def __reduce__(self) -> Any:
        # A copy belongs to nobody.
        return plain, (plain(self),)

    __reduce_ex__ = object.__reduce_ex__


def tracked(value: Any, owner: object, name: str | None = None) -> Any:
    """Return a dict or list as a part of a document, and anything else as it is.

    What was somebody else's is copied: a part has one place.

    Args:
        value: A value of JSON.
        owner: The part above, or the record.
        name: The attribute, if the owner is a record.
    """
    # What is nested too deeply is refused when it is saved; it is not walked through before.
    is_known = isinstance(value, Node) and value.belongs_to(owner)
    return value if is_known or is_too_deep(value) else _tracked(value, owner, name)


def is_too_deep(value: Any) -> bool:
    """Tell whether a value is nested more than `MAX_DEPTH` levels deep, as one is that holds itself."""
    return not any(not level for level in levels(value))


def levels(value: Any) -> Iterator[list[Any]]:
    """Yield the parts of a document from the top down, up to the first level without any, or `MAX_DEPTH`.

    Without recursion, which a deep document would break; what a level has twice comes once.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        yield level
        if not level:
            return
        inside = (part for each in level for part in _parts(each))
        level = list({id(part): part for part in inside}.values())
    yield level


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return (*value.keys(), *value.values())
    return value if isinstance(value, list | tuple) else ()


def _tracked(value: Any, owner: object, name: str | None = None) -> Any:
    if isinstance(value, dict):
        document = TrackedDict()
        document.put(owner, name)
        document.fill(value)
        return document
    if isinstance(value, list):
        array = TrackedList()
        array.put(owner, name)
        array.fill(value)
        return array
    return value


def plain(value: Any) -> Any:
    """Return a copy without any tracking."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value


def _remember(record: object, name: str, document: Node) -> None:
    state = inspect(record)
    if state.dict.get(name) is not document:
        return  # it was replaced
    if state.has_identity and name not in state.committed_state:
        # What SQLAlchemy takes for the old value must not change along.
        set_committed_value(record, name, plain(document))
        set_attribute(record, name, document)


def _announced(change: Callable[..., Any]) -> Any:
    """Make a method of `dict` or `list` that takes nothing in announce its change."""

    def announced(self: Node, *arguments: Any, **options: Any) -> Any:
        self.changing()
        return change(self, *arguments, **options)

    announced.__name__, announced.__doc__ = change.__name__, change.__doc__
    return announced


class TrackedDict(Node, dict[Any, Any]):
    """An object of JSON."""

    __delitem__ = _announced(dict.__delitem__)
    clear = _announced(dict.clear)
    pop = _announced(dict.pop)
    popitem = _announced(dict.popitem)

    def fill(self, values: Mapping[Any, Any]) -> None:
        """Take in items without a word to the owner."""
        for key, value in values.items():
            super().__setitem__(key, _tracked(value, self))

    def __setitem__(self, key: Any, value: Any) -> None:
        self.changing()
        super().__setitem__(key, tracked(value, self))

    def setdefault(self, key: Any, default: Any = None, /) -> Any:
        """Do what `dict.setdefault` does."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *arguments: Any, **values: Any) -> None:
        """Do what `dict.update` does."""
        self.changing()
        for key, value in dict(*arguments, **values).items():
            super().__setitem__(key, tracked(value, self))

    def __ior__(self, other: Any) -> Self:  # type: ignore[misc]
        self.update(other)
        return self


class TrackedList(Node, list[Any]):
    """An array of JSON."""

    __delitem__ = _announced(list.__delitem__)
    clear = _announced(list.clear)
    pop = _announced(list.pop)
    remove = _announced(list.remove)
    reverse = _announced(list.reverse)
    sort = _announced(list.sort)

    def fill(self, values: Iterable[Any]) -> None:
        """Take in items without a word to the owner."""
        super().extend([_tracked(value, self) for value in values])

    def __setitem__(self, index: SupportsIndex | slice, value: Any) -> None:
        self.changing()
        if isinstance(index, slice):
            super().__setitem__(index, [tracked(part, self) for part in value])
        else:
            super().__setitem__(index, tracked(value, self))

    def append(self, value: Any, /) -> None:
        """Do what `list.append` does."""
        self.changing()
        super().append(tracked(value, self))

    def extend(self, values: Iterable[Any], /) -> None:
        """Do what `list.extend` does."""
        self.changing()
        super().extend([tracked(value, self) for value in values])

    def insert(self, index: SupportsIndex, value: Any, /) -> None:
        """Do what `list.insert` does."""
        self.changing()
        super().insert(index, tracked(value, self))

    def __iadd__(self, values: Iterable[Any]) -> Self:  # type: ignore[misc]
        self.extend(values)
        return self

    def __imul__(self, times: SupportsIndex) -> Self:
        self[:] = list(self) * times
        return self
