"""The questions an app asks: can, cannot, authorize, can_any, why, accessible_by."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import MissingGreenlet, StatementError
from sqlalchemy.orm import raiseload
from sqlmodel import Field, Relationship, Session, SQLModel, create_engine, select

from lineside.abilities import Ability, Rules
from lineside.abilities._mapped import is_unloaded
from lineside.exceptions import AccessDeniedError, ConfigurationError


class Owned(SQLModel):
    owner_id: int | None = None


class Room(SQLModel, table=True):
    __tablename__ = "abilities_rooms"
    id: int | None = Field(default=None, primary_key=True)
    tenant_id: int
    papers: list["Paper"] = Relationship(back_populates="room")


class Paper(Owned, table=True):
    __tablename__ = "abilities_papers"
    id: int | None = Field(default=None, primary_key=True)
    title: str = ""
    locked: bool = False
    room_id: int | None = Field(default=None, foreign_key="abilities_rooms.id")
    room: Room | None = Relationship(back_populates="papers")


@dataclass
class User:
    id: int
    tenant_id: int = 1


@dataclass
class Tag:
    name: str


@dataclass
class Note:
    owner: int
    tags: list[Tag] = field(default_factory=list)


@dataclass
class PinnedNote(Note):
    pass


def define(user: User | None, rules: Rules) -> None:
    rules.can("read", Paper, room={"tenant_id": user.tenant_id if user else None})
    if user is not None:
        rules.can(["update", "destroy"], Paper, owner_id=user.id)
        rules.cannot("destroy", Paper, Paper.locked == True, reason="the paper is locked")  # noqa: E712
        rules.define("sign", lambda user, paper: paper.owner_id == user.id, reason="only owners sign")
        rules.can("open", "dashboard")


def test_nothing_is_allowed_without_a_rule() -> None:
    """Deny is the default, for guests and users, objects and names."""
    ability = Ability(User(1))
    assert ability.cannot("read", Note(1))
    assert ability.cannot("read", "dashboard")
    assert ability.cannot("manage", "all")
    assert not ability.can_any("read", Note)


def test_a_user_can_what_a_rule_says() -> None:
    """Attribute conditions decide on the object."""
    ability = Ability(User(1), define)
    assert ability.can("update", Paper(owner_id=1))
    assert ability.cannot("update", Paper(owner_id=2))
    assert ability.cannot("update", Paper(owner_id=None))
    assert ability.can("open", "dashboard")
    assert ability.cannot("close", "dashboard")


def test_the_last_matching_rule_decides() -> None:
    """`cannot` after `can` takes away; `can` after `cannot` gives back."""

    def define(_: object, rules: Rules) -> None:
        rules.can("manage", "all")
        rules.cannot("read", Note, owner=1)
        rules.can("read", PinnedNote)

    ability = Ability(None, define)
    assert ability.can("read", Note(2))
    assert ability.cannot("read", Note(1))
    assert ability.can("read", PinnedNote(1))
    assert ability.can("anything", "at all")


def test_aliases_cover_as_in_cancancan() -> None:
    """Who may read may index and show; who may edit may not therefore update."""

    def define(_: object, rules: Rules) -> None:
        rules.can("read", Note)
        rules.can("edit", Tag)
        rules.can("create", Tag)
        rules.alias("search", to="read")
        rules.alias("grep", to="search")

    ability = Ability(None, define)
    for action in ("read", "index", "show", "search", "grep"):
        assert ability.can(action, Note(1)), action
    assert ability.can("edit", Tag("a"))
    assert ability.cannot("update", Tag("a"))
    assert ability.can("new", Tag("a"))


def test_authorize_gives_the_subject_or_raises_the_reason() -> None:
    """A refusal carries the rule's reason, the action and the class, never the object's data."""
    ability = Ability(User(1), define)
    paper = Paper(owner_id=1, locked=True)
    assert ability.authorize("update", paper) is paper
    with pytest.raises(AccessDeniedError, match="the paper is locked") as refused:
        ability.authorize("destroy", paper)
    assert (refused.value.action, refused.value.subject) == ("destroy", "Paper")
    with pytest.raises(AccessDeniedError, match="you may not update Paper"):
        ability.authorize("update", Paper(owner_id=2, title="secret"))


def test_asking_about_a_class_is_explicit() -> None:
    """A class would ignore conditions, so that `can` refuses it and names `can_any`."""
    ability = Ability(User(1), define)
    for ask in (ability.can, ability.cannot, ability.authorize, ability.why):
        with pytest.raises(ConfigurationError, match=r"can_any\('update', Paper\)"):
            ask("update", Paper)
    assert ability.can_any("update", Paper)
    assert not ability.can_any("create", Paper)
    ability.authorize_any("update", Paper)
    with pytest.raises(AccessDeniedError, match="you may not create Paper"):
        ability.authorize_any("create", Paper)
    with pytest.raises(ConfigurationError, match="asks about a class"):
        ability.can_any("update", Paper())  # type: ignore[arg-type]


def test_can_any_knows_subclasses_and_what_is_taken_away() -> None:
    """A rule about a subclass may allow one; an open `cannot` closes the class."""

    def define(_: object, rules: Rules) -> None:
        rules.can("read", PinnedNote)
        rules.can("update", Note)
        rules.cannot("update", Note, owner=1)
        rules.cannot("update", PinnedNote)
        rules.cannot("update", Note, attributes=["owner"])

    ability = Ability(None, define)
    assert ability.can_any("read", Note)
    assert ability.can_any("update", Note)
    assert not ability.can_any("update", PinnedNote)


def test_a_missing_subject_is_an_error() -> None:
    """None is a row that was not found, not a subject that an open rule might allow."""
    ability = Ability(User(1), lambda _, rules: rules.can("manage", "all"))
    with pytest.raises(ConfigurationError, match="not None"):
        ability.can("read", None)
    with pytest.raises(ConfigurationError, match="named abilities need none: none"):
        ability.can("sgin")


def test_a_named_ability_asks_its_function() -> None:
    """Gor's define and can: the function decides alone, whatever other rules say."""

    def open_all(user: User | None, rules: Rules) -> None:
        define(user, rules)
        rules.can("manage", "all")

    ability = Ability(User(1), open_all)
    assert ability.can("sign", Paper(owner_id=1))
    assert ability.cannot("sign", Paper(owner_id=2))
    with pytest.raises(AccessDeniedError, match="only owners sign"):
        ability.authorize("sign", Paper(owner_id=2))
    for ask in (lambda: ability.can_any("sign", Paper), lambda: ability.accessible_by("sign", Paper)):
        with pytest.raises(ConfigurationError, match="named ability"):
            ask()
    with pytest.raises(ConfigurationError, match="has no attributes"):
        ability.can("sign", Paper(), attribute="title")


