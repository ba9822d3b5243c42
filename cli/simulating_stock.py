"""Half a year of a house's stock, simulated: the services decide, a real database keeps.

Orders of a file are placed, cooked and closed at the times that the file says; a clock of its
own jumps from one to the next. Who buys goes by the alerts alone: what is low is ordered, and
comes some days later, or not at all. What came in, went out and was thrown away is added up
beside, from the file and the recipes; in the end the books must say the same.

Nothing goes over MQTT here: requests reach the worker as a broker would hand them over, and what
the services tell is taken down.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import select

from broker_config.settings import BrokerAddress
from cli.assumed_book import AssumedBook
from cli.compose import assemble
from cli.order_files import FileOrder, OrderFile, make_menu
from schemas.alerts import Alert, AlertKind, AlertState
from schemas.catalogue import locate
from schemas.devices import Role
from schemas.envelope import device_source, encode, envelope_of
from schemas.identifiers import new_id
from schemas.inventory import Quantity
from schemas.inventory_requests import LoseStock, ReceivedLine, ReceiveStock, StockLoss
from schemas.kitchen_requests import BumpTicket, StartTicket
from schemas.kitchen_rules import KitchenRules
from schemas.menu import MenuItem
from schemas.message import Request
from schemas.orders import CloseOrder, LineRequest, PlaceOrder
from schemas.replies import Outcome, Reply
from services.inventory.store import KeptRecipe, put
from services.inventory.tables import LOTS, STOCK_HOLDS, STOCK_LEVELS, STOCK_MOVEMENTS
from services.kitchen.store import TICKETS
from services.menu.handlers import put_menu
from services.people.store import Tenant, add_tenant
from services.runtime import house_rules
from services.runtime.bus import Delivery, Session
from services.runtime.database import Database
from services.runtime.tables import DEVICES

TENANT: Final = "simulated"
TILL, SCREEN = "pos-1", "screen-1"
STEP: Final = timedelta(minutes=30)
OPENS: Final = time(8)
CLOSES: Final = time(23, 59)
_WARNING: Final = frozenset({AlertKind.LOW_STOCK, AlertKind.CRITICAL_STOCK, AlertKind.STOCK_OUT})
_TO_THOUSANDTHS: Final = 1000

Progress = Callable[[int], None]
"""Told how many orders are done."""


@dataclass(slots=True)
class Heard:
    """All that the services have told: replies, alerts in their turn, the menu as it stands."""

    replies: dict[UUID, Reply] = field(default_factory=dict)
    alerts: dict[str, list[Alert | None]] = field(default_factory=lambda: defaultdict(list))
    """By name: each time it was told, and None each time it was over."""
    menu: dict[str, MenuItem] = field(default_factory=dict)
    messages: int = 0
    _confirmed: Callable[[int], None] = lambda _tag: None

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> int:
        """Take one message down."""
        del retain
        self.messages += 1
        located = locate(topic)
        if located.message is AlertState:
            self._alert(located.address["alert_id"], payload)
        elif located.message in {Reply, MenuItem} and payload:
            said = envelope_of(located.message).model_validate_json(payload).data
            if isinstance(said, Reply) and said.request is not None:
                self.replies[said.request] = said
            elif isinstance(said, MenuItem):
                self.menu[said.item] = said
        if qos:
            asyncio.get_running_loop().call_soon(self._confirmed, self.messages)
        return self.messages

    def _alert(self, name: str, payload: bytes) -> None:
        told = None
        if payload:
            told = envelope_of(AlertState).model_validate_json(payload).data.alert
        self.alerts[name].append(told)

    def standing(self) -> Iterator[Alert]:
        """The alerts that are not over."""
        for told in self.alerts.values():
            if told[-1] is not None:
                yield told[-1]

    def on_confirmed(self, callback: Callable[[int], None]) -> None:
        """See `Session.on_confirmed`."""
        self._confirmed = callback

    def on_lost(self, callback: Callable[[], None]) -> None:
        """It is never lost."""

    def send_now(self) -> None:
        """It was taken at once."""


@dataclass(slots=True)
class Beside:
    """What came in and went out, added up from the file and the recipes, in thousandths."""

    received: Counter[str] = field(default_factory=Counter)
    cooked: Counter[str] = field(default_factory=Counter)
    thrown: Counter[str] = field(default_factory=Counter)

    def on_hand(self, item: str) -> int:
        """What should be there."""
        return self.received[item] - self.cooked[item] - self.thrown[item]


class StockHouse:
    """A house with the menu of a file and a book of assumed recipes.

    Args:
        database: migrated, and nobody else's.
        file: its orders.
        book: its items and recipes, with thresholds.
        currency: of the menu's prices.
        seed: of suppliers that are late.
    """

    def __init__(
        self,
        database: Database,
        file: OrderFile,
        book: AssumedBook,
        *,
        currency: str,
        seed: int = 1,
    ) -> None:
        self._database: Final = database
        self._book: Final = book
        self._chance: Final = random.Random(seed)  # noqa: S311 - the same suppliers each time
        self._currency: Final = currency
        self._menu, self._items = make_menu(file, currency=self._currency)
        self._takes: Final = {self._items[key]: book.takes.get(key[0], {}) for key in self._items}
        self.heard: Final = Heard()
        self.beside: Final = Beside()
        self.now = file.orders[0].placed_at.replace(tzinfo=UTC)
        self._coming: list[tuple[datetime, str, int]] = []
        self.figures: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.untold: list[str] = []

    async def open(self) -> None:
        """Write the menu, the book and the devices, and fill the shelves."""
        async with self._database.write() as connection:
            row = Tenant(TENANT, "Simulated", self._currency, self.now)
            await add_tenant(connection, row)
            await house_rules.write(connection, TENANT, kitchen=KitchenRules(escalation=()))
            await put_menu(connection, TENANT, self._menu, self.now, replace=True)
            for device, role in ((TILL, Role.MANAGER), (SCREEN, Role.KITCHEN_DISPLAY)):
                values = {"tenant": TENANT, "device": device, "role": role.value}
                await connection.execute(DEVICES.insert().values(**values, created_at=self.now))
            kept = [KeptRecipe(name, {}, takes) for name, takes in self._takes.items() if takes]
            await put(connection, TENANT, list(self._book.items.values()), kept)
        served = assemble(self._database, BrokerAddress(), "nobody asks", clock=lambda: self.now)
        self._worker, self._relay = served.worker, served.relay
        await self._worker.begin()
        await self._relay.attach(cast("Session", self.heard))
        par = [(name, self._par(name)) for name in self._book.items]
        await self._receive([(name, amount) for name, amount in par if amount])

    async def play(self, orders: Sequence[FileOrder], progress: Progress) -> None:
        """Play all days of these orders."""
        for day, of_day in groupby(orders, lambda order: order.placed_at.date()):
            self.now = datetime.combine(day, OPENS, UTC)
            await self._deliveries()
            await self._throw_away()
            for _, some in groupby(of_day, _step):
                batch = list(some)
                await self._serve(batch)
                progress(self.figures["orders"] + self.figures["refused"])
            self.now = datetime.combine(day, CLOSES, UTC)
            await self._buy()
            self.figures["days"] += 1
        await self._relay.finish()

    # -- what guests and cooks do ---------------------------------------------------------

    async def _serve(self, orders: Sequence[FileOrder]) -> None:
        self.now = max(self.now, orders[-1].placed_at.replace(tzinfo=UTC))
        before = await self._levels()
        standing = {each.about for each in self.heard.standing() if each.kind in _WARNING}
        placed = [(new_id(), order) for order in orders]
        asked: list[tuple[str, UUID, Request]] = []
        for id_, order in placed:
            lines = tuple(
                LineRequest(item=self._items[line.name, line.unit_minor], quantity=line.quantity)
                for line in order.lines
            )
            asked.append((TILL, id_, PlaceOrder(lines=lines)))
        await self._say(asked)
        taken = []
        for id_, order in placed:
            reply = self.heard.replies.pop(id_)
            if reply.outcome is Outcome.ACCEPTED:
                taken.append(id_)
                self.beside.cooked.update(self._needs(order))
                self.figures["orders"] += 1
            else:
                self.figures["refused"] += 1
                self._was_told(order, before, standing, reply)
        tickets = await self._tickets(taken)
        await self._say([(SCREEN, new_id(), StartTicket(ticket_id=each)) for each in tickets])
        await self._say([(SCREEN, new_id(), BumpTicket(ticket_id=each)) for each in tickets])
        await self._say([(TILL, new_id(), CloseOrder(order_id=each)) for each in taken])
        self.heard.replies.clear()
        await self._compare()

    def _needs(self, order: FileOrder) -> Counter[str]:
        needs: Counter[str] = Counter()
        for line in order.lines:
            for item, amount in self._book.takes.get(line.name, {}).items():
                needs[item] += amount * line.quantity
        return needs

    def _was_told(
        self,
        order: FileOrder,
        before: Mapping[str, Mapping[str, Any]],
        standing: set[str],
        reply: Reply,
    ) -> None:
        """See that what ran out was warned of before; or that nothing could have told."""
        short = [
            item
            for item, amount in self._needs(order).items()
            if self.beside.on_hand(item) < amount
        ]
        if not short:
            self.wrong.append(f"order {order.order_id} was refused for nothing: {reply.message}")
        for item in short:
            if item in standing:
                self.figures["stock_outs_told_before"] += 1
                continue
            row, low = before[item], self._book.items[item].low or 0
            if row["on_hand"] - row["reserved"] - row["damaged"] >= low:
                self.figures["stock_outs_nothing_could_tell"] += 1
            else:
                self.untold.append(f"{item} ran out at {self.now} untold")

    # -- what the house does --------------------------------------------------------------

    async def _deliveries(self) -> None:
        """What was bought comes, if it comes today."""
        due = [(item, amount) for at, item, amount in self._coming if at <= self.now]
        self._coming = [each for each in self._coming if each[0] > self.now]
        if due:
            await self._receive(due)

    async def _receive(self, due: Iterable[tuple[str, int]]) -> None:
        lines = []
        for item, amount in due:
            keeps = timedelta(days=self._book.keeps_days[item])
            lines.append(
                ReceivedLine(
                    item=item,
                    quantity=self._quantity(item, amount),
                    expires_on=(self.now + keeps).date(),
                )
            )
            self.beside.received[item] += amount
        self.figures["deliveries"] += 1
        note = f"note-{self.figures['deliveries']}"
        asked = ReceiveStock(supplier="market", note=note, lines=tuple(lines))
        await self._do(asked)

    async def _throw_away(self) -> None:
        """Lots that have expired: what should be left of them is thrown away."""
        today = self.now.date()
        levels = await self._levels()
        for item, lots in groupby(await self._lots(), lambda row: row["item"]):
            fresh, old = 0, []
            for row in lots:
                if row["expires_on"] < today:
                    old.append(row)
                else:
                    fresh += row["received"] - row["gone"]
            spoilt = levels[item]["on_hand"] - fresh
            if old and spoilt > 0:
                await self._do(
                    LoseStock(
                        what=StockLoss.WASTE,
                        item=item,
                        quantity=self._quantity(item, spoilt),
                        reason="expired",
                    )
                )
                self.beside.thrown[item] += spoilt
                self.figures["thrown_away"] += 1

    async def _buy(self) -> None:
        """What an alert stands for is bought up to its par, unless it is coming already."""
        coming = {item for _, item, _ in self._coming}
        levels = await self._levels()
        for item in sorted({a.about for a in self.heard.standing() if a.kind in _WARNING}):
            if item in coming:
                continue
            known = self._book.items[item]
            pack = known.packs[0].holds
            missing = self._par(item) - levels[item]["on_hand"]
            if missing <= 0:
                continue
            days = self._chance.choice((1, 1, 1, 1, 2, 4))
            at = datetime.combine(self.now.date() + timedelta(days=days), OPENS, UTC)
            self._coming.append((at, item, -(-missing // pack) * pack))

    def _par(self, item: str) -> int:
        """How much there should be: no more than is eaten before it spoils."""
        days = min(self._book.cover.par, Decimal(self._book.keeps_days[item] - 1))
        return int((self._book.items[item].par or 0) * days / self._book.cover.par)

    # -- what stands in the books ---------------------------------------------------------

    async def _compare(self) -> None:
        """Hold the books and the menu against what was added up beside."""
        levels = await self._levels()
        for item, row in levels.items():
            if row["on_hand"] != self.beside.on_hand(item) or row["reserved"]:
                self.wrong.append(f"{item} at {self.now}: {dict(row)}")
            if row["on_hand"] < 0:
                self.wrong.append(f"{item} was oversold at {self.now}")
        for item, takes in self._takes.items():
            can = all(self.beside.on_hand(each) >= amount for each, amount in takes.items())
            told = self.heard.menu.get(item)
            if (told is None or told.available) != can:
                self.wrong.append(f"the menu is wrong of {item} at {self.now}")
        self.figures["comparisons"] += 1

    async def finish(self) -> dict[str, Any]:
        """Add the ledger up once more, and tell the figures."""
        async with self._database.read() as connection:
            sums: Counter[str] = Counter()
            kinds: dict[str, Counter[str]] = defaultdict(Counter)
            movements = select(STOCK_MOVEMENTS.c.kind, STOCK_MOVEMENTS.c.amounts)
            for kind, amounts in await connection.execute(movements):
                kinds[kind].update(amounts)
            holds = (await connection.scalars(select(STOCK_HOLDS.c.lines))).all()
        for sign, kind in ((1, "receive"), (-1, "consume"), (-1, "waste"), (1, "count")):
            for item, amount in kinds[kind].items():
                sums[item] += sign * amount
        levels = await self._levels()
        apart = [item for item, row in levels.items() if sums[item] != row["on_hand"]]
        leaks = [
            item
            for item in levels
            if kinds["reserve"][item] != kinds["consume"][item] + kinds["release"][item]
        ]
        uncooked = sum(not line["cooked"] for lines in holds for line in lines.values())
        raised, badly = self._episodes()
        return {
            **self.figures,
            "items": len(levels),
            "items_whose_ledger_is_apart": len(apart),
            "reservations_leaked": len(leaks) + uncooked,
            "alerts_raised": raised,
            "alerts_not_raised_and_cleared_in_turn": badly,
            "stock_outs_untold": len(self.untold),
            "wrong": len(self.wrong),
            "first_wrong": [*self.wrong, *self.untold][:5],
        }

    def _episodes(self) -> tuple[int, int]:
        """How many episodes of alerts there were, and how many were told amiss."""
        raised = badly = 0
        for told in self.heard.alerts.values():
            last: Alert | None = None
            for each in told:
                if each is not None and last is None:
                    raised += 1
                elif each is None or last is None:
                    badly += each is last  # over, and it was over already
                else:
                    badly += each.raised_at != last.raised_at  # a new one on top of an old one
                last = each
        return raised, badly

    async def _levels(self) -> Mapping[str, Mapping[str, Any]]:
        async with self._database.read() as connection:
            rows = (await connection.execute(select(STOCK_LEVELS))).mappings()
            return {row["item"]: dict(row) for row in rows}

    async def _lots(self) -> list[Mapping[str, Any]]:
        order = (LOTS.c.item, LOTS.c.expires_on.desc(), LOTS.c.received_at.desc())
        async with self._database.read() as connection:
            rows = (await connection.execute(select(LOTS).order_by(*order))).mappings()
            return [dict(row) for row in rows]

    async def _tickets(self, orders: Sequence[UUID]) -> list[UUID]:
        query = select(TICKETS.c.ticket_id).where(TICKETS.c.order_id.in_(orders))
        async with self._database.read() as connection:
            return list((await connection.scalars(query.order_by(TICKETS.c.ticket_id))).all())

    # -- asking ---------------------------------------------------------------------------

    def _quantity(self, item: str, amount: int) -> Quantity:
        whole, rest = divmod(amount, _TO_THOUSANDTHS)
        return Quantity(amount=f"{whole}.{rest:03}", unit=self._book.items[item].unit.value)

    async def _do(self, request: Request) -> None:
        id_ = new_id()
        await self._say([(TILL, id_, request)])
        reply = self.heard.replies.pop(id_)
        if reply.outcome is Outcome.REJECTED:
            self.wrong.append(f"{request.type_name} at {self.now}: {reply.message}")

    async def _say(self, asked: Sequence[tuple[str, UUID, Request]]) -> None:
        if asked:
            await self._worker.handle([self._delivery(*each) for each in asked])
            await self._relay.finish()

    def _delivery(self, device: str, id_: UUID, request: Request) -> Delivery:
        payload = encode(request, id=id_, source=device_source(TENANT, device), time=self.now)
        topic = request.topic(tenant=TENANT, device=device)
        return Delivery(topic, payload, retain=False, qos=1, tag=0)


def _step(order: FileOrder) -> int:
    return (order.placed_at.hour * 60 + order.placed_at.minute) // (STEP.seconds // 60)
