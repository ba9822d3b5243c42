"""Parties at random on both databases, with requests twice, times over, and lives that end."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest

from schemas.house_rules import OrderRules
from schemas.identifiers import new_id, reserved
from schemas.kitchen_requests import BumpTicket, HearTickets, StartTicket
from schemas.message import Request
from schemas.order_changes import VoidOrder
from schemas.orders import CloseOrder, LineRequest
from schemas.parties import (
    ChooseLines,
    JoinParty,
    LeaveParty,
    OpenParty,
    Party,
    PartyState,
    PartyStatus,
    SendParty,
)
from schemas.replies import Outcome, PartyReceipt, Reply
from services.kitchen.store import TICKETS
from services.orders import party_store
from services.orders.inside import EndParty
from services.orders.party_rules import LASTS, present
from services.orders.party_tables import PARTIES
from services.orders.store import ORDERS
from services.runtime.database import Database
from tests.services.order_world import MANAGER, OURSELVES, POINTS, SCREEN, TILL, Asked, OrderWorld
from tests.system import MENU, menu_items

GUESTS: Final = ("guest-a", "guest-b", "guest-c", "guest-d", TILL)
EVENINGS: Final = 2
BATCHES: Final = 60


class Evening:
    """One house for an evening, beside a plain record of who wants what in which party."""

    def __init__(self, database: Database, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - repeatable
        self.world = OrderWorld(database, OrderRules(), menu_items(MENU))
        self.wanted: dict[UUID, dict[str, tuple[LineRequest, ...]]] = {}
        self.codes: dict[UUID, str] = {}
        self.asked: list[Asked] = []
        self.done: Counter[str] = Counter()

    async def go(self) -> None:
        await self.world.open()
        for _ in range(BATCHES):
            if self.chance.random() < 0.1:
                self.world.wait(timedelta(minutes=self.chance.choice([1, 30, 130])))
            batch = [self.ask(device) for device in self.chance.choices(GUESTS, k=5)]
            if self.asked and self.chance.random() < 0.3:
                batch.append(self.chance.choice(self.asked))  # said once more
            if self.chance.random() < 0.25:
                self.world.die_at = self.chance.choice(POINTS)
            fresh = {each.id for each in batch} - {each.id for each in self.asked}
            replies = await self.world.say(*{each.id: each for each in batch}.values())
            for each, reply in zip(
                {each.id: each for each in batch}.values(), replies, strict=True
            ):
                if each.id in fresh:
                    self.note(each, reply)
            self.asked += [each for each in batch if each.id in fresh]
            await self.move_orders()
            await self.end_what_is_over()
            await self.check()

    def ask(self, device: str) -> Asked:
        party = self.chance.choice([*self.wanted]) if self.wanted else UUID(int=7)
        mine = [each for each, who in self.wanted.items() if device in who]
        if mine and self.chance.random() < 0.8:
            party = mine[-1]
        lines = tuple(
            LineRequest(item=self.chance.choice([*MENU, *MENU, "soup"]), quantity=number + 1)
            for number in range(self.chance.randrange(3))
        )
        open_, join, choose, leave, send = (
            OpenParty(name=device),
            JoinParty(code=self.codes.get(party, "0000-0000"), name=device),
            ChooseLines(party_id=party, lines=lines),
            LeaveParty(party_id=party),
            SendParty(party_id=party),
        )
        wanted: Request = self.chance.choices(
            [open_, join, choose, leave, send], weights=[3, 6, 8, 1, 2]
        )[0]
        return Asked(device, wanted, at=self.world.now)

    def note(self, asked: Asked, reply: Reply) -> None:
        """Write down what an accepted request means."""
        request = asked.message
        self.done[f"{type(request).__name__}: {reply.code or 'done'}"] += 1
        if reply.outcome is Outcome.REJECTED:
            return
        assert isinstance(reply.result, PartyReceipt)
        party = reply.result.party
        if isinstance(request, OpenParty | JoinParty):
            self.codes[party.party_id] = party.code
            self.leave_others(asked.device, party.party_id)
            self.wanted.setdefault(party.party_id, {}).setdefault(asked.device, ())
        elif isinstance(request, ChooseLines):
            self.wanted[party.party_id][asked.device] = request.lines
        elif isinstance(request, LeaveParty):
            self.wanted[party.party_id].pop(asked.device)
            if party.status is PartyStatus.ENDED:
                del self.wanted[party.party_id]

    def leave_others(self, device: str, party_id: UUID) -> None:
        for other, who in self.wanted.items():
            if other != party_id:
                who.pop(device, None)

    async def move_orders(self) -> None:
        """The kitchen makes one of the orders, and a waiter closes it; or a manager voids it."""
        orders, tickets = await self.world.rows(ORDERS, TICKETS)
        for order in orders:
            if order["status"] == "accepted" and self.chance.random() < 0.4:
                asks: list[tuple[str, Request]] = []
                for row in (row for row in tickets if row["order_id"] == order["order_id"]):
                    of = {"ticket_id": row["ticket_id"]}
                    asks += [
                        (SCREEN, HearTickets(ticket_ids=(row["ticket_id"],))),
                        (SCREEN, StartTicket(**of)),
                        (SCREEN, BumpTicket(**of)),
                    ]
                asks.append((TILL, CloseOrder(order_id=order["order_id"])))
                if self.chance.random() < 0.3:
                    asks = [(MANAGER, VoidOrder(order_id=order["order_id"], reason="a fly"))]
                for device, request in asks:
                    (reply,) = await self.world.say(Asked(device, request, at=self.world.now))
                    assert reply.outcome is Outcome.ACCEPTED, reply

    async def end_what_is_over(self) -> None:
        async with self.world.database.read() as connection:
            overdue = await connection.execute(party_store.overdue(self.world.now))
        for each in overdue:
            if each.tenant == self.world.tenant:
                ending = EndParty(party_id=each.party_id, ends_at=each.ends_at)
                ours = Asked(OURSELVES, ending, reserved(new_id()), self.world.now)
                await self.world.say(ours)
                self.done["ended by time"] += 1

    async def check(self) -> None:
        rows, orders = await self.world.rows(PARTIES, ORDERS)
        parties = {row["party_id"]: party_store.to_party(row) for row in rows}
        self.wanted = {
            party_id: who
            for party_id, who in self.wanted.items()
            if parties[party_id].status is not PartyStatus.ENDED
        }
        sat = Counter(guest.device for party in parties.values() for guest in present(party))
        assert max(sat.values(), default=0) <= 1, "a device is in one party at a time"
        by_id = {row["order_id"]: row for row in orders}
        for party in parties.values():
            if party.status is not PartyStatus.ENDED:
                assert self.world.now < party.ends_at <= self.world.now + LASTS
                self.check_wants(party)
            if party.order_id is not None:
                order = by_id.pop(party.order_id)
                assert party.order_status == order["status"]
        assert not by_id, "no order without its party"
        assert await self.shown() == await self.expected()

    def check_wants(self, party: Party) -> None:
        here = {each.device: each for each in present(party)}
        who = self.wanted[party.party_id]
        assert here.keys() == who.keys()
        for device, lines in who.items():
            own = [(line.item, line.quantity) for line in here[device].lines]
            assert own == [(line.item, line.quantity) for line in lines]
            cost = sum(MENU[line.item][1] * line.quantity for line in lines)
            assert here[device].subtotal_minor == cost

    async def shown(self) -> dict[str, Any]:
        return {t: m for t, m in self.world.standing().items() if isinstance(m, PartyState)}

    async def expected(self) -> dict[str, Any]:
        found = await self.world.expected()
        return {topic: each for topic, each in found.items() if isinstance(each, PartyState)}


@pytest.mark.timeout(900)
async def test_each_has_what_they_chose_whatever_is_said_twice_and_whatever_dies(
    database: Database, fault_runs: int | None
) -> None:
    done: Counter[str] = Counter()
    deaths = 0
    for seed in range(fault_runs or EVENINGS):
        evening = Evening(database, seed)
        try:
            await evening.go()
        except BaseException as error:
            error.add_note(f"the evening of seed {seed}")
            raise
        done += evening.done
        deaths += evening.world.deaths
    for much in ("OpenParty", "JoinParty", "ChooseLines", "LeaveParty", "SendParty"):
        assert done[f"{much}: done"], done
    assert done["SendParty: not-the-host"]
    assert done["ChooseLines: unknown-item"]
    assert deaths
