"""A house whose requests go through the real worker, one batch at a time, and that may die.

The database is real. The broker is a dictionary: it takes what the relay publishes, keeps what
is retained, and can be told to take only a part. A life ends where a checkpoint of the worker
says so; what it had in memory is gone, and the batch that nobody acknowledged comes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Table, select

from broker_config.settings import BrokerAddress
from cli.compose import assemble
from schemas.catalogue import locate
from schemas.devices import Role
from schemas.envelope import device_source, encode, envelope_of
from schemas.fences import FenceCrossed
from schemas.house_rules import OrderRules
from schemas.identifiers import new_id, reserved
from schemas.kitchen import PrintTicket
from schemas.menu import MenuItem
from schemas.message import Message, Query, Request
from schemas.orders import Order, OrderChanged, OrderPlaced
from schemas.replies import Reply
from services.menu.handlers import put_menu
from services.people.store import Tenant, add_tenant
from services.runtime import house_rules
from services.runtime.bus import ConnectionLost, Delivery, Session
from services.runtime.database import Database
from services.runtime.intake import of_ourselves
from services.runtime.tables import DEVICES, INBOX
from services.runtime.worker import Worker

BEGAN: Final = datetime(2026, 3, 14, 18, 0, tzinfo=UTC)
TILL, OTHER, MANAGER, SCREEN = "till", "other-till", "manager", "screen"
ROLES: Final = {
    TILL: Role.POS,
    OTHER: Role.POS,
    MANAGER: Role.MANAGER,
    SCREEN: Role.KITCHEN_DISPLAY,
}
OURSELVES: Final = "heard"
POINTS: Final = ("decided", "committed", "published", "half published", "confirmed")
"""Where a life may end: the worker's checkpoints, and two of the relay's own moments."""


class Killed(BaseException):
    """This life is over; nothing catches that."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, of whom, under which id, and when it was written."""

    device: str
    message: Request
    id: UUID = field(default_factory=new_id)
    at: datetime = BEGAN