def test_a_named_ability_needs_no_subject_and_refuses_guests() -> None:
    """A guest is refused without asking, so that `user.id` is safe; `guests=True` asks."""

    def define(_: User | None, rules: Rules) -> None:
        rules.define("admin", lambda user, _: user.id == 1)
        rules.define("browse", lambda user, _: True, guests=True)

    assert Ability(User(1), define).can("admin")
    assert Ability(User(2), define).cannot("admin")
    guest = Ability(None, define)
    assert guest.cannot("admin")
    assert guest.can("browse")
    with pytest.raises(AccessDeniedError, match="you may not admin"):
        guest.authorize("admin")


def test_why_names_the_rule_and_its_line() -> None:
    """A decision has the rule that decided, where it was written and what did not match."""
    ability = Ability(User(1), define)
    decision = ability.why("destroy", Paper(owner_id=1, locked=True))
    assert not decision
    assert decision.reason == "the paper is locked"
    assert decision.declared_at is not None
    assert decision.declared_at.startswith("test_ability.py:")
    allowed = ability.why("destroy", Paper(owner_id=1))
    assert allowed
    assert allowed.reason is None
    assert len(allowed.considered) == 1
    nothing = ability.why("destroy", Paper(owner_id=2))
    assert (nothing.rule, nothing.declared_at, len(nothing.considered)) == (None, None, 2)
    assert str(ability.why("sign", Paper(owner_id=1)).rule).startswith("define sign (test_ability.py:")


