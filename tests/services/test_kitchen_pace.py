"""The kitchen's pace on real rows: where tickets go, what is promised, learnt, held and paused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event

from schemas.house_rules import OrderRules
from schemas.identifiers import derived_id
from schemas.kitchen import StationHead, Ticket, TicketStatus
from schemas.kitchen_pace import ChannelState, PauseChannel, ResumeChannel
from schemas.kitchen_requests import BumpTicket, CloseStation, HearTickets, StartTicket
from schemas.kitchen_rules import (
    KitchenRules,
    RouteRule,
    StationRules,
    ThrottleRules,
)
from schemas.menu import Component, MenuItem
from schemas.message import Request
from schemas.orders import (
    AddLines,
    CancelOrder,
    LineRequest,
    OrderKind,
    PlaceOrder,
)
from schemas.replies import Reply
from services.kitchen.channels_store import INTAKES, QUARTERS
from services.kitchen.inside import AdjustIntakes, WakeTicket
from services.kitchen.learning import Learner, LearntPace
from services.kitchen.store import STATIONS, TICKETS, to_ticket
from services.migrations.upgrade import upgrade
from services.people.store import remove_tenant
from services.runtime import house_rules
from services.runtime.database import Database
from tests.postgres import PostgresCluster
from tests.services.order_world import MANAGER, OURSELVES, SCREEN, TILL, Asked, OrderWorld

MENU = (
    MenuItem(
        item="burger",
        name="Burger",
        station="grill",
        price_minor=900,
        currency="GBP",
        prep_s=400,
        components=(Component(component="patty", quantity=2),),
    ),
    MenuItem(item="steak", name="Steak", station="grill", price_minor=2_000, currency="GBP"),
    MenuItem(
        item="fries", name="Fries", station="fry", price_minor=300, currency="GBP", prep_s=100
    ),
)


class PaceWorld(OrderWorld):
    """A house of which the kitchen's rules are set."""

    async def set(self, **rules: Any) -> None:
        async with self.database.write() as connection:
            await house_rules.write(connection, self.tenant, kitchen=KitchenRules(**rules))

    async def ask(self, device: str, request: Request) -> Reply:
        (reply,) = await self.say(Asked(device, request, at=self.now))
        return reply

    async def place(self, *items: str, **more: Any) -> UUID:
        lines = tuple(LineRequest(item=each, quantity=1) for each in items)
        asked = Asked(TILL, PlaceOrder(lines=lines, **more), at=self.now)
        (reply,) = await self.say(asked)
        assert reply.code is None, reply.message
        return asked.id

    async def tickets(self, order_id: UUID | None = None) -> list[Ticket]:
        (rows,) = await self.rows(TICKETS)
        tickets = [to_ticket(row) for row in rows]
        return [each for each in tickets if order_id in {None, each.order_id}]

    async def at(self, order_id: UUID) -> dict[str, Ticket]:
        return {each.station: each for each in await self.tickets(order_id)}

    async def cook(self, ticket: Ticket, seconds: float) -> None:
        ids = (ticket.ticket_id,)
        await self.ask(SCREEN, HearTickets(ticket_ids=ids))
        await self.ask(SCREEN, StartTicket(ticket_id=ticket.ticket_id))
        self.wait(timedelta(seconds=seconds))
        await self.ask(SCREEN, BumpTicket(ticket_id=ticket.ticket_id))

    async def wake(self, ticket: Ticket) -> None:
        """Let the time come at which the ticket is looked at again."""
        assert ticket.wake_at is not None
        self.now = max(self.now, ticket.wake_at)
        request = WakeTicket(ticket_id=ticket.ticket_id, wake_at=ticket.wake_at)
        request_id = derived_id(ticket.wake_at, "wake", self.tenant, str(ticket.ticket_id))
        await self.say(Asked(OURSELVES, request, request_id))

    def channel(self, channel: OrderKind) -> ChannelState:
        (found,) = [
            each
            for each in self.standing().values()
            if isinstance(each, ChannelState) and each.channel is channel
        ]
        return found

    async def right(self) -> None:
        """What stands on the broker is what the rows say; stations count what they have."""
        wanted = await self.expected()  # heads come with their beat, which nobody beats here
        beats = [topic for topic, each in wanted.items() if isinstance(each, StationHead)]
        assert self.standing() == {k: each for k, each in wanted.items() if k not in beats}
        (stations,) = await self.rows(STATIONS)
        tickets = await self.tickets()
        for row in stations:
            mine = [each for each in tickets if each.station == row["station"]]
            on_the_line = {TicketStatus.SENT, TicketStatus.HEARD, TicketStatus.STARTED}
            left = sum(t.work_s - t.done_s for t in mine if t.status in on_the_line)
            assert row["work_s"] == left


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A migrated database of this module: each test has a house of its own in it."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('pace') / 'heard.db'}"
        asyncio.run(_migrate(url))
        yield url
        return
    cluster: PostgresCluster = request.getfixturevalue("postgres_cluster")
    name = f"heard_{uuid4().hex}"
    cluster.execute(f"CREATE DATABASE {name}")
    asyncio.run(_migrate(cluster.url(name)))
    yield cluster.url(name)
    cluster.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def _migrate(url: str) -> None:
    database = Database(url)
    await upgrade(database)
    await database.close()


