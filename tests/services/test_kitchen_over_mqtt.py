"""A dinner in courses, over real brokers: what one display does, all others see."""

from __future__ import annotations

from uuid import UUID

import pytest

from devices.kitchen_display import KitchenDisplay
from devices.pending import Pending, Rejected
from schemas.kitchen import Priority, Ticket, TicketStatus
from schemas.kitchen_rules import CourseRules, Firing, KitchenRules, StationKind, StationRules
from schemas.menu import MenuItem
from schemas.orders import LineRequest, OrderKind, OrderStatus
from schemas.refusals import RefusalCode
from schemas.replies import TicketReceipt
from services.kitchen.store import TICKETS, to_ticket
from services.menu.handlers import put_menu
from services.runtime import house_rules
from services.runtime.moment import system_clock
from tests.patience import PATIENCE_S
from tests.system import RunningTenant, until

BOOK = KitchenRules(
    stations={"pass": StationRules(kind=StationKind.EXPO)},
    courses=CourseRules(firing=Firing.BY_TIME, gap_s=1),
    recall_last=2,
)
MENU = [
    MenuItem(
        item=item,
        name=item.title(),
        station=station,
        price_minor=500,
        currency="GBP",
        course=course,
    )
    for item, station, course in (("soup", "grill", 1), ("steak", "grill", 2), ("chips", "fry", 2))
]


@pytest.fixture
def bistro(tenant: RunningTenant) -> RunningTenant:
    """A restaurant with courses and an expo."""
    tenant.system.writing(lambda c: put_menu(c, tenant.name, MENU, system_clock(), replace=True))
    rule(tenant, BOOK)
    return tenant


def rule(tenant: RunningTenant, book: KitchenRules) -> None:
    tenant.system.writing(lambda c: house_rules.write(c, tenant.name, kitchen=book))


def kept(tenant: RunningTenant) -> dict[UUID, Ticket]:
    return {row["ticket_id"]: to_ticket(row) for row in tenant.rows(TICKETS)}


def standing(screen: KitchenDisplay) -> list[tuple[int, TicketStatus]]:
    return [(each.course, each.status) for each in sorted(screen.tickets, key=lambda t: t.course)]


def until_stands(screen: KitchenDisplay, *expected: tuple[int, TicketStatus]) -> None:
    until(lambda: standing(screen) == [*expected], f"{expected} at {screen.station}")


def of_course(screen: KitchenDisplay, course: int) -> Ticket:
    (found,) = [each for each in screen.tickets if each.course == course]
    return found


def refusal(asked: Pending[TicketReceipt], code: RefusalCode) -> TicketReceipt:
    """What a refusal says of how the ticket stands."""
    with pytest.raises(Rejected) as error:
        asked.result(PATIENCE_S)
    assert error.value.code is code
    state = error.value.state
    assert isinstance(state, TicketReceipt)
    return state


def answer(asked: Pending[TicketReceipt]) -> tuple[object, TicketReceipt]:
    """The code of a refusal, None without, and how the ticket stands."""
    try:
        return None, asked.result(PATIENCE_S)
    except Rejected as error:
        code, state = error.code, error.state
    assert isinstance(state, TicketReceipt)
    return code, state


def making(tenant: RunningTenant) -> list[Ticket]:
    return [each for each in kept(tenant).values() if each.ended_at is None and not each.plates]


def unheard(tenant: RunningTenant) -> list[Ticket]:
    return [each for each in making(tenant) if each.status is TicketStatus.SENT]


def shows(screen: KitchenDisplay, ticket: Ticket) -> bool:
    return any(each == ticket for each in screen.tickets)