def test_an_ability_knows_whether_it_was_asked() -> None:
    """Each kind of question counts, so that a forgotten check can be reported."""
    questions: list[Any] = [
        lambda ability: ability.can("update", Paper()),
        lambda ability: ability.can_any("update", Paper),
        lambda ability: ability.accessible_by("update", Paper),
        lambda ability: ability.permitted_attributes("update", Paper()),
        lambda ability: ability.why("update", Paper()),
    ]
    for ask in questions:
        ability = Ability(User(1), define)
        assert not ability.asked
        ask(ability)
        assert ability.asked


def test_related_objects_are_compared_on_plain_classes_too() -> None:
    """A mapping holds for one related object or for any of several."""
    ability = Ability(None, lambda _, rules: rules.can("read", Note, tags={"name": ["a", "b"]}))
    assert ability.can("read", Note(1, tags=[Tag("x"), Tag("b")]))
    assert ability.cannot("read", Note(1, tags=[Tag("x")]))
    assert ability.cannot("read", Note(1))


def test_an_attribute_that_does_not_exist_is_named() -> None:
    """A plain class is first seen at the check; a missing attribute is the developer's mistake."""
    ability = Ability(None, lambda _, rules: rules.can("read", Note, writer=1))
    with pytest.raises(ConfigurationError, match="'writer', which Note does not have"):
        ability.can("read", Note(1))


def test_accessible_by_filters_and_loads_in_one_query() -> None:
    """Tenants are apart: a row of another is not found, in the same query that loads it."""
    engine = create_engine("sqlite://", poolclass=sa.StaticPool)
    SQLModel.metadata.create_all(engine, tables=[Room.__table__, Paper.__table__])
    with Session(engine) as session:
        session.add_all(
            [
                Room(id=1, tenant_id=1, papers=[Paper(id=1)]),
                Room(id=2, tenant_id=2, papers=[Paper(id=2)]),
                Paper(id=3),
            ]
        )
        session.commit()
        seen = {}
        for who, user in {"one": User(1, 1), "two": User(2, 2), "guest": None}.items():
            mine = Ability(user, define).accessible_by("read", Paper)
            seen[who] = list(session.exec(select(Paper.id).where(mine)))
            assert session.exec(select(Paper).where(Paper.id == 3, mine)).first() is None
        assert seen == {"one": [1], "two": [2], "guest": []}
    engine.dispose()


def test_no_rule_and_an_open_rule_are_false_and_true() -> None:
    """The filter of nothing finds nothing; rules before an open one no longer matter."""

    def open_last(_: object, rules: Rules) -> None:
        rules.can("read", Paper, when=lambda paper: False)
        rules.can("read", Paper)

    assert str(Ability(None).accessible_by("read", Paper)) == "false"
    assert str(Ability(None, open_last).accessible_by("read", Paper)) == "true"


def test_a_function_cannot_filter() -> None:
    """Asking for a filter over a `when=` rule names the rule and its line."""
    ability = Ability(None, lambda _, rules: rules.can("read", Paper, when=lambda paper: True))
    assert ability.can("read", Paper())
    with pytest.raises(ConfigurationError, match=r"can read Paper where a function \(test_ability.py:\d+\)"):
        ability.accessible_by("read", Paper)


