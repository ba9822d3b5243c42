"""What happens to orders because time passes: once, in time, and after a restart too."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from schemas.house_rules import OrderRules, PaymentRule
from schemas.identifiers import new_id
from schemas.orders import CancelOrder, Guest, OrderChange, OrderStatus, Participant
from services.kitchen.store import TICKETS
from services.orders.journal import JOURNAL
from services.orders.store import ORDERS
from services.orders.timers import GuestTimer, OrderTimer
from services.runtime import house_rules, timers
from services.runtime.database import Database
from services.runtime.tables import INBOX
from tests.running import StartSystem
from tests.spoken import Speaker, order
from tests.system import RunningSystem, RunningTenant, until

HOUR = timedelta(hours=1)
LEAD = timedelta(seconds=OrderRules().lead_s)


class HandMoved:
    """A clock that goes on only when a test moves it."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> HandMoved:
    return HandMoved()


@pytest.fixture
def timed(start_system: StartSystem, clock: HandMoved) -> RunningSystem:
    return start_system(clock=clock)


def set_rules(tenant: RunningTenant, rules: OrderRules) -> None:
    system = tenant.system
    system.writing(lambda connection: house_rules.write(connection, tenant.name, orders=rules))


def status(tenant: RunningTenant, order_id: UUID) -> str:
    (row,) = [row for row in tenant.rows(ORDERS) if row["order_id"] == order_id]
    return str(row["status"])


def told(tenant: RunningTenant, order_id: UUID) -> list[str]:
    """What the journal says happened to an order, in its order."""
    rows = [row for row in tenant.rows(JOURNAL) if row["order_id"] == order_id]
    return [row["change"] for row in sorted(rows, key=lambda row: int(row["version"]))]


def place(pos: Speaker, clock: HandMoved, due_at: datetime | None) -> UUID:
    request_id = new_id()
    pos.say(order("burger", due_at=due_at), request_id, clock())
    reply = pos.reply_to(request_id)
    assert reply.code is None, reply.message
    return request_id


def tickets(tenant: RunningTenant, order_id: UUID) -> int:
    return sum(row["order_id"] == order_id for row in tenant.rows(TICKETS))


def test_an_order_for_later_reaches_the_kitchen_at_its_time_and_once(
    timed: RunningSystem, clock: HandMoved
) -> None:
    tenant = timed.add_tenant()
    with tenant.speaker() as pos:
        due_at = clock() + 2 * HOUR
        later = place(pos, clock, due_at)
        sooner = place(pos, clock, due_at - timedelta(seconds=1))
        assert (status(tenant, later), tickets(tenant, later)) == ("placed", 0)
        clock.at = due_at - LEAD - timedelta(seconds=1)
        until(lambda: status(tenant, sooner) == "accepted", "the first of the two")
        assert (status(tenant, later), tickets(tenant, later)) == ("placed", 0)
        clock.at += timedelta(seconds=1)
        until(lambda: status(tenant, later) == "accepted", "the second")
        assert tickets(tenant, later) == tickets(tenant, sooner) == 1
        # As long again: another order is placed and woken, and nothing more happens to these.
        third = place(pos, clock, clock() + LEAD + timedelta(seconds=5))
        clock.at += timedelta(seconds=5)
        until(lambda: status(tenant, third) == "accepted", "the third")
        assert told(tenant, later) == [OrderChange.PLACED, OrderChange.ACCEPTED]
        assert told(tenant, sooner) == [OrderChange.PLACED, OrderChange.ACCEPTED]


def test_what_came_due_while_nobody_served_is_done_at_the_next_start(
    timed: RunningSystem, clock: HandMoved
) -> None:
    tenant = timed.add_tenant()
    with tenant.speaker() as pos:
        later = place(pos, clock, clock() + 2 * HOUR)
    timed.stop()
    clock.at += 3 * HOUR
    assert status(tenant, later) == "placed"
    timed.start()
    until(lambda: status(tenant, later) == "accepted", "the kitchen's turn")
    timed.restart()
    with tenant.speaker() as pos:
        marker = place(pos, clock, clock() + LEAD + timedelta(seconds=1))
        clock.at += timedelta(seconds=1)
        until(lambda: status(tenant, marker) == "accepted", "another one's turn")
    assert told(tenant, later) == [OrderChange.PLACED, OrderChange.ACCEPTED]
    assert tickets(tenant, later) == 1


