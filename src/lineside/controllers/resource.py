"""All seven actions over a model, guarded by abilities; override any one of them alone.

    from typing import Annotated
    from fastapi import Depends, FastAPI
    from sqlmodel import Field, SQLModel
    from lineside.abilities import Ability, Rules
    from lineside.abilities.fastapi import ability_for
    from lineside.controllers.resource import ResourceController
    from lineside.models.fastapi import install_database
    from lineside.routing import resources

    class Note(SQLModel, table=True):
        id: int | None = Field(default=None, primary_key=True)
        title: str
        secret_plan: str = ""

    def define_abilities(user: None, rules: Rules) -> None:
        rules.can(["create", "read"], Note)

    CurrentAbility = Annotated[Ability, Depends(ability_for(define_abilities))]

    class NotesController(ResourceController[Note]):
        permit = ("title",)
        ability: CurrentAbility

    app = FastAPI()
    install_database(app, "sqlite://", create_tables=True)
    resources(app, "notes", NotesController)

Nothing is granted that a rule does not grant: `index` lists what may be read, a member that may not be
read is a 404, one that may be read but not changed is a 403, and a field that is not in ``permit`` is a 422.
"""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final, Generic, cast

from fastapi import Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError
from typing_extensions import TypeVar

from lineside.abilities import Ability
from lineside.controllers._controller import Controller
from lineside.controllers._listing import Page, listing, page_of
from lineside.controllers._marks import action, rescue_from
from lineside.controllers._refused import answering_refused_values, decimals_past_a_double
from lineside.controllers._resource_checks import check_resource, input_of
from lineside.controllers._signature import type_arguments
from lineside.exceptions import ConfigurationError, RecordNotFound
from lineside.models import Query as Rows
from lineside.models import Record
from lineside.models._schema._schemas import key_annotation, output_schema, patch_schema
from lineside.models._secret_fields import looks_secret
from lineside.models._validation._normalizes import apply_normalizers
from lineside.models.fastapi import SessionDep

__all__ = ["Page", "ResourceController"]

ModelT = TypeVar("ModelT")
InT = TypeVar("InT", bound=BaseModel, default=BaseModel)
PatchT = TypeVar("PatchT", bound=BaseModel, default=BaseModel)
OutT = TypeVar("OutT", default=BaseModel)
KeyT = TypeVar("KeyT", default=Any)
PageT = TypeVar("PageT", bound=Page, default=Page)


_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "No such record, or none you may read"}}
_DENIED: dict[int | str, dict[str, Any]] = {403: {"description": "The ability does not grant this"}}
# Nothing is written: `edit`, and a page that only those see who may change the record.
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
# The driver does not say which value it is.
_UNFIT: Final = {"type": "value_out_of_range", "loc": ("body",), "msg": "A value does not fit the database"}
_UNFIT_QUERY: Final = {**_UNFIT, "loc": ("query",)}


