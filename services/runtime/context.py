"""What a handler works with: who asks, what time it is, rows, and messages to emit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from schemas.envelope import MAX_TOLD_BYTES, encode, service_source
from schemas.identifiers import new_id_text
from schemas.message import Message
from schemas.replies import Result
from services.runtime.ports import Ports
from services.runtime.work import Draft, UnitOfWork

Tell = Callable[["Context", object], Awaitable[None]]


class TooLargeToTell(Exception):
    """A message that is larger than any broker takes."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message, ready to go."""

    tenant: str
    topic: str
    payload: bytes
    qos: int
    retain: bool


def outgoing(
    message: Message,
    *,
    tenant: str,
    now: datetime,
    causation: UUID | None = None,
    **address: str,
) -> Outgoing:
    """Write a message of the services down, under a new id.

    Raises:
        TooLargeToTell: no broker would take it; whatever it was to tell must not be decided,
            for it would stand in the way of all that is told later.
    """
    payload = encode(
        message,
        id=new_id_text(),
        source=service_source(tenant),
        time=now,
        causation=causation,
    )
    if len(payload) > MAX_TOLD_BYTES:
        raise TooLargeToTell(f"{message.type_name} of {len(payload)} bytes")
    return Outgoing(
        tenant, message.topic(tenant=tenant, **address), payload, message.qos, message.retain
    )


def clearing(message: type[Message], *, tenant: str, **address: str) -> Outgoing:
    """The empty retained message that ends a state."""
    topic = message.route.topic(tenant=tenant, **address)
    return Outgoing(tenant, topic, b"", 1, retain=True)


class Context:
    """One message's view of the world.

    Attributes:
        tenant: whose message it is; every row read or written is this tenant's.
        device: who sent it, as the broker vouches by the topic.
        request_id: the id of the request.
        now: the time of the decision, aware, in UTC.
        draft: rows, read once and written if this handler ends well.
        ports: what other areas offer.
        standing: how the thing stands that the request is about; a refusal says it.
    """

    def __init__(
        self,
        work: UnitOfWork,
        *,
        tenant: str,
        device: str,
        request_id: UUID,
        now: datetime,
        ports: Ports,
        tell: Tell,
    ) -> None:
        self.tenant: Final = tenant
        self.device: Final = device
        self.request_id: Final = request_id
        self.now: Final = now
        self.draft: Final = Draft(work)
        self.ports: Final = ports
        self.emitted: list[Outgoing] = []
        self.result: Result | None = None
        self.standing: Result | None = None
        self._tell: Final = tell

    async def emit(self, message: Message) -> None:
        """Publish after the commit; areas that listen decide in this same transaction.

        What an area emits while listening goes out first: a ticket before the news of
        its order.
        """
        await self._tell(self, message)
        self.emitted.append(
            outgoing(message, tenant=self.tenant, now=self.now, causation=self.request_id)
        )

    async def tell(self, fact: object) -> None:
        """Tell other areas, inside this transaction; nothing is published."""
        await self._tell(self, fact)

    def clear(self, message: type[Message], **address: str) -> None:
        """End a retained state: whoever connects later does not see it any more."""
        self.emitted.append(clearing(message, tenant=self.tenant, **address))

    def answer(self, result: Result) -> None:
        """Say what the accepted reply carries."""
        self.result = result
