"""Rails' validators: what each says about a value, and what a declaration may not say."""

import time
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from sqlalchemy import LargeBinary, create_engine
from sqlalchemy.orm import Session, registry
from sqlmodel import Field, SQLModel

from lineside.exceptions import ConfigurationError
from lineside.models._validation._declarations import validate, validates, validates_with
from lineside.models._validation._errors import errors_of
from lineside.models._validation._validations import validate as run
from tests.routing.test_patterns import HOSTILE


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


def new_base() -> type[SQLModel]:
    """Make a base with a registry of its own, for a table that has the name of another test's."""

    class Base(SQLModel, registry=registry()): ...

    return Base


def table(*decorators: Any) -> type[Any]:
    """Make a table whose columns take anything: what is said is said by the declarations."""

    class Item(new_base(), table=True):  # type: ignore[misc]
        id: int | None = Field(default=None, primary_key=True)
        value: Any = Field(default=None, sa_type=LargeBinary, nullable=True)
        other: Any = Field(default=None, sa_type=LargeBinary, nullable=True)

        @property
        def doubled(self) -> Any:
            return self.value * 2

        def is_on(self) -> bool:
            return bool(self.other)

    for decorator in decorators:
        Item = decorator(Item)
    return Item


def messages(declared: Any, value: Any, other: Any = None, *, field: str = "value") -> list[str]:
    """Validate one value, and return what is said about it."""
    record = table(declared)(value=value, other=other)
    with Session(create_engine("sqlite://")) as session:
        run(record, session, on="create")
    return errors_of(record)[field]


BLANK = "can't be blank"
NAN = "is not a number"


@pytest.mark.parametrize(
    ("options", "good", "bad", "message"),
    [
        (
            {"presence": True},
            ["x", " x ", 0, False, [0], {"a": 1}],
            [None, "", " \t\n", "\u3000", [], {}],
            BLANK,
        ),
        (
            {"length": (2, 4)},
            ["ab", "abcd", [1, 2]],
            ["a", "", None, [1]],
            "is too short (minimum is 2 characters)",
        ),
        ({"length": (1, 2)}, ["é"], ["", None], "is too short (minimum is 1 character)"),
        ({"length": (2, 4)}, ["äöüß"], ["abcde", [1] * 5], "is too long (maximum is 4 characters)"),
        ({"length": {"maximum": 1}}, ["a", None], ["ab"], "is too long (maximum is 1 character)"),
        ({"length": {"is": 2}}, ["ab"], ["a", "abc"], "is the wrong length (should be 2 characters)"),
        ({"format": r"^[a-z]+$"}, ["abc"], ["", None, "a1", "a\n", "A", 7], "is invalid"),
        ({"format": r"[0-9]"}, ["a1", 7], ["a", ""], "is invalid"),
        ({"inclusion": ["a", None]}, ["a", None], ["b", "A"], "is not included in the list"),
        ({"inclusion": range(3)}, [0, 2], [3, -1, "1"], "is not included in the list"),
        ({"inclusion": Size}, [Size.SMALL], ["small", None], "is not included in the list"),
        ({"inclusion": lambda item: [item.other]}, [], ["a"], "is not included in the list"),
        ({"exclusion": {"admin", "root"}}, ["ada", None], ["admin"], "is reserved"),
        (
            {"numericality": True},
            [0, -1, 1.5, Decimal("1E+500"), "7", "-7.50", "+1", 10**40],
            [
                None,
                "",
                "a",
                "1_000",
                " 1",
                "1e5",
                "NaN",
                "٣",
                float("nan"),
                Decimal("Infinity"),
                True,
                [],
                "1\n",
            ],
            NAN,
        ),
        (
            {"numericality": {"only_integer": True}},
            [3, "3", 3.0, Decimal("3.00")],
            [3.5, "3.5"],
            "must be an integer",
        ),
        ({"numericality": {"greater_than": 0}}, [1, "0.1"], [0, -1, "0"], "must be greater than 0"),
        ({"numericality": {"greater_than_or_equal_to": 0}}, [0], [-1], "must be greater than or equal to 0"),
        ({"numericality": {"less_than": 2}}, [1], [2], "must be less than 2"),
        ({"numericality": {"less_than_or_equal_to": 2}}, [2], [3], "must be less than or equal to 2"),
        ({"numericality": {"equal_to": 2}}, [2, 2.0], [3], "must be equal to 2"),
        ({"numericality": {"other_than": 2}}, [1], [2], "must be other than 2"),
        ({"numericality": {"odd": True}}, [1, -1, "3"], [2, 0, 1.5], "must be odd"),
        ({"numericality": {"even": True}}, [2, 0, Decimal("1E+300")], [1, -1, 2.5], "must be even"),
        ({"comparison": {"greater_than": 3}}, [4], [3], "must be greater than 3"),
        ({"comparison": {"other_than": "other"}}, ["a"], [None, ""], BLANK),
        ({"presence": True, "message": "fehlt"}, ["x"], [""], "fehlt"),
        (
            {"length": (2, 3), "allow_none": True},
            [None, "ab"],
            [""],
            "is too short (minimum is 2 characters)",
        ),
        (
            {"length": (2, 3), "allow_blank": True},
            [None, "", " "],
            ["a"],
            "is too short (minimum is 2 characters)",
        ),
    ],
)
def test_a_validator_and_its_words(
    options: dict[str, Any], good: list[Any], bad: list[Any], message: str
) -> None:
    """Good values pass without a word, bad ones get exactly these."""
    for value in good:
        assert messages(validates("value", **options), value) == [], value
    for value in bad:
        assert messages(validates("value", **options), value) == [message], value


