"""The class that an app's channels derive from."""

import functools
from collections.abc import Awaitable, Generator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, overload, runtime_checkable

from lineside.cable._channel._actions import actions_of
from lineside.cable._channel._declaration import Declaration, declaration_of
from lineside.cable._channel._streams import Streaming, has_been_asked
from lineside.cable._protocol._errors import CableConfigurationError
from lineside.cable._protocol._values import on_loop

__all__ = ["Channel"]

_Subject = TypeVar("_Subject")


@runtime_checkable
class _Authorizes(Protocol):
    def authorize(self, action: str, subject: Any, /) -> Any: ...


class _Authorized(Awaitable[_Subject], Generic[_Subject]):
    """The subject of a check that has passed; `await` gives it, and may be forgotten without harm."""

    __slots__ = ("subject",)

    def __init__(self, subject: _Subject) -> None:
        self.subject = subject

    def __await__(self) -> Generator[Any, Any, _Subject]:
        return self._give().__await__()

    async def _give(self) -> _Subject:
        return self.subject


class Channel(Streaming):
    """A class whose public methods are what clients may call; one object is made for each subscription.

    ``subscribed`` decides whether a client may subscribe, and to what it listens. Its parameters are the
    values of the identifier, those of an action are the fields of the message, both validated by their
    annotations as FastAPI does; unknown ones are ignored. A parameter called ``data`` takes the whole
    message. What an action returns answers protocols that answer each request. A plain ``def`` runs in a
    worker thread; what it would await there is ``anyio.from_thread.run(self.broadcast, ...)``.

    Nobody may subscribe unless the channel says so: ``subscribed`` (or a callback before it) calls
    `authorize` or `allow` or asks the ability, or the class is ``public``. A ``subscribed`` that ends without
    any of these is rejected, and logged.

    A class attribute annotated ``Annotated[T, Depends(...)]`` is injected: freshly for each run of
    ``subscribed``, an action, a timer or ``unsubscribed``, and closed behind it, so that a database session
    never lives as long as a socket. Other attributes live as long as the subscription.

    Attributes:
        channel_name: What clients call it; any text. Default: the name of the class.
        public: Everybody who is connected may subscribe.
        message_types: The types of what it sends, for the AsyncAPI document.
        ability: The abilities of who is connected: the registry's, or an injected attribute.
    """

    public: ClassVar[bool] = False
    message_types: ClassVar[tuple[Any, ...]] = ()

    __lineside_declaration__: ClassVar[Declaration] = Declaration()
    __lineside_actions__: ClassVar[tuple[str, ...]] = ()

    if TYPE_CHECKING:
        ability: Any
    else:

        @functools.cached_property
        def ability(self) -> Any:
            """What the user may do."""
            state = self.__lineside_state__
            if state.new_ability is None:
                raise CableConfigurationError(
                    f"{type(self).__name__} has no ability; declare the attribute `ability: CurrentAbility`, "
                    "or give the router ability="
                )
            made = state.new_ability(state.subscription.connection)
            state.asked_before = has_been_asked(made)
            return made

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "channel_name" not in vars(cls):
            setattr(cls, "channel_name", cls.__name__)  # noqa: B010 - the base class declares it
        cls.__lineside_declaration__ = declaration_of(cls)
        cls.__lineside_actions__ = actions_of(cls, Channel, cls.__lineside_declaration__)
        for callbacks in cls.__lineside_declaration__.callbacks.values():
            callbacks.check(cls.__lineside_actions__, cls.__name__)

    def subscribed(self, *args: Any, **params: Any) -> Any:
        """Decide whether the client may subscribe, and stream; to be overridden."""

    def unsubscribed(self) -> Any:
        """Tidy up; runs once, however the subscription ended, if ``subscribed`` was begun."""

    @overload
    def authorize(self, action: str, /) -> Awaitable[None]: ...
    @overload
    def authorize(self, action: str, subject: _Subject, /) -> Awaitable[_Subject]: ...
    def authorize(self, action: str, subject: Any = None, /) -> Awaitable[Any]:
        """Refuse unless the ability grants this; in ``subscribed`` it also lets the client in.

        The check is made at once: without ``await`` it refuses, too.

        Args:
            action: The action or named ability, for instance ``"read"``.
            subject: The object it is about; named abilities need none.

        Returns:
            Something that gives the subject when awaited.

        Raises:
            AccessDeniedError: The ability does not grant it.
            CableConfigurationError: There is no ability.
        """
        ability = self.ability
        if not isinstance(ability, _Authorizes):
            raise CableConfigurationError(f"{type(self).__name__}.ability has no `authorize` method")
        ability.authorize(action, subject)
        self.__lineside_state__.decided = True
        return _Authorized(subject)

    def allow(self, why: str) -> None:
        """Let the client subscribe without asking an ability.

        Args:
            why: For who reads the code: what was checked instead.

        Raises:
            CableConfigurationError: There is no reason.
        """
        if not why:
            raise CableConfigurationError('say why: self.allow("the stream name is signed")')
        self.__lineside_state__.decided = True

    def reject(self, reason: str = "rejected") -> None:
        """Refuse the subscription (as Rails' ``reject``); the method goes on.

        Args:
            reason: For protocols that have a place for it.
        """
        on_loop(self.__lineside_state__.subscription.reject, reason)