class ResourceController(Controller, Generic[ModelT, InT, PatchT, OutT, KeyT, PageT]):
    """The seven RESTful actions over a SQLModel class with one primary key.

    The schemas are derived from the model; give your own as further type arguments:
    ``ResourceController[Post, PostIn, PostPatch, PostOut]``. A `lineside.models.Record` brings its own,
    ``Post.In`` and so on, and is saved and destroyed with its validations and callbacks.

    Attributes:
        permit: The fields that clients may set (as Rails' strong parameters). Default: the record's own.
            Needed unless the input schema is given.
        expose: What clients may see. Default: the record's own, or all fields whose names do not look
            secret.
        filter: The columns by which clients may filter `index`: ``?author_id=1``. Who may filter by a
            column can find out its values.
        sort: The columns by which they may sort it: ``?sort=-created_at``. The same holds.
        session: The session of this request.
        ability: The ability of the user; a subclass says where it comes from.
    """

    permit: ClassVar[Sequence[str]] = ()
    expose: ClassVar[Sequence[str] | None] = None
    filter: ClassVar[Sequence[str]] = ()
    sort: ClassVar[Sequence[str]] = ()

    session: SessionDep
    ability: Ability

    model: ClassVar[type[Any]]
    output: ClassVar[type[Any]]
    __lineside_types__: ClassVar[dict[Any, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        arguments = type_arguments(cls).get(ResourceController, {})
        model = arguments.get(_MODEL)
        if isinstance(model, type):
            _derive(cls, model, arguments)

    # exclude_unset: a field that the ability hides is absent, not null.
    @action(response_model_exclude_unset=True)
    async def index(self, page: Annotated[PageT, Query()]) -> list[OutT]:
        """List what may be read, in the order of the primary key or the one that is asked for."""
        asked_for = listing(self.model, page, self.filter)
        readable = asked_for.where(self.ability.accessible_by("read", self.model))
        with answering_refused_values(RequestValidationError([_UNFIT_QUERY])):
            rows = await readable.all(session=self.session)
        return [self.shown(record) for record in rows]

    @action(responses=_DENIED)
    async def new(self) -> dict[str, Any]:
        """Give the values that a new record begins with, for a form; that of a secret is not shown."""
        self.ability.authorize_any("create", self.model)
        fresh = self.build({})
        return {name: getattr(fresh, name, None) for name in self._inputs() if not looks_secret(name)}

    @action(responses=_DENIED, response_model_exclude_unset=True)
    async def create(self, data: InT) -> OutT:
        """Create a record from permitted fields."""
        record = self.build(data.model_dump())
        # A schema of one's own knows no normal forms; what is decided about is what will be written.
        apply_normalizers(record)
        self.ability.permit(data, "create", record)
        await self._save(record)
        return self.shown(record)

    @action(responses=_NOT_FOUND, response_model_exclude_unset=True)
    async def show(self, id: KeyT) -> OutT:  # noqa: A002 - the path parameter's name
        """Show one record."""
        return self.shown(await self.load(id))

    @action(responses={**_NOT_FOUND, **_DENIED})
    async def edit(self, id: KeyT) -> dict[str, Any]:  # noqa: A002 - the path parameter's name
        """Give the values of a record that may be changed, for a form: those that `show` gives, too."""
        shown: Any = self.shown(await self.load(id, "update"))
        return {name: getattr(shown, name) for name in self._inputs() if name in shown.model_fields_set}

    @action(responses={**_NOT_FOUND, **_DENIED}, response_model_exclude_unset=True)
    async def update(self, id: KeyT, data: PatchT) -> OutT:  # noqa: A002 - the path parameter's name
        """Change the fields that are sent."""
        record = await self.load(id, "update")
        for name, value in self.ability.permit(data, "update", record).items():
            setattr(record, name, value)
        apply_normalizers(record)
        # Checked again as it now is: no change may carry a record out of the user's reach.
        self.ability.authorize("update", record)
        await self._save(record)
        return self.shown(record)

    @action(responses={**_NOT_FOUND, **_DENIED})
    async def destroy(self, id: KeyT) -> None:  # noqa: A002 - the path parameter's name
        """Delete a record."""
        record = await self.load(id, "destroy")
        if isinstance(record, Record):
            await record.destroy(session=self.session)
        else:
            await self.session.delete(record)
            await self.session.flush()

    async def load(self, key: Any, action_name: str = "read") -> Any:
        """Load a member and authorize an action on it.

        Unless it is read only, and in a request that may write, its row is held until the end of the
        transaction: what is checked here still holds when it is written.

        Args:
            key: The primary key.
            action_name: The action to authorize, besides reading.

        Raises:
            RecordNotFound: There is none, or none that may be read: the same answer.
            AccessDeniedError: It may be read, but not this.
        """
        missing = RecordNotFound(self.model.__name__, key)
        query = Rows(self.model)
        if action_name != "read" and self.request.method not in _SAFE:
            query = query.lock()
        with answering_refused_values(missing):
            record = await query.find(key, session=self.session)
        if self.ability.cannot("read", record):
            raise missing
        return self.ability.authorize(action_name, record)

    def build(self, values: dict[str, Any]) -> Any:
        """Make a new record of permitted values; override it to add the author, the tenant and so on."""
        return self.model(**values)

    def shown(self, record: Any) -> OutT:
        """Return a record as clients see it: the output schema, cut to what the ability lets through."""
        whole = self.output.model_validate(record, from_attributes=True)
        permitted = self.ability.permitted_attributes("read", record)
        if permitted is not None:
            kept = {name: value for name, value in whole if name in permitted}
            whole = self.output.model_construct(_fields_set=set(kept), **kept)
        return cast("OutT", whole)

    async def _save(self, record: Any) -> None:
        past = decimals_past_a_double(record, self.session.get_bind(self.model).dialect)
        if past:
            raise RequestValidationError([{**_UNFIT, "loc": ("body", name)} for name in past])
        with answering_refused_values(RequestValidationError([_UNFIT])):
            if isinstance(record, Record):
                await record.save(session=self.session)
            else:
                self.session.add(record)
                await self.session.flush()
        await self.session.refresh(record)

    def _inputs(self) -> list[str]:
        return list(self.__lineside_types__[_IN].model_fields)

    @rescue_from(IntegrityError, status_code=409, description="It conflicts with another record")
    async def _conflict(self, _error: IntegrityError) -> dict[str, str]:
        # The driver's text names tables and values; it is not for clients.
        return {
            "detail": f"{self.model.__name__} conflicts with another record, or names one that is missing"
        }


# The type parameters as values; a type checker knows them as types only.
_MODEL, _IN, _PATCH, _OUT, _KEY, _PAGE = getattr(ResourceController, "__parameters__")  # noqa: B009 - as above


def _derive(controller: type[Any], model: type[Any], arguments: dict[Any, Any]) -> None:
    """Fill in the type arguments that the class leaves out, and check what it must declare."""
    name = controller.__name__
    check_resource(controller, model)
    keys = inspect(model).primary_key
    if len(keys) != 1:
        raise ConfigurationError(
            f"{name}: {model.__name__} has {len(keys)} primary keys; ResourceController takes one"
        )
    given: dict[Any, Any] = {t: a for t, a in arguments.items() if a not in (BaseModel, Any, Page)}
    if _IN not in given:
        given[_IN] = input_of(controller, model)
    if _PATCH not in given:
        given[_PATCH] = patch_schema(given[_IN], name=f"{model.__name__}Patch")
    if _OUT not in given:
        is_own = controller.expose is None and issubclass(model, Record)
        given[_OUT] = model.Out if is_own else output_schema(model, controller.expose)
    if _KEY not in given:
        given[_KEY] = key_annotation(model.model_fields[keys[0].key].annotation)
    if _PAGE not in given:
        given[_PAGE] = page_of(controller, model)
    controller.model, controller.output = model, given[_OUT]
    controller.__lineside_types__ = given
