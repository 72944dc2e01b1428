"""Which values each column type is compared with, and which types are not compared at all."""

import enum
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlmodel import AutoString, UTCDateTime

from lineside.abilities._families import comparable, family_of


class Color(enum.Enum):
    RED = 1


class UtcFromNaive(sa.TypeDecorator[datetime]):
    impl = sa.DateTime
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


class Money(sa.TypeDecorator[Decimal]):
    impl = sa.Integer
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: sa.Dialect) -> int | None:
        return value and int(value * 100)


class Folded(sa.TypeDecorator[str]):
    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return value and value.lower()


AWARE = datetime(2026, 1, 1, tzinfo=UTC)
NAIVE = AWARE.replace(tzinfo=None)
ID = UUID(int=1)


@pytest.mark.parametrize(
    ("kind", "good", "bad", "ordered"),
    [
        (sa.Boolean(), [True], [1, "true"], False),
        (sa.BigInteger(), [1, -(2**63)], [True, 1.0, 2**63], True),
        (sa.Float(), [1, 1.5], [True, float("nan"), float("inf"), Decimal(1)], True),
        (sa.Numeric(), [1, Decimal("1.5")], [1.5, Decimal("NaN")], True),
        (sa.Numeric(asdecimal=False), [1.5], [Decimal(1)], True),
        (sa.Text(), ["a"], [b"a", 1], False),
        (AutoString(), ["a"], [1], False),
        (sa.Enum(Color), [Color.RED], ["RED", 1], False),
        (sa.Enum("red", "blue"), ["red"], ["green"], False),
        (sa.Date(), [date(2026, 1, 1)], [NAIVE, "2026-01-01"], True),
        (sa.DateTime(), [NAIVE], [AWARE, date(2026, 1, 1)], True),
        (sa.DateTime(timezone=True), [AWARE], [NAIVE], True),
        (UTCDateTime(), [AWARE], [NAIVE], True),
        (UtcFromNaive(), [AWARE], ["2026"], True),
        (sa.Time(), [time(1)], ["01:00"], True),
        (sa.Interval(), [timedelta(1)], [1], True),
        (sa.LargeBinary(), [b"a"], ["a"], False),
        (sa.Uuid(), [ID], [str(ID)], False),
        (sa.Uuid(as_uuid=False), [str(ID)], [ID], False),
        (Money(), [Decimal("1.5")], [], True),
        (Folded(), ["a"], [], False),
    ],
)
def test_a_column_is_compared_with_values_of_its_family(
    kind: Any, good: list[Any], bad: list[Any], ordered: bool
) -> None:
    """A value that the database would convert or refuse is not accepted."""
    family = family_of(kind)
    assert family is not None
    assert [value for value in good if not family.accepts(value)] == []
    assert [value for value in bad if family.accepts(value)] == []
    assert family.ordered is ordered


@pytest.mark.parametrize(
    "kind",
    [sa.JSON(), sa.ARRAY(sa.Integer), sa.PickleType(), sa.String(collation="NOCASE"), postgresql.INET()],
)
def test_types_that_compare_differently_are_not_compared(kind: Any) -> None:
    """JSON, arrays, pickles, collations and types of one database only are left to functions."""
    assert family_of(kind) is None


def test_columns_of_different_families_are_comparable_when_exact() -> None:
    """An int compares exactly with a float and a Decimal; these two do not with each other."""
    whole, real, exact = (family_of(kind) for kind in (sa.Integer(), sa.Float(), sa.Numeric()))
    assert whole is not None
    assert real is not None
    assert exact is not None
    assert comparable(whole, real)
    assert comparable(exact, whole)
    assert not comparable(real, exact)