@pytest.fixture
async def world(shared_url: str) -> AsyncIterator[PaceWorld]:
    database = Database(shared_url)
    made = PaceWorld(database, OrderRules(), MENU)
    await made.open()
    yield made
    await database.close()


def stations(**more: Any) -> dict[str, StationRules]:
    return {"grill": StationRules(**more), "fry": StationRules()}


async def test_a_ticket_says_its_work_its_components_and_when_it_will_be_ready(
    world: PaceWorld,
) -> None:
    tickets = await world.at(await world.place("burger", "steak", "fries"))
    grill, fry = tickets["grill"], tickets["fry"]
    burger, steak = grill.lines
    assert (burger.prep_s, steak.prep_s) == (400, None)
    assert burger.components == (Component(component="patty", quantity=2),)
    assert (grill.work_s, fry.work_s) == (700, 100)
    assert fry.ready_p50_at is not None
    assert grill.ready_p50_at is not None
    assert grill.ready_p90_at is not None
    assert world.now < fry.ready_p50_at < grill.ready_p50_at < grill.ready_p90_at
    again = (await world.at(await world.place("burger")))["grill"]
    assert again.ahead_s == 700
    assert again.ready_p50_at is not None
    assert again.ready_p50_at > grill.ready_p50_at
    await world.right()


async def test_orders_go_to_who_has_the_least_to_do_and_stay_there(world: PaceWorld) -> None:
    grills = {name: StationRules(group="grills") for name in ("grill", "grill-2")}
    await world.set(stations=grills)
    first = await world.place("burger", "fries")
    second = await world.place("burger")
    assert set(await world.at(first)) == {"grill", "fry"}
    assert set(await world.at(second)) == {"grill-2"}
    for _ in range(3):  # wherever there is less to do
        await world.ask(
            TILL, AddLines(order_id=second, lines=(LineRequest(item="steak", quantity=2),))
        )
    assert {each.station for each in await world.tickets(second)} == {"grill-2"}
    # What is done with the order finds its tickets, wherever they are.
    await world.ask(TILL, CancelOrder(order_id=second, reason="left"))
    assert {each.status for each in await world.tickets(second)} == {TicketStatus.CANCELLED}
    await world.right()


async def test_a_rule_and_a_closed_station_send_lines_elsewhere(world: PaceWorld) -> None:
    route = RouteRule(route="parcels", to="pack", items=("fries",), kinds=("delivery",))
    await world.set(stations=stations(fallback="fry"), routes=(route,))
    order = await world.place("burger", "fries", kind=OrderKind.DELIVERY)
    assert set(await world.at(order)) == {"grill", "pack"}
    await world.ask(SCREEN, CloseStation(station="grill", why="no gas"))
    assert set(await world.at(await world.place("burger", "fries"))) == {"fry"}
    await world.right()


