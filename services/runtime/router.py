"""Who handles what: each area registers its handlers, the composition root joins them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.message import Message, Query, Request
from schemas.replies import Result
from services.runtime.context import Context, Outgoing
from services.runtime.ports import Ports
from services.runtime.work import Draft

R = TypeVar("R", bound=Request)
Q = TypeVar("Q", bound=Query)
F = TypeVar("F")
N = TypeVar("N", bound=Message)

Handler = Callable[[Any, Context], Awaitable[None]]
Preparer = Callable[[Draft, Ports, Sequence[tuple[str, Any]]], Awaitable[None]]
Answerer = Callable[[Any, "Asking"], Awaitable[Result]]
Retained = Callable[[AsyncConnection, str, datetime], Awaitable[list[Outgoing]]]


@dataclass(frozen=True, slots=True)
class Asking:
    """What a query is answered from: one consistent view of the rows."""

    connection: AsyncConnection
    tenant: str
    device: str
    request_id: UUID
    now: datetime
    ports: Ports


@dataclass(frozen=True, slots=True)
class Notice:
    """A message of a device that nobody answers: presence, telemetry."""

    message: Message
    tenant: str
    device: str
    retained: bool
    now: datetime
    topic: str = ""
    """Where it was said: below a bridge, it tells of whom."""


Listener = Callable[[Notice], None]


class Router:
    """A register of handlers.

    >>> router = Router()
    >>> @router.on(BumpTicket)
    ... async def bump_ticket(request: BumpTicket, context: Context) -> None: ...
    """

    def __init__(self) -> None:
        self.handlers: Final[dict[type[Message], Handler]] = {}
        self.answerers: Final[dict[type[Message], Answerer]] = {}
        self.listeners: Final[dict[type[Message], Listener]] = {}
        self.preparers: Final[dict[type[Message], list[Preparer]]] = defaultdict(list)
        self.during_: Final[dict[type[Any], list[Handler]]] = defaultdict(list)
        self.retained: Final[list[Retained]] = []

    def on(
        self, request: type[R]
    ) -> Callable[
        [Callable[[R, Context], Awaitable[None]]], Callable[[R, Context], Awaitable[None]]
    ]:
        """Handle a request, inside a transaction, exactly once."""

        def register(
            handler: Callable[[R, Context], Awaitable[None]],
        ) -> Callable[[R, Context], Awaitable[None]]:
            self.handlers[request] = handler
            return handler

        return register

    def prepare(
        self, request: type[R]
    ) -> Callable[
        [Callable[[Draft, Ports, Sequence[tuple[str, R]]], Awaitable[None]]],
        Callable[[Draft, Ports, Sequence[tuple[str, R]]], Awaitable[None]],
    ]:
        """Read ahead for all requests of one kind in a batch: ``[(tenant, request), …]``.

        It only saves round trips: a handler finds what was not read ahead by itself.
        """

        def register(
            preparer: Callable[[Draft, Ports, Sequence[tuple[str, R]]], Awaitable[None]],
        ) -> Callable[[Draft, Ports, Sequence[tuple[str, R]]], Awaitable[None]]:
            self.preparers[request].append(preparer)
            return preparer

        return register

    def answer(
        self, query: type[Q]
    ) -> Callable[
        [Callable[[Q, Asking], Awaitable[Result]]], Callable[[Q, Asking], Awaitable[Result]]
    ]:
        """Answer a query: it changes nothing, so it needs neither inbox nor outbox."""

        def register(
            answerer: Callable[[Q, Asking], Awaitable[Result]],
        ) -> Callable[[Q, Asking], Awaitable[Result]]:
            self.answerers[query] = answerer
            return answerer

        return register

    def during(
        self, fact: type[F]
    ) -> Callable[
        [Callable[[F, Context], Awaitable[None]]], Callable[[F, Context], Awaitable[None]]
    ]:
        """Take part in the transaction in which a fact of another area comes true."""

        def register(
            handler: Callable[[F, Context], Awaitable[None]],
        ) -> Callable[[F, Context], Awaitable[None]]:
            self.during_[fact].append(handler)
            return handler

        return register

    def hear(self, notice: type[Message], listener: Listener) -> None:
        """Listen to presence or telemetry; the listener must return at once."""
        self.listeners[notice] = listener

    def state(self, source: Retained) -> Retained:
        """Name what derives an area's retained messages of one tenant from the database."""
        self.retained.append(source)
        return source

    def include(self, area: Router) -> None:
        """Join an area's register to this one."""
        self.handlers.update(area.handlers)
        self.answerers.update(area.answerers)
        self.listeners.update(area.listeners)
        for request, preparers in area.preparers.items():
            self.preparers[request].extend(preparers)
        for fact, handlers in area.during_.items():
            self.during_[fact].extend(handlers)
        self.retained.extend(area.retained)

    async def tell(self, context: Context, fact: object) -> None:
        """Hand a fact to all who listen."""
        for handler in self.during_.get(type(fact), ()):
            await handler(fact, context)
