"""`SyncQuery`: the same query without ``await``, on a sync ``Session``."""

from collections.abc import Iterator
from typing import Any, Generic, TypeVar, overload

from sqlalchemy import SQLColumnExpression as Expression
from sqlalchemy.orm import Session

from lineside.exceptions import RecordNotFound
from lineside.models._connection._ambient import current_sync_session
from lineside.models._relation import _aggregates as aggregates
from lineside.models._relation import _terminals as terminals
from lineside.models._relation._batches import Place, next_batch, start_of_batches
from lineside.models._relation._builder import Builder
from lineside.models._relation._destroy_all import destroy_all
from lineside.models._relation._explain import explain
from lineside.models._relation._grouped import SyncGroupedQuery
from lineside.models._relation._keyset import keyset
from lineside.models._relation._pages import KeysetPage, Page, page_of
from lineside.models._relation._update_all import delete_all, update_all
from lineside.models._secret_fields import without_secrets

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


class SyncQuery(Builder[T], Generic[T]):
    """A query that runs at once, in the session that is named, else in the ambient one; see `Query`."""

    __slots__ = ()

    @overload
    def find(  # pyright: ignore[reportOverlappingOverload] # a list of keys is no key
        self, key: list[Any], /, *, session: Session | None = None
    ) -> list[T]: ...
    @overload
    def find(self, key: Any, /, *, session: Session | None = None) -> T: ...
    def find(self, key: Any, /, *, session: Session | None = None) -> T | list[T]:
        """See `Query.find`."""
        if isinstance(key, list):
            keys: list[Any] = key
            return terminals.find_all(self._session(session, "find"), self, keys)
        return terminals.find(self._session(session, "find"), self, key)

    def find_by(self, *criteria: Any, session: Session | None = None, **values: Any) -> T | None:
        """See `Query.find_by`."""
        return self.where(*criteria, **values).take(session=session)

    def find_or_raise(self, *criteria: Any, session: Session | None = None, **values: Any) -> T:
        """See `Query.find_or_raise`."""
        found = self.find_by(*criteria, session=session, **values)
        if found is None:
            raise RecordNotFound(self.model.__name__, without_secrets(values) or "of this query")
        return found

    @overload
    def first(self, count: None = None, *, session: Session | None = None) -> T | None: ...
    @overload
    def first(self, count: int, *, session: Session | None = None) -> list[T]: ...
    def first(self, count: int | None = None, *, session: Session | None = None) -> Any:
        """See `Query.first`."""
        found = terminals.first(self._session(session, "first"), self, 1 if count is None else count)
        return terminals.first_of(found) if count is None else found

    @overload
    def last(self, count: None = None, *, session: Session | None = None) -> T | None: ...
    @overload
    def last(self, count: int, *, session: Session | None = None) -> list[T]: ...
    def last(self, count: int | None = None, *, session: Session | None = None) -> Any:
        """See `Query.last`."""
        found = terminals.last(self._session(session, "last"), self, 1 if count is None else count)
        return terminals.first_of(found) if count is None else found

    @overload
    def take(self, count: None = None, *, session: Session | None = None) -> T | None: ...
    @overload
    def take(self, count: int, *, session: Session | None = None) -> list[T]: ...
    def take(self, count: int | None = None, *, session: Session | None = None) -> Any:
        """See `Query.take`."""
        found = terminals.take(self._session(session, "take"), self, 1 if count is None else count)
        return terminals.first_of(found) if count is None else found

    def all(self, *, session: Session | None = None) -> list[T]:
        """See `Query.all`."""
        return terminals.every(self._session(session, "all"), self)

    def count(self, column: Any = None, *, session: Session | None = None) -> int:
        """See `Query.count`."""
        return aggregates.count(self._session(session, "count"), self, column)

    def sum(self, column: Any, *, session: Session | None = None) -> Any:
        """See `Query.sum`."""
        return self._aggregate("sum", column, session)

    def average(self, column: Any, *, session: Session | None = None) -> Any:
        """See `Query.average`."""
        return self._aggregate("average", column, session)

    def minimum(self, column: Any, *, session: Session | None = None) -> Any:
        """See `Query.minimum`."""
        return self._aggregate("minimum", column, session)

    def maximum(self, column: Any, *, session: Session | None = None) -> Any:
        """See `Query.maximum`."""
        return self._aggregate("maximum", column, session)

    def exists(self, *criteria: Any, session: Session | None = None, **values: Any) -> bool:
        """See `Query.exists`."""
        return terminals.exists(self._session(session, "exists"), self.where(*criteria, **values))

    @overload
    def pluck(self, column: Expression[A], /, *, session: Session | None = None) -> list[A]: ...
    @overload
    def pluck(
        self, one: Expression[A], two: Expression[B], /, *, session: Session | None = None
    ) -> list[tuple[A, B]]: ...
    @overload
    def pluck(
        self,
        one: Expression[A],
        two: Expression[B],
        three: Expression[C],
        /,
        *,
        session: Session | None = None,
    ) -> list[tuple[A, B, C]]: ...
    @overload
    def pluck(self, *columns: Any, session: Session | None = None) -> list[Any]: ...
    def pluck(self, *columns: Any, session: Session | None = None) -> list[Any]:
        """See `Query.pluck`."""
        return terminals.pluck(self._session(session, "pluck"), self, columns)

    def pick(self, *columns: Any, session: Session | None = None) -> Any:
        """See `Query.pick`."""
        return terminals.pick(self._session(session, "pick"), self, columns)

    def ids(self, *, session: Session | None = None) -> list[Any]:
        """See `Query.ids`."""
        return terminals.ids(self._session(session, "ids"), self)

    def page(self, page: int = 1, per_page: int = 20, *, session: Session | None = None) -> Page[T]:
        """See `Query.page`."""
        return page_of(self._session(session, "page"), self, page, per_page)

    def keyset(
        self, after: str | None = None, limit: int = 20, *, session: Session | None = None
    ) -> KeysetPage[T]:
        """See `Query.keyset`."""
        return keyset(self._session(session, "keyset"), self, after, limit)

    def in_batches(self, of: int = 1000, *, session: Session | None = None) -> Iterator[list[T]]:
        """See `Query.in_batches`."""
        place: Place | None = start_of_batches(self, of)
        while place is not None:
            found, place = next_batch(self._session(session, "in_batches"), place)
            if found:
                yield found

    def find_each(self, of: int = 1000, *, session: Session | None = None) -> Iterator[T]:
        """See `Query.find_each`."""
        for batch in self.in_batches(of, session=session):
            yield from batch

    def __iter__(self) -> Iterator[T]:
        return iter(self.all())

    def group(self, *columns: Any) -> SyncGroupedQuery[T]:
        """See `Query.group`."""
        return SyncGroupedQuery(self, columns)

    def update_all(self, *, session: Session | None = None, **values: Any) -> int:
        """See `Query.update_all`."""
        return update_all(self._session(session, "update_all"), self, values)

    def delete_all(self, *, session: Session | None = None) -> int:
        """See `Query.delete_all`."""
        return delete_all(self._session(session, "delete_all"), self)

    def destroy_all(self, *, session: Session | None = None) -> list[T]:
        """See `Query.destroy_all`."""
        return destroy_all(self._session(session, "destroy_all"), self)

    def explain(self, *, session: Session | None = None) -> str:
        """See `Query.explain`."""
        return explain(self._session(session, "explain"), self)

    def _aggregate(self, kind: aggregates.Kind, column: Any, session: Session | None) -> Any:
        return aggregates.aggregate(self._session(session, kind), self, kind, column)

    def _session(self, session: Session | None, what: str) -> Session:
        return session or current_sync_session(f"{self.model.__name__}.sync.{what}()")