def test_only_a_mapped_class_can_be_filtered() -> None:
    """A dataclass or a mapped class's unmapped base has no query."""
    ability = Ability(None, lambda _, rules: rules.can("manage", "all"))
    for model in (Note, Owned):
        with pytest.raises(ConfigurationError, match="not mapped"):
            ability.accessible_by("read", model)


def test_a_rule_for_a_shared_base_filters_each_model() -> None:
    """A condition on a mixin's attribute becomes the column of the model that is queried."""
    ability = Ability(None, lambda _, rules: rules.can("read", Owned, owner_id=1))
    assert ability.can("read", Paper(owner_id=1))
    assert "abilities_papers.owner_id = " in str(ability.accessible_by("read", Paper))
    wrong = Ability(None, lambda _, rules: rules.can("read", Owned, owner_id="1"))
    with pytest.raises(ConfigurationError, match="not with str"):
        wrong.accessible_by("read", Paper)


def test_a_rule_for_a_subclass_does_not_leak_through_the_base() -> None:
    """A query on the base class could not follow it, so that it is an error and not a leak."""

    class Base(sa.orm.DeclarativeBase):
        pass

    class Animal(Base):
        __tablename__ = "animals"
        id: sa.orm.Mapped[int] = sa.orm.mapped_column(primary_key=True)
        kind: sa.orm.Mapped[str]
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}

    class Cat(Animal):
        __mapper_args__ = {"polymorphic_identity": "cat"}

    def define(_: object, rules: Rules) -> None:
        rules.can("read", Animal)
        rules.cannot("read", Cat)

    ability = Ability(None, define)
    assert ability.can("read", Animal())
    assert ability.cannot("read", Cat())
    with pytest.raises(ConfigurationError, match="subclass of Animal"):
        ability.accessible_by("read", Animal)
    assert str(ability.accessible_by("read", Cat)) == "false"


def test_an_attribute_that_is_not_loaded_says_how_to_load_it() -> None:
    """A relationship that cannot be loaded on the way is an error that says what to do."""
    engine = create_engine("sqlite://", poolclass=sa.StaticPool)
    SQLModel.metadata.create_all(engine, tables=[Room.__table__, Paper.__table__])
    with Session(engine) as session:
        session.add(Room(id=1, tenant_id=1, papers=[Paper(id=1)]))
        session.commit()
        session.expunge_all()
        detached = session.exec(select(Paper)).one()
        session.expunge(detached)
        raising = session.exec(select(Paper).options(raiseload(Paper.room))).one()
        for paper in (detached, raising):
            with pytest.raises(ConfigurationError, match=r"Paper\.room, which is not loaded.*selectinload"):
                Ability(User(1), define).can("read", paper)
    engine.dispose()


def test_what_asyncio_drivers_raise_counts_as_not_loaded() -> None:
    """SQLAlchemy wraps the missing greenlet of a lazy load in an error of the statement."""
    wrapped = StatementError("select", None, None, MissingGreenlet("no greenlet"))
    assert is_unloaded(wrapped)
    assert is_unloaded(MissingGreenlet("no greenlet"))
    assert not is_unloaded(StatementError("select", None, None, OSError("disk")))


def test_what_is_remembered_is_bounded() -> None:
    """A long connection whose client names the actions does not make the ability grow."""
    ability = Ability(None, lambda _, rules: rules.can("manage", "all"))
    for number in range(2_000):
        assert ability.can(f"action{number}", Note(1))
    assert len(ability._relevant) <= 256


def test_taking_away_keeps_a_negated_flag_in_brackets() -> None:
    """`NOT locked IS NOT true` would be read from the right by PostgreSQL and allow the opposite."""

    def define(_: object, rules: Rules) -> None:
        rules.can("read", Paper)
        rules.cannot("read", Paper, ~Paper.locked)

    clause = Ability(None, define).accessible_by("read", Paper).compile(dialect=postgresql.dialect())
    assert str(clause) == "NOT coalesce(NOT abilities_papers.locked, false)"