async def test_what_was_bumped_is_learnt_from_at_the_start_and_then_as_it_comes(
    world: PaceWorld,
) -> None:
    await world.set(stations=stations())
    for _ in range(3):
        order = await world.place("fries")
        await world.cook((await world.at(order))["fry"], 200)
    learnt = LearntPace()
    learner = Learner(world.database, learnt)
    await learner.look()
    assert learnt.of(world.tenant, "fry").tickets == 3
    assert learnt.speed(world.tenant, "fry", "fries") > 1.2
    assert learnt.of(world.tenant, "grill").tickets == 0
    order = await world.place("fries", "burger")
    await world.cook((await world.at(order))["fry"], 200)
    await learner.look()
    assert learnt.of(world.tenant, "fry").tickets == 4
    await learner.look()
    assert learnt.of(world.tenant, "fry").tickets == 4


async def test_nothing_is_known_of_a_house_that_was_removed_nor_of_one_that_came_in_its_place(
    world: PaceWorld,
) -> None:
    for _ in range(3):
        order = await world.place("fries")
        await world.cook((await world.at(order))["fry"], 200)
    learnt = LearntPace()
    learner = Learner(world.database, learnt)
    await learner.look()
    assert learnt.of(world.tenant, "fry").tickets == 3
    async with world.database.write() as connection:
        await remove_tenant(connection, world.tenant)
    await world.open()  # another one of the same name, before the next look
    await world.place("fries")
    await learner.look()
    assert learnt.of(world.tenant, "fry").tickets == 0
    await world.cook((await world.at(await world.place("fries")))["fry"], 200)
    await learner.look()
    assert learnt.of(world.tenant, "fry").tickets == 1
    async with world.database.write() as connection:
        await remove_tenant(connection, world.tenant)
    await learner.look()
    assert learnt.of(world.tenant, "fry").tickets == 0


async def test_what_is_quick_is_held_until_its_time_and_what_it_waits_for_is_nearly_done(
    world: PaceWorld,
) -> None:
    await world.set(stations=stations(), finish_together=True)
    order = await world.place("burger", "fries")
    tickets = await world.at(order)
    assert tickets["grill"].status is TicketStatus.SENT
    assert (tickets["fry"].status, tickets["fry"].held_for) == ("held", "together")
    await world.right()
    looks = 0
    while (fry := (await world.at(order))["fry"]).status is TicketStatus.HELD:
        await world.wake(fry)
        looks += 1
    assert 1 <= looks <= 8
    assert fry.sent_at is not None
    assert tickets["grill"].ready_p50_at is not None
    assert fry.sent_at + timedelta(seconds=100) <= tickets["grill"].ready_p50_at
    assert fry.sent_at >= tickets["fry"].placed_at + timedelta(seconds=60)
    await world.right()


async def test_when_the_slow_one_is_done_early_the_quick_one_begins_at_once(
    world: PaceWorld,
) -> None:
    await world.set(stations=stations(), finish_together=True)
    order = await world.place("burger", "fries")
    await world.cook((await world.at(order))["grill"], 10)
    assert (await world.at(order))["fry"].status is TicketStatus.SENT
    await world.right()


THROTTLE = ThrottleRules(channels=("delivery",))


async def fill(world: PaceWorld, orders: int) -> Sequence[UUID]:
    return [await world.place("burger") for _ in range(orders)]


