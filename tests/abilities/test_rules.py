"""Rules are checked where they are written: what could not be kept is an error, with the way out."""

from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from lineside.abilities import Ability, Rules
from lineside.exceptions import ConfigurationError


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    title: Mapped[str]
    folded: Mapped[str] = mapped_column(sa.String(collation="NOCASE"))
    extra: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    author: Mapped[User | None] = relationship()


class Report(Base):
    __tablename__ = "reports"
    id: Mapped[int] = mapped_column(primary_key=True)
    reason: Mapped[str]
    when: Mapped[int]


@dataclass
class Note:
    owner: int
    text: str = ""


@pytest.fixture
def rules() -> Rules:
    """Give empty rules of a guest."""
    return Rules()


async def _async_check(_: object) -> bool:
    return True


class AsyncCallable:
    async def __call__(self, _: object) -> bool:
        return True


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        (Post.title.like("a%"), "like_op"),
        (Post.title.startswith("a"), "startswith_op"),
        (Post.title.ilike("a"), "ilike_op"),
        (Post.title < "a", "ordering str"),
        (Post.title.between("a", "b"), "ordering str"),
        (Post.folded == "a", "compare differently"),
        (Post.extra == {}, "compare differently"),
        (Post.author_id + 1 == 2, "operator add"),
        (sa.func.lower(Post.title) == "a", "cannot be checked"),
        (User.name == "a", "not a column of Post"),
        (Post.author_id == "1", "int"),
        (Post.author_id == 2**63, "int"),
        (Post.author_id.in_(["1"]), "int"),
        (Post.author_id.in_(sa.select(User.id)), "subquery"),
        (Post.author_id == Post.title, "compared with a str column"),
        (Post.author.has(User.name == "a"), "exists"),
        (sa.literal(1) == sa.literal(1), "without a column"),
        (Post.author_id == sa.bindparam("later"), "unfilled parameter"),
        (Post.author_id, "alone"),
        (sa.select(Post.id).exists(), "exists"),
        (sa.text("1 = 1"), "TextClause"),
        (Post.id.between(1, 2, symmetric=True), "symmetric"),
        (Post.author_id.is_(5), "is_"),
    ],
)
def test_an_expression_that_python_cannot_answer_is_refused(rules: Rules, expression: Any, says: str) -> None:
    """What would not mean the same on an object is an error at the definition, with the way out."""
    with pytest.raises(ConfigurationError, match=says):
        rules.can("read", Post, expression)


def test_a_refused_expression_lists_what_is_supported(rules: Rules) -> None:
    """The message names the operators that may be used instead."""
    with pytest.raises(ConfigurationError, match=r"supported are ==.*in_.*between.*and_.*when="):
        rules.can("read", Post, Post.title.like("a%"))


@pytest.mark.parametrize(
    ("conditions", "says"),
    [
        ({"writer_id": 1}, "has no column or relationship 'writer_id'; it has author, author_id"),
        ({"author_id": "1"}, "compared with int or None, not with str"),
        ({"author_id": True}, "not with bool"),
        ({"author_id": [1, "2"]}, "not with str"),
        ({"author_id": lambda: 1}, "not with function"),
        ({"author_id": User.id}, "not with InstrumentedAttribute"),
        ({"author": 1}, "is a relationship"),
        ({"author": User(id=1)}, "is a relationship"),
        ({"author": {"nick": "a"}}, "User has no column"),
        ({"author_id": {"id": 1}}, "not with dict"),
        ({"extra": {}}, "compare differently"),
    ],
)
def test_a_condition_that_cannot_hold_is_refused(rules: Rules, conditions: dict[str, Any], says: str) -> None:
    """A misspelled attribute or a value of another type is an error at the definition."""
    with pytest.raises(ConfigurationError, match=says):
        rules.can("read", Post, **conditions)


def test_a_function_and_conditions_together_are_refused(rules: Rules) -> None:
    """Such a rule would check more than its query filters."""
    with pytest.raises(ConfigurationError, match="either a function"):
        rules.can("read", Post, when=lambda post: True, author_id=1)
    with pytest.raises(ConfigurationError, match="either a function"):
        rules.can("read", Post, Post.author_id == 1, when=lambda post: True)


@pytest.mark.parametrize("function", [_async_check, AsyncCallable()])
def test_an_async_function_is_refused(rules: Rules, function: Any) -> None:
    """Its coroutine would be true for everybody."""
    with pytest.raises(ConfigurationError, match="async"):
        rules.can("read", Post, when=function)
    with pytest.raises(ConfigurationError, match="async"):
        rules.define("edit_post", function)


def test_a_lambda_that_returns_a_coroutine_is_refused_when_asked() -> None:
    """What cannot be seen at the definition does not grant anything at the check."""

    def define(_: object, rules: Rules) -> None:
        rules.can("read", Note, when=lambda note: _async_check(note))

    with pytest.raises(ConfigurationError, match="async"):
        Ability(None, define).can("read", Note(1))