def test_a_dinner_in_courses_on_four_screens(bistro: RunningTenant) -> None:
    held, heard, started = TicketStatus.HELD, TicketStatus.HEARD, TicketStatus.STARTED
    with (
        bistro.till() as pos,
        bistro.display("grill") as grill,
        bistro.display("grill") as second,
        bistro.display("fry") as fry,
        bistro.display("pass") as expo,
    ):
        wanted = [LineRequest(item=item, quantity=1) for item in ("soup", "soup", "steak", "chips")]
        order_id = pos.place_order(wanted, kind=OrderKind.DINE_IN).result(PATIENCE_S).order_id
        # By time: nobody asks for the second course.
        until_stands(grill, (1, heard), (2, heard))
        until_stands(fry, (2, heard))
        until_stands(expo, (1, heard))
        until_stands(second, (1, heard), (2, heard))
        soup = of_course(grill, 1)
        assert [(each.course, each.station) for each in expo.tickets[0].plates] == [
            (1, "grill"),
            (2, "fry"),
            (2, "grill"),
        ]
        # Lines by themselves, and back; both screens see it.
        grill.bump_lines(soup.ticket_id, [1]).result(PATIENCE_S)
        until(lambda: of_course(second, 1).lines[0].bumped_at, "the bumped line on the other one")
        second.recall(soup.ticket_id, lines=[1]).result(PATIENCE_S)
        until(lambda: not of_course(grill, 1).lines[0].bumped_at, "the recalled line")
        # Two screens bump at one instant.
        until(lambda: of_course(second, 1) == of_course(grill, 1), "two equal screens")
        asked = [screen.bump(soup.ticket_id) for screen in (grill, second)]
        until(lambda: all(each.done for each in asked), "two answers")
        told = [answer(each) for each in asked]
        assert {code for code, _ in told} == {None, RefusalCode.WRONG_STATE}
        assert {state.status for _, state in told} == {TicketStatus.BUMPED}
        until_stands(second, (2, heard))
        grill.recall(soup.ticket_id, restart=True).result(PATIENCE_S)
        until_stands(second, (1, started), (2, heard))
        until(
            lambda: expo.tickets[0].plates[0].status is started, "the plate at the expo to follow"
        )
        # The chips go to the grill: exactly one has them.
        chips = of_course(fry, 2)
        assert (
            refusal(fry.move_ticket(chips.ticket_id, "pass"), RefusalCode.WRONG_STATION).version
            == of_course(fry, 2).version
        )
        moved = fry.move_ticket(chips.ticket_id, "grill", "the fryer is cold").result(PATIENCE_S)
        until_stands(fry)
        until(lambda: len(grill.tickets) == 3, "the chips at the grill")
        refusal(fry.bump(chips.ticket_id), RefusalCode.WRONG_STATE)
        # A rush, a hold and a word: all of it is seen by the other screen.
        expo.prioritise(order_id, Priority.RUSH).result(PATIENCE_S)
        until(lambda: {each.priority for each in second.tickets} == {Priority.RUSH}, "a rush")
        until(lambda: kept(bistro)[moved.ticket_id].status is heard, "the chips to be heard")
        grill.hold(moved.ticket_id, "wait for the sauce").result(PATIENCE_S)
        until(
            lambda: [t.why for t in second.tickets if t.status is held] == ["wait for the sauce"],
            "the held ticket",
        )
        refusal(grill.bump(moved.ticket_id), RefusalCode.WRONG_STATE)
        grill.fire(moved.ticket_id).result(PATIENCE_S)
        until(lambda: kept(bistro)[moved.ticket_id].status is heard, "the fired ticket to be heard")
        (whole,) = expo.tickets
        refusal(expo.bump(whole.ticket_id), RefusalCode.WRONG_STATE)
        until(lambda: not unheard(bistro), "everything to be heard")
        # The soup first: two later ones keep it from being recalled below.
        for ticket in sorted(making(bistro), key=lambda each: each.course):
            until(lambda: shows(grill, ticket), "it on the screen")  # noqa: B023 - waited for at once
            grill.bump(ticket.ticket_id).result(PATIENCE_S)
        until_stands(grill)
        until(
            lambda: {each.status for each in expo.tickets[0].plates} == {TicketStatus.BUMPED},
            "all plates",
        )
        assert pos.read_order(order_id).result(PATIENCE_S).order.status is OrderStatus.PREPARING
        expo.bump(whole.ticket_id).result(PATIENCE_S)
        assert pos.read_order(order_id).result(PATIENCE_S).order.status is OrderStatus.READY
        refusal(grill.recall(soup.ticket_id), RefusalCode.NOT_THE_LAST)
        true = [each for each in kept(bistro).values() if each.ended_at is None]
        assert true == []


def test_a_course_by_hand_and_one_that_does_not_exist(bistro: RunningTenant) -> None:
    rule(bistro, KitchenRules(courses=CourseRules(firing=Firing.BY_HAND)))
    with bistro.till() as pos, bistro.display("grill") as grill, bistro.display("fry") as fry:
        wanted = [LineRequest(item=item, quantity=1) for item in ("soup", "steak", "chips")]
        order_id = pos.place_order(wanted).result(PATIENCE_S).order_id
        until_stands(grill, (1, TicketStatus.HEARD), (2, TicketStatus.HELD))
        with pytest.raises(Rejected, match="has no course 4") as error:
            fry.fire_course(order_id, 4).result(PATIENCE_S)
        assert error.value.code is RefusalCode.NO_SUCH_COURSE
        fired = fry.fire_course(order_id, 2).result(PATIENCE_S)
        assert set(fired.ticket_ids) == {
            t.ticket_id for t in kept(bistro).values() if t.course == 2
        }
        until_stands(grill, (1, TicketStatus.HEARD), (2, TicketStatus.HEARD))
        until_stands(fry, (2, TicketStatus.HEARD))