async def test_a_full_kitchen_pauses_a_channel_and_opens_it_by_itself(world: PaceWorld) -> None:
    await world.set(stations=stations(), throttle=THROTTLE)
    (first,) = await fill(world, 1)
    assert world.channel(OrderKind.DELIVERY).intake == "open"
    await fill(world, 2)  # 1200 s of 900
    paused = world.channel(OrderKind.DELIVERY)
    assert (paused.intake, paused.station) == ("paused", "grill")
    assert world.channel(OrderKind.DINE_IN).intake == "stretched"
    assert world.channel(OrderKind.DINE_IN).quoted_s > THROTTLE.quote_s
    lines = (LineRequest(item="fries", quantity=1),)
    delivery = PlaceOrder(lines=lines, kind=OrderKind.DELIVERY)
    refused = await world.ask(TILL, delivery)
    assert refused.code == "channel-paused"
    assert refused.message == (
        "delivery orders are paused until there is room (below 70 %): "
        "grill is at 133 % of what it can make in a quarter of an hour"
    )
    assert len(await world.tickets()) == 3
    await world.place("fries")  # others go on
    # One is called off: its minutes are free again, but that is not room enough.
    await world.ask(TILL, CancelOrder(order_id=first, reason="left"))
    await world.say(Asked(OURSELVES, AdjustIntakes(stations=("grill", "fry"))))
    assert world.channel(OrderKind.DELIVERY).intake == "paused"
    for ticket in await world.tickets():
        if ticket.station == "grill" and ticket.status is TicketStatus.SENT:
            await world.cook(ticket, 400)
    await world.right()
    world.wait(timedelta(seconds=100))  # in the next quarter nothing is left of it
    await world.say(Asked(OURSELVES, AdjustIntakes(stations=("grill", "fry"))))
    opened = world.channel(OrderKind.DELIVERY)
    assert (opened.intake, opened.quoted_s) == ("open", THROTTLE.quote_s)
    assert (await world.ask(TILL, delivery)).code is None
    await world.right()


async def test_a_pause_by_hand_is_told_with_its_reason_and_ends_in_time(world: PaceWorld) -> None:
    pause = PauseChannel(channel=OrderKind.DELIVERY, for_s=600, why="no riders")
    assert (await world.ask(SCREEN, pause)).code == "not-allowed"
    assert (await world.ask(TILL, pause)).code is None
    assert world.channel(OrderKind.DELIVERY).by_hand
    delivery = PlaceOrder(lines=(LineRequest(item="fries", quantity=1),), kind=OrderKind.DELIVERY)
    refused = await world.ask(TILL, delivery)
    assert refused.code == "channel-paused"
    assert refused.message is not None
    assert refused.message.startswith("delivery orders are paused until 2026-03-14 18:10Z: no r")
    later = delivery.model_copy(update={"due_at": world.now + timedelta(hours=5)})
    assert (await world.ask(TILL, later)).code is None
    world.wait(timedelta(seconds=600))
    assert (await world.ask(TILL, delivery)).code is None
    await world.say(Asked(OURSELVES, AdjustIntakes(stations=())))
    assert not world.channel(OrderKind.DELIVERY).by_hand
    await world.right()


async def test_who_paused_may_resume_and_what_nobody_paused_cannot_be(world: PaceWorld) -> None:
    resume = ResumeChannel(channel=OrderKind.TAKEAWAY)
    assert (await world.ask(MANAGER, resume)).code == "wrong-state"
    await world.ask(MANAGER, PauseChannel(channel=OrderKind.TAKEAWAY, why="a party of ninety"))
    takeaway = PlaceOrder(lines=(LineRequest(item="fries", quantity=1),), kind=OrderKind.TAKEAWAY)
    assert (await world.ask(TILL, takeaway)).code == "channel-paused"
    assert (await world.ask(MANAGER, resume)).code is None
    assert (await world.ask(TILL, takeaway)).code is None
    await world.right()


async def test_a_house_that_does_not_throttle_keeps_no_rows_of_it(world: PaceWorld) -> None:
    await fill(world, 5)
    assert await world.rows(INTAKES, QUARTERS) == [[], []]


@pytest.mark.parametrize("finish_together", [False, True])
async def test_an_order_reads_nothing_that_stays_in_memory(
    world: PaceWorld, *, finish_together: bool
) -> None:
    if finish_together:
        await world.set(stations=stations(), finish_together=True, throttle=THROTTLE)
    await world.place("burger", "fries")
    asked: list[str] = []

    def hear(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT") and "count(*)" not in statement:  # SQLite's guards
            asked.append(statement)

    engine = world.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", hear)
    await world.place("burger", "fries")
    event.remove(engine, "before_cursor_execute", hear)
    assert asked == []