def test_an_async_definition_is_refused() -> None:
    """It would define nothing at all."""

    async def define(_: object, rules: Rules) -> None:
        rules.can("manage", "all")

    with pytest.raises(ConfigurationError, match="plain def"):
        Ability(None, define)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("actions", "subject", "extra", "says"),
    [
        ("", Note, (), "needs an action"),
        ([], Note, (), "needs an action"),
        ([1], Note, (), "needs an action"),
        ("read", Note(1), (), "not about a Note object"),
        ("read", [Note(1)], (), "not about a Note object"),
        ("read", "Note", (), "looks like a class"),
        ("read", Note, (True,), "compared an object's attribute"),
        ("read", Note, (lambda note: True,), "when=lambda"),
        ("read", Note, (sa.true(),), "not mapped"),
        ("read", Post, (1,), "SQLAlchemy expression or attribute=value"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    rules: Rules, actions: Any, subject: Any, extra: tuple[Any, ...], says: str
) -> None:
    """Each usual slip has a message of its own."""
    with pytest.raises(ConfigurationError, match=says):
        rules.can(actions, subject, *extra)


def test_a_name_has_no_attributes_to_compare(rules: Rules) -> None:
    """Conditions need a class."""
    with pytest.raises(ConfigurationError, match="no attributes to compare"):
        rules.can("read", "all", published=True)


def test_a_value_on_a_plain_class_is_a_value(rules: Rules) -> None:
    """A function or a class is never what an attribute is compared with."""
    with pytest.raises(ConfigurationError, match="value to compare"):
        rules.can("read", Note, owner=lambda: 1)


def test_an_option_that_is_also_an_attribute_is_refused(rules: Rules) -> None:
    """`reason=` on a class with a reason could mean the message or the column: neither is guessed."""
    with pytest.raises(ConfigurationError, match=r"Report\.reason =="):
        rules.cannot("read", Report, reason="spam")
    with pytest.raises(ConfigurationError, match=r"Report\.when =="):
        rules.can("read", Report, when=lambda report: True)
    rules.can("read", Report, reason="spam")  # can has no message: this is the column


def test_when_takes_a_function(rules: Rules) -> None:
    """A value for `when` is an error, not an unconditional grant."""
    with pytest.raises(ConfigurationError, match="takes a function"):
        rules.can("read", Note, when=True)  # type: ignore[arg-type]


def test_attributes_are_several_names(rules: Rules) -> None:
    """One string would be taken letter by letter."""
    with pytest.raises(ConfigurationError, match=r"attributes=\['title'\]"):
        rules.can("update", Post, attributes="title")


def test_taking_away_a_misspelled_attribute_is_refused(rules: Rules) -> None:
    """A `cannot` that takes nothing away would leave the attribute open."""
    with pytest.raises(ConfigurationError, match="has no attribute autor_id"):
        rules.cannot("update", Post, attributes=["autor_id"])
    with pytest.raises(ConfigurationError, match="has no attribute txt"):
        rules.cannot("update", Note, attributes=["txt"])


def test_a_filterable_class_takes_no_functions(rules: Rules) -> None:
    """Once a class is declared filterable, a function is an error at the definition."""
    rules.filterable(Post)
    rules.can("read", Note, when=lambda note: True)
    with pytest.raises(ConfigurationError, match=r"Post is declared filterable.*"):
        rules.can("read", Post, when=lambda post: True)
    with pytest.raises(ConfigurationError, match="declared filterable"):
        rules.can("read", "all", when=lambda post: True)


def test_declaring_filterable_after_a_function_is_refused(rules: Rules) -> None:
    """The order of the two lines makes no difference."""
    rules.can("read", Post, when=lambda post: True)
    with pytest.raises(ConfigurationError, match="declared filterable"):
        rules.filterable(Post)


def test_a_named_ability_is_no_action(rules: Rules) -> None:
    """A name has one owner: its function."""
    for name in ("manage", "edit", ""):
        with pytest.raises(ConfigurationError, match="is an action"):
            rules.define(name, lambda user, post: True)

    def define(_: object, rules: Rules) -> None:
        rules.can("publish", Post)
        rules.define("publish", lambda user, post: False)

    with pytest.raises(ConfigurationError, match="is a named ability"):
        Ability(None, define)


def test_aliases_do_not_go_in_circles(rules: Rules) -> None:
    """An alias that would cover itself is an error."""
    rules.alias("search", to="browse")
    with pytest.raises(ConfigurationError, match="cover itself"):
        rules.alias("browse", to="search")
    with pytest.raises(ConfigurationError, match="cover itself"):
        rules.alias("browse", to="browse")
    with pytest.raises(ConfigurationError, match="every action already"):
        rules.alias("search", to="manage")
    rules.alias("browse", to="read")


def test_a_rule_is_named_without_its_values() -> None:
    """A rule's text says where it was written and which attributes it compares, not their values."""

    def define(_: object, rules: Rules) -> None:
        rules.can(["read", "update"], Note, text="secret-token", attributes=["text"])

    rule = Ability(None, define).why("read", Note(1, "secret-token")).rule
    assert str(rule).startswith("can read, update Note where text [text] (test_rules.py:")
    assert "secret-token" not in repr(rule)