class Wire:
    """A broker that keeps what is retained, and hears all."""

    def __init__(self, tenant: str) -> None:
        self.retained: Final[dict[str, bytes]] = {}
        self.replies: Final[dict[UUID, list[Reply]]] = {}
        self.orders: Final[dict[tuple[UUID, int], Order]] = {}
        self.prints: Final[list[PrintTicket]] = []
        self.crossings: Final[list[tuple[UUID, FenceCrossed]]] = []
        """Of fences, each with the id of its message."""
        self.takes: int | None = None
        """After so many messages more the connection breaks."""
        self._tenant = tenant

    def take(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Take one message."""
        if not topic.startswith(f"heard/v1/{self._tenant}/"):
            return  # what an earlier house has left
        if self.takes is not None:
            if self.takes == 0:
                raise ConnectionLost("the broker is gone")
            self.takes -= 1
        if retain:
            if payload:
                self.retained[topic] = payload
            else:
                self.retained.pop(topic, None)
        if not payload:
            return
        located = locate(topic)
        envelope = envelope_of(located.message).model_validate_json(payload)
        said = envelope.data
        if isinstance(said, Reply) and said.request is not None:
            self.replies.setdefault(said.request, []).append(said)
        elif isinstance(said, PrintTicket):
            self.prints.append(said)
        elif isinstance(said, FenceCrossed):
            self.crossings.append((UUID(str(envelope.id)), said))
        elif isinstance(said, OrderPlaced | OrderChanged):
            key = (said.order_id, said.order.version)
            assert self.orders.setdefault(key, said.order) == said.order, "one version, two orders"


class WireSession:
    """One life's connection to it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._tags = 0
        self._confirmed: Callable[[int], None] = lambda _tag: None
        self.deaf = False
        """Its confirmations are lost."""

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> int:
        self._wire.take(topic, payload, retain=retain)
        self._tags += 1
        if qos:
            asyncio.get_running_loop().call_soon(self._confirm, self._tags)
        return self._tags

    def _confirm(self, tag: int) -> None:
        if not self.deaf:
            self._confirmed(tag)

    def on_confirmed(self, callback: Callable[[int], None]) -> None:
        self._confirmed = callback

    def on_lost(self, callback: Callable[[], None]) -> None:
        """It is never told: a life that loses the broker here ends."""

    def send_now(self) -> None:
        """Everything was taken at once."""


class OrderWorld:
    """One restaurant on a database that others share.

    Args:
        database: at its newest version.
        rules: the house's.
        menu: what it sells.
    """

    def __init__(self, database: Database, rules: OrderRules, menu: Sequence[MenuItem]) -> None:
        self.database: Final = database
        self.tenant: Final = f"t-{new_id().hex[-12:]}"
        self.rules = rules
        self.menu: Final = menu
        self.now = BEGAN
        self.wire: Final = Wire(self.tenant)
        self.die_at: str | None = None
        self.deaths = 0
        self._passed: str | None = None

    async def open(self) -> None:
        """Let everybody in, and begin the first life."""
        async with self.database.write() as connection:
            row = Tenant(self.tenant, "Roma", self.menu[0].currency, self.now)
            await add_tenant(connection, row)
            await house_rules.write(connection, self.tenant, orders=self.rules)
            await put_menu(connection, self.tenant, self.menu, self.now, replace=True)
            for device, role in ROLES.items():
                values = {"tenant": self.tenant, "device": device, "role": role.value}
                await connection.execute(DEVICES.insert().values(**values, created_at=self.now))
        await self.live()
        await self.relay.finish()

    async def live(self) -> None:
        """Begin a life: nothing is in its memory."""
        served = assemble(self.database, BrokerAddress(), "nobody asks", clock=lambda: self.now)
        self._served = served
        self.relay = served.relay
        self.session = WireSession(self.wire)
        self.worker = Worker(
            self.database,
            served.router,
            served.worker._ports,
            served.relay,
            clock=lambda: self.now,
            checkpoint=self._checkpoint,
        )
        session: Any = self.session
        standing: Session = session
        await self.worker.begin()
        await self.relay.attach(standing)

    def _checkpoint(self, point: str) -> None:
        if point == self.die_at:
            raise Killed(point)

    async def say(self, *asked: Asked) -> list[Reply]:
        """Have these decided as one batch, through however many lives; returns the replies."""
        before = {each.id: len(self.wire.replies.get(each.id, ())) for each in asked}
        dies = self.die_at
        if dies == "half published":
            self.wire.takes = 1
        self.session.deaf = dies == "confirmed"
        try:
            await self._handle(asked)
            lives = dies not in {"half published", "confirmed"}
        except Killed:
            lives = False
        if not lives:
            self.deaths += 1
            self.wire.takes = None
            self.die_at = None
            await self.live()
            await self._handle(asked)  # nobody acknowledged it
        await self.relay.finish()
        return [await self._reply(each, before[each.id]) for each in asked]

    async def _handle(self, asked: Sequence[Asked]) -> None:
        inside = [each for each in asked if each.device == OURSELVES]
        if inside:
            await self.worker.decide(
                [of_ourselves(self.tenant, each.message, each.id, each.at) for each in inside]
            )
        outside = [self._delivery(each) for each in asked if each.device != OURSELVES]
        if outside:
            await self.worker.handle(outside)

    def _delivery(self, asked: Asked) -> Delivery:
        topic = asked.message.topic(tenant=self.tenant, device=asked.device)
        return Delivery(topic, self.wire_form(asked), retain=False, qos=1, tag=0)

    def wire_form(self, asked: Asked) -> bytes:
        """A request as its device writes it."""
        source = device_source(self.tenant, asked.device)
        return encode(asked.message, id=asked.id, source=source, time=asked.at)

    async def _reply(self, asked: Asked, known: int) -> Reply:
        if asked.device == OURSELVES:
            mine = (INBOX.c.tenant == self.tenant) & (INBOX.c.request_id == reserved(asked.id))
            async with self.database.read() as connection:
                return Reply.model_validate_json(
                    await connection.scalar(select(INBOX.c.reply).where(mine)) or ""
                )
        replies = self.wire.replies.get(asked.id, [])
        assert len(replies) > known, f"no answer to {asked}"
        if not isinstance(asked.message, Query):
            assert replies[-1] == replies[known], "two answers to one request"
        return replies[-1]

    async def rows(self, *tables: Table) -> list[list[dict[str, Any]]]:
        """All rows of this house in each of the tables."""
        found = []
        async with self.database.read() as connection:
            for table in tables:
                mine = select(table).where(table.c.tenant == self.tenant)
                rows = await connection.execute(mine.order_by(*table.primary_key))
                found.append([dict(row) for row in rows.mappings()])
        return found

    async def expected(self) -> dict[str, Message]:
        """What should stand retained of this house's orders and kitchen, by topic."""
        found: dict[str, Message] = {}
        async with self.database.read() as connection:
            for source in self._served.router.retained:
                for each in await source(connection, self.tenant, self.now):
                    found[each.topic] = _said(each.topic, each.payload)
        return found

    def standing(self) -> dict[str, Message]:
        """What stands retained, by topic."""
        return {topic: _said(topic, payload) for topic, payload in self.wire.retained.items()}

    def wait(self, for_: timedelta) -> None:
        """Let time pass."""
        self.now += for_


def _said(topic: str, payload: bytes) -> Message:
    said: Message = envelope_of(locate(topic).message).model_validate_json(payload).data
    return said