@pytest.mark.parametrize(
    ("operand", "other", "said"),
    [
        ("other", 5, ["must be greater than 5"]),
        ("other", 4, []),
        ("other", None, []),  # nothing to compare with
        (lambda item: item.other + 1, 4, ["must be greater than 5"]),
        (lambda item: item.other - 1, 5, []),
    ],
)
def test_an_operand_may_be_an_attribute_or_a_function(operand: Any, other: Any, said: list[str]) -> None:
    """Both are asked of the record, for comparisons as for numbers."""
    assert messages(validates("value", comparison={"greater_than": operand}), 5, other) == said
    assert messages(validates("value", numericality={"greater_than": operand}), 5, other) == said


def test_a_property_can_be_validated() -> None:
    """An attribute that is no column is read from the record."""
    declared = validates("doubled", numericality={"less_than": 10})
    assert messages(declared, 4, field="doubled") == []
    assert messages(declared, 5, field="doubled") == ["must be less than 10"]


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (
            lambda: validates("titel", presence=True),
            "no attribute 'titel' to validate; it has id, other, value",
        ),
        (lambda: validates("value"), "declares nothing"),
        (lambda: validates(presence=True), "declares nothing"),
        (lambda: validates("value", length={"max": 3}), "has no option 'max'; it has is, maximum, minimum"),
        (lambda: validates("value", numericality={"greater": 1}), "numericality= has no option 'greater'"),
        (lambda: validates("value", comparison={"gt": 1}), "comparison= has no option 'gt'"),
        (lambda: validates("value", comparison={"less_than": "ende"}), "no attribute 'ende'"),
        (lambda: validates("value", uniqueness={"within": "x"}), "uniqueness= has no option 'within'"),
        (
            lambda: validates("value", uniqueness={"scope": "tenant"}),
            "uniqueness needs columns, which 'tenant'",
        ),
        (lambda: validates("doubled", uniqueness=True), "uniqueness needs columns, which 'doubled'"),
        (lambda: validates("value", inclusion="abc"), "takes a list of values"),
        (lambda: validates("value", format="(?=a)a"), "look-around"),
        (lambda: validates("value", format=r"(a)\1"), "backreferences"),
        (lambda: validates("value", format="(a"), "unclosed group"),
        (lambda: validates("value", presence=True, if_="published"), "no attribute 'published'"),
        (lambda: validates_with(print, unless="published"), "no attribute 'published'"),
    ],
)
def test_a_wrong_declaration_fails_where_it_is_written(declare: Any, said: str) -> None:
    """And names what exists."""
    with pytest.raises(ConfigurationError, match=said.replace("(", r"\(")):
        table(declare())


def test_a_condition_of_a_method_is_checked_too() -> None:
    """With the first record, because a method is declared before its class exists."""

    class Item(new_base(), table=True):  # type: ignore[misc]
        id: int | None = Field(default=None, primary_key=True)

        @validate(if_="nonsense")
        def never(self) -> None: ...

    with (
        Session(create_engine("sqlite://")) as session,
        pytest.raises(ConfigurationError, match="no attribute 'nonsense'"),
    ):
        run(Item(), session, on="create")


# What Rust's engine does not read is refused, and cannot be slow.
_READ = [case for case in HOSTILE if "(?=" not in case[0]]


@pytest.mark.parametrize(("pattern", "piece", "tail"), _READ)
def test_a_hostile_value_costs_no_more_than_its_length(pattern: str, piece: str, tail: str) -> None:
    """Ten times the value takes some ten times as long: never a power of it (T37)."""
    check = validates("value", format=pattern)(table())
    short, long = ((piece * count)[:count] + tail for count in (1_000, 10_000))
    with Session(create_engine("sqlite://")) as session:

        def seconds(value: str) -> float:
            record = check(value=value)
            began = time.process_time()
            run(record, session, on="create")
            return time.process_time() - began

        seconds(short)  # the first makes the plan
        # A backtracking engine needs 10 to 1,000 times as long per step, or never comes back.
        fixed = 0.002
        assert min(seconds(long) for _ in range(3)) < 40 * (min(seconds(short) for _ in range(3)) + fixed)


def test_fifty_patterns_are_tried() -> None:
    """The corpus is as large as the threat row asks."""
    assert len({pattern for pattern, _, _ in _READ}) >= 50
