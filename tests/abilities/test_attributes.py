"""Attribute-level permits: input is refused or cut, output is cut, by the rules that match."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, computed_field
from pydantic import Field as PydanticField
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlmodel import Field, SQLModel

from lineside.abilities import Ability, Rules
from lineside.exceptions import AccessDeniedError, ConfigurationError


class Memo(SQLModel, table=True):
    __tablename__ = "abilities_memos"
    id: int | None = Field(default=None, primary_key=True)
    author_id: int | None = None
    title: str = ""
    body: str = ""
    role: str = "plain"


class MemoIn(BaseModel):
    title: str = ""
    body: str = ""
    role: str = "plain"


@dataclass
class Page:
    title: str
    secret: str = "s"


AUTHOR = 1


def define(user_id: int | None, rules: Rules) -> None:
    rules.can("read", Memo, attributes=["id", "title"])
    rules.can(["create", "update"], Memo, author_id=user_id, attributes=["title", "body"])
    if user_id == 99:
        rules.can("manage", "all")
        rules.cannot("update", Memo, attributes=["author_id"])


@pytest.fixture
def mine() -> Memo:
    """Give a memo of the author."""
    return Memo(author_id=AUTHOR, title="t", body="b")


def test_a_rule_permits_its_attributes(mine: Memo) -> None:
    """Only the attributes of rules that match the object are permitted."""
    ability = Ability(AUTHOR, define)
    assert ability.permitted_attributes("update", mine) == {"title", "body"}
    assert ability.permitted_attributes("update", Memo(author_id=2)) == frozenset()
    assert ability.can("update", mine, attribute="title")
    assert ability.cannot("update", mine, attribute="role")
    with pytest.raises(AccessDeniedError, match="you may not update role of Memo"):
        ability.authorize("update", mine, attribute="role")


def test_all_and_all_but_some(mine: Memo) -> None:
    """None stands for all; what a `cannot` took away is missing from the class's attributes."""
    admin = Ability(99, define)
    assert admin.permitted_attributes("read", mine) is None
    assert admin.permitted_attributes("update", mine) == {"id", "title", "body", "role"}
    assert admin.can("update", mine)


def test_a_class_will_do_where_no_rule_has_a_condition() -> None:
    """The attributes of a class are exact or an error, never a guess."""
    assert Ability(AUTHOR, define).permitted_attributes("read", Memo) == {"id", "title"}
    with pytest.raises(ConfigurationError, match="depend on the object"):
        Ability(AUTHOR, define).permitted_attributes("update", Memo)
    with pytest.raises(ConfigurationError, match="depend on the object"):
        Ability(AUTHOR, define).permit({}, "create", Memo)


def test_permit_refuses_what_is_not_permitted_and_names_it(mine: Memo) -> None:
    """A field that was sent and is not permitted is a 403 that names it."""
    ability = Ability(AUTHOR, define)
    assert ability.permit(MemoIn(title="new"), "update", mine) == {"title": "new"}
    with pytest.raises(AccessDeniedError, match="these attributes of Memo: 'role'"):
        ability.permit(MemoIn(title="new", role="admin"), "update", mine)
    with pytest.raises(AccessDeniedError, match="'author_id', 'role'"):
        ability.permit({"role": 1, "author_id": 2, "title": "x"}, "update", mine)


def test_permit_drops_only_when_told(mine: Memo) -> None:
    """Dropping is a choice of the app."""
    ability = Ability(AUTHOR, define)
    kept = ability.permit({"title": "x", "role": "admin"}, "update", mine, unpermitted="drop")
    assert kept == {"title": "x"}


def test_permit_authorizes_the_action_itself() -> None:
    """Empty input does not slip past a refused action, for an object or a class."""
    ability = Ability(AUTHOR, define)
    with pytest.raises(AccessDeniedError, match="you may not update Memo"):
        ability.permit({}, "update", Memo(author_id=2))
    with pytest.raises(AccessDeniedError, match="you may not destroy Memo"):
        ability.permit({}, "destroy", Memo)
    with pytest.raises(ConfigurationError, match="a pydantic model or a mapping"):
        ability.permit([], "update", Memo(author_id=AUTHOR))  # type: ignore[arg-type]


def test_a_new_object_decides_what_it_may_start_with() -> None:
    """For create, the object as it starts out carries the conditions."""
    ability = Ability(AUTHOR, define)
    start = Memo(author_id=AUTHOR)
    values = ability.permit({"title": "x"}, "create", start)
    assert start.sqlmodel_update(values).title == "x"


def test_names_from_the_client_are_bounded_and_printable(mine: Memo) -> None:
    """A refusal can always be written: no endless list, no lone surrogate."""
    sent: dict[str, Any] = {f"{number:02}" + "x" * 1000: 1 for number in range(50)} | {"\ud800": 1}
    with pytest.raises(AccessDeniedError) as refused:
        Ability(AUTHOR, define).permit(sent, "update", mine)
    assert len(refused.value.message.encode()) < 1_000
    assert refused.value.message.endswith("and 41 more")


@settings(max_examples=100, deadline=None)
@given(
    sent=st.dictionaries(st.sampled_from(["id", "author_id", "title", "body", "role", "x"]), st.integers())
)
def test_mass_assignment_changes_permitted_columns_only(sent: dict[str, int]) -> None:
    """For any payload over all columns, what comes through is within the permitted attributes."""
    memo = Memo(author_id=AUTHOR)
    ability = Ability(AUTHOR, define)
    kept = ability.permit(sent, "update", memo, unpermitted="drop")
    assert kept == {name: value for name, value in sent.items() if name in {"title", "body"}}
    if set(sent) - {"title", "body"}:
        with pytest.raises(AccessDeniedError):
            ability.permit(sent, "update", memo)


def test_visible_shows_what_may_be_read(mine: Memo) -> None:
    """Output has the readable attributes and no others; a schema shapes it."""

    class MemoOut(BaseModel):
        title: str = PydanticField(serialization_alias="headline")
        body: str

        @computed_field
        def size(self) -> int:
            return len(self.body)

    ability = Ability(AUTHOR, define)
    assert ability.visible(mine) == {"id": None, "title": "t"}
    assert ability.visible(mine, MemoOut) == {"headline": "t"}
    assert Ability(99, define).visible(mine, MemoOut) == {"headline": "t", "body": "b", "size": 1}


def test_visible_works_on_plain_objects() -> None:
    """Dataclasses and SQLAlchemy models are cut the same way."""

    class Base(DeclarativeBase):
        pass

    class Row(Base):
        __tablename__ = "rows"
        id: Mapped[int] = mapped_column(primary_key=True)
        secret: Mapped[str]

    def define(_: object, rules: Rules) -> None:
        rules.can("read", [Page, Row])
        rules.cannot("read", [Page, Row], attributes=["secret"])

    ability = Ability(None, define)
    assert ability.visible(Page("t")) == {"title": "t"}
    assert ability.visible(Row(id=1, secret="s")) == {"id": 1}
    assert ability.permitted_attributes("read", Page) == {"title"}


def test_visible_refuses_an_object_that_may_not_be_read(mine: Memo) -> None:
    """Nothing to see is a refusal, not an empty object."""
    with pytest.raises(AccessDeniedError, match="you may not read Memo"):
        Ability(None).visible(mine)