def test_an_order_that_nobody_paid_is_given_up(timed: RunningSystem, clock: HandMoved) -> None:
    tenant = timed.add_tenant()
    set_rules(tenant, OrderRules(payment=PaymentRule.BEFORE_KITCHEN, payment_patience_s=60))
    with tenant.speaker() as pos:
        unpaid = place(pos, clock, None)
    assert status(tenant, unpaid) == "placed"
    clock.at += timedelta(seconds=60)
    until(lambda: status(tenant, unpaid) == "cancelled", "the end of patience")
    assert told(tenant, unpaid) == [OrderChange.PLACED, OrderChange.CANCELLED]
    assert tickets(tenant, unpaid) == 0


def test_whoever_is_cancelled_meanwhile_is_not_woken(
    timed: RunningSystem, clock: HandMoved
) -> None:
    tenant = timed.add_tenant()
    with tenant.speaker() as pos:
        due_at = clock() + 2 * HOUR
        gone, other = place(pos, clock, due_at), place(pos, clock, due_at)
        request_id = new_id()
        pos.say(CancelOrder(order_id=gone, reason="changed their mind"), request_id, clock())
        assert pos.reply_to(request_id).code is None
        clock.at = due_at
        until(lambda: status(tenant, other) == "accepted", "the other one's turn")
    assert told(tenant, gone) == [OrderChange.PLACED, OrderChange.CANCELLED]


def test_many_that_are_due_at_once_are_woken_page_by_page_each_once(
    timed: RunningSystem, clock: HandMoved, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "PAGE", 4)
    tenant = timed.add_tenant()
    with tenant.speaker() as pos:
        due_at = clock() + 2 * HOUR
        placed = [place(pos, clock, due_at) for _ in range(14)]
        clock.at = due_at
        until(lambda: {status(tenant, each) for each in placed} == {"accepted"}, "all of them")
    assert [tickets(tenant, each) for each in placed] == [1] * 14
    for each in placed:
        assert told(tenant, each) == [OrderChange.PLACED, OrderChange.ACCEPTED]


def test_two_that_look_at_once_wake_an_order_once(timed: RunningSystem, clock: HandMoved) -> None:
    tenant = timed.add_tenant()
    with tenant.speaker() as pos:
        later = place(pos, clock, clock() + 2 * HOUR)

    async def both() -> None:
        database = Database(timed.database_url)
        try:
            every = [OrderTimer(database, timed.served.intake, clock) for _ in range(5)]
            clock.at += 2 * HOUR
            await asyncio.gather(*(each.look() for each in every))
        finally:
            await database.close()

    timed.call(both())
    assert told(tenant, later) == [OrderChange.PLACED, OrderChange.ACCEPTED]
    woken = [row for row in tenant.rows(INBOX) if "wake" in row["type"]]
    assert len(woken) == 1


def test_guests_are_forgotten_when_their_house_has_kept_them_long_enough(
    timed: RunningSystem, clock: HandMoved, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "PAGE", 2)
    short, usual = timed.add_tenant(), timed.add_tenant()
    set_rules(short, OrderRules(keep_guests_days=2))
    guest = Guest(name="Ada Lovelace", email="ada@example.org", phone="+44 20 7946 0000")
    ada = Participant(guest=1, name="Ada Lovelace")
    open_still: UUID
    for tenant in (short, usual):
        with tenant.speaker() as pos:
            for number in range(5):
                placed, ended = new_id(), new_id()
                named = {"guest": guest} if number else {"participants": (ada,)}
                pos.say(order("burger", **named), placed, clock())
                assert pos.reply_to(placed).code is None
                pos.say(CancelOrder(order_id=placed, reason="no appetite"), ended, clock())
                assert pos.reply_to(ended).code is None
            open_still = new_id()
            pos.say(order("burger", guest=guest), open_still, clock())
            assert pos.reply_to(open_still).code is None

    def known(tenant: RunningTenant) -> int:
        return sum("Ada" in repr(row) for row in tenant.rows(ORDERS))

    def look() -> int:
        async def inside() -> int:
            database = Database(timed.database_url)
            try:
                return await GuestTimer(database, timed.served.intake, clock).look()
            finally:
                await database.close()

        return timed.call(inside())

    clock.at += timedelta(days=2) - timedelta(seconds=1)
    assert look() == 0
    clock.at += timedelta(seconds=1)
    assert look() == 5
    assert (known(short), known(usual)) == (1, 6)
    assert look() == 0
    clock.at += timedelta(days=363)
    assert look() == 5
    assert (known(short), known(usual)) == (1, 1), "who has not had it yet stays known"
    (row,) = [row for row in usual.rows(ORDERS) if row["guest"] is not None]
    assert (row["order_id"], row["status"]) == (open_still, OrderStatus.ACCEPTED)
