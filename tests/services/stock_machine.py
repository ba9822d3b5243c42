"""A house of which several ask at once; what its shelves should hold is added up apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from schemas.identifiers import new_id
from schemas.inventory import Quantity
from schemas.inventory_requests import LoseStock, StockLoss
from schemas.kitchen import LineMark, Ticket, TicketStatus
from schemas.kitchen_requests import BumpTicket, RecallTicket, StartTicket
from schemas.message import Request
from schemas.order_changes import ChangeLine, ServeOrder, VoidLines
from schemas.orders import OPEN_ORDER, AddLines, CancelOrder, LineRequest, Order, PlaceOrder
from schemas.replies import Outcome
from services.inventory.inside import ReservePlanned
from services.inventory.tables import STOCK_HOLDS
from tests.services.evenings import Evening
from tests.services.order_world import (
    MANAGER,
    OTHER,
    OURSELVES,
    POINTS,
    SCREEN,
    TILL,
    Asked,
)
from tests.services.stock_floor import TAKES, StockFloor

_COOKING: Final = {TicketStatus.STARTED, TicketStatus.BUMPED}
dishes = st.sampled_from([*TAKES, "bread"])
lines = st.lists(
    st.builds(LineRequest, item=dishes, quantity=st.integers(1, 3)), min_size=1, max_size=3
).map(tuple)
WISHES: Final = (*["order"] * 5, "later", "add", "change", "void", "cancel", "serve", "lose")
UNITS: Final = {"cake": 1_000, "beef": 100_000, "potato": 100_000}
"""How much is lost at once."""


def _loss(what: StockLoss, item: str) -> LoseStock:
    unit = "each" if item == "cake" else "g"
    quantity = Quantity(amount=str(UNITS[item] // 1000), unit=unit)
    return LoseStock(what=what, item=item, quantity=quantity, reason="dropped")


losses = st.builds(_loss, st.sampled_from(StockLoss), st.sampled_from([*UNITS]))
_UPSET: Final = (ChangeLine, VoidLines, CancelOrder)
WORK: Final = (StartTicket, StartTicket, BumpTicket, RecallTicket)


class StockMachine(Evening):
    """One evening, asked in batches by tills and cooks, with deaths and repetitions."""

    def __init__(self) -> None:
        super().__init__()
        self.floor = StockFloor(self.database)
        self.run(self.floor.open())
        self.received: Counter[str] = Counter()
        self.cooked: dict[tuple[UUID, int], dict[str, int]] = {}
        """What each line has taken from the shelf, at its most."""
        self.lost: dict[StockLoss, Counter[str]] = {each: Counter() for each in StockLoss}

    @initialize()
    def fill(self) -> None:
        self.receive("beef", 2)
        self.receive("potato", 3)
        self.receive("cake", 4)

    @rule(item=st.sampled_from(["beef", "potato", "cake", "stock"]), units=st.integers(1, 2))
    def receive(self, item: str, units: int) -> None:
        unit = {"cake": "each", "stock": "l"}.get(item, "kg")
        self.run(self.floor.fill(**{item: f"{units} {unit}"}))
        self.received[item] += units * (1_000 if unit == "each" else 1_000_000)

    @rule(data=st.data(), several=st.integers(1, 4), dies=st.sampled_from([None, None, *POINTS]))
    def ask_at_once(self, data: st.DataObject, several: int, dies: str | None) -> None:
        orders = self.run(self.floor.orders())
        tickets = [t for t in self.run(self.floor.kept()).values() if not t.plates]
        asked = [self.one(data, orders, tickets) for _ in range(several)]
        # Whether a cook or a guest was first cannot be seen afterwards: not both in one batch.
        upset = [each for each in asked if isinstance(each.message, _UPSET)]
        if upset:
            calm = [each for each in asked if not isinstance(each.message, (*_UPSET, *WORK))]
            asked = [*calm, upset[0]]
        self.floor.die_at = dies
        for ask, reply in zip(asked, self.run(self.floor.say(*asked)), strict=True):
            done = "done" if reply.outcome is Outcome.ACCEPTED else "refused"
            self.counts[f"{ask.message.type_name.split('.', 1)[1]}: {done}"] += 1
            if isinstance(ask.message, LoseStock) and reply.outcome is Outcome.ACCEPTED:
                self.lost[ask.message.what][ask.message.item] += UNITS[ask.message.item]
        self.floor.die_at = None
        if data.draw(st.booleans()):
            before = self.run(self.floor.levels())
            self.run(self.floor.say(*asked))  # nobody heard the answers: all comes again
            assert self.run(self.floor.levels()) == before
        self.floor.wait(timedelta(seconds=1))

    def one(
        self, data: st.DataObject, orders: Mapping[UUID, Order], tickets: list[Ticket]
    ) -> Asked:
        """Any request that somebody of the house may make now."""
        if len(tickets) and data.draw(st.booleans()):
            ticket = data.draw(st.sampled_from(tickets))
            return self.said(SCREEN, data.draw(st.sampled_from(WORK))(ticket_id=ticket.ticket_id))
        wish = data.draw(st.sampled_from(WISHES)) if orders else "order"
        till = data.draw(st.sampled_from([TILL, OTHER]))
        if wish in {"order", "later"}:
            due = self.floor.now + timedelta(days=2) if wish == "later" else None
            return self.said(till, PlaceOrder(lines=data.draw(lines), due_at=due))
        order = data.draw(st.sampled_from(list(orders.values())))
        id_, line = order.order_id, data.draw(st.sampled_from(order.lines)).line
        wanted: dict[str, tuple[str, Request]] = {
            "add": (till, AddLines(order_id=id_, lines=data.draw(lines))),
            "change": (
                till,
                ChangeLine(order_id=id_, line=line, quantity=data.draw(st.integers(1, 4))),
            ),
            "void": (MANAGER, VoidLines(order_id=id_, lines=(line,), reason="no time")),
            "cancel": (till, CancelOrder(order_id=id_, reason="no time")),
            "serve": (till, ServeOrder(order_id=id_)),
            "lose": (till, data.draw(losses)),
        }
        return self.said(*wanted[wish])

    def said(self, device: str, request: Request) -> Asked:
        return Asked(device, request, new_id(), self.floor.now)

    @rule()
    def begin_the_day_of_what_was_planned(self) -> None:
        (rows,) = self.run(self.floor.rows(STOCK_HOLDS))
        for row in rows:
            if row["plan_until"] is not None:
                due = ReservePlanned(order_id=row["order_id"], plan_until=row["plan_until"])
                self.run(self.floor.do(due, OURSELVES))

    @invariant()
    def adds_up(self) -> None:
        """The shelves hold what came in, less what was cooked; and promise what is wanted still."""
        self.run(self.floor.check())
        orders = self.run(self.floor.orders())
        for ticket in self.run(self.floor.kept()).values():
            if ticket.plates or ticket.status not in _COOKING:
                continue
            for line in ticket.lines:
                if line.mark is not LineMark.CANCELLED:
                    self.take(orders[ticket.order_id], line.line)
        promised: Counter[str] = Counter()
        for order in orders.values():
            for each in order.lines:
                cooked = (order.order_id, each.line) in self.cooked
                if order.status in OPEN_ORDER and not each.voided and not cooked:
                    for item, amount in TAKES.get(each.item, {}).items():
                        promised[item] += amount * each.quantity
        taken: Counter[str] = Counter()
        for one in self.cooked.values():
            taken.update(one)
        for item, level in self.run(self.floor.levels()).items():
            lost = {what: each[item] for what, each in self.lost.items()}
            gone = lost[StockLoss.WASTE] + lost[StockLoss.DISCARD]
            aside = lost[StockLoss.DAMAGE] - lost[StockLoss.REPAIR] - lost[StockLoss.DISCARD]
            assert level.on_hand == self.received[item] - taken[item] - gone, item
            assert level.reserved + level.planned == promised[item], item
            assert level.damaged == aside, item

    def take(self, order: Order, number: int) -> None:
        """Once begun, it stays taken; where more is wanted then, more is taken."""
        line = order.lines[number - 1]
        had = self.cooked.setdefault((order.order_id, number), {})
        if not line.voided or not had:
            for item, amount in TAKES.get(line.item, {}).items():
                had[item] = max(had.get(item, 0), amount * line.quantity)
