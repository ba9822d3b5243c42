"""Checks: recorded for ever, holding food back, and missed when nobody makes them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from schemas.alerts import AlertKind, Audience, Severity
from schemas.identifiers import new_id
from schemas.kitchen import TicketStatus
from schemas.kitchen_requests import BumpLines, BumpTicket
from schemas.kitchen_rules import CheckKind, CheckRules, KitchenRules
from schemas.order_changes import VoidLines
from schemas.orders import CancelOrder
from schemas.quality import RecordCheck, WaiveCheck
from schemas.refusals import RefusalCode
from schemas.replies import FindingReceipt, TicketReceipt
from services.quality import store
from services.quality.inside import CheckIsDue
from services.quality.store import FINDINGS
from services.quality.timers import CheckTimer
from services.runtime.database import Database
from services.runtime.intake import Intake
from tests.services.floor_world import MANAGER, SCREEN, TILL, Floor
from tests.services.order_world import OURSELVES

HOUR = 3600
CORE = CheckRules(kind=CheckKind.TEMPERATURE, items=("burger",), least=75, blocks=True)
LOOKS = CheckRules(kind=CheckKind.PHOTO, items=("ale",))
FRIDGE = CheckRules(kind=CheckKind.TEMPERATURE, stations=("cold", "bar"), every_s=HOUR, most=5)
HOUSE = KitchenRules(checks={"core": CORE, "looks": LOOKS, "fridge": FRIDGE})


@pytest.fixture
async def floor(database: Database) -> Floor:
    """A restaurant that checks the core of its burgers, its ale and its fridges."""
    made = Floor(database)
    await made.open(HOUSE)
    return made


def timers(floor: Floor) -> CheckTimer:
    asks: Any = floor
    intake: Intake = asks
    return CheckTimer(floor.world.database, intake, lambda: floor.world.now)


async def findings(floor: Floor) -> list[dict[str, Any]]:
    (rows,) = await floor.world.rows(FINDINGS)
    return sorted(rows, key=lambda row: (row["at"], row["finding_id"]))


async def test_food_does_not_leave_before_its_check_has_passed(floor: Floor) -> None:
    ticket = await floor.ticket("burger")
    bump = BumpTicket(ticket_id=ticket.ticket_id, sequence=ticket.sequence)
    core = RecordCheck(check="core", ticket_id=ticket.ticket_id, celsius=60, person="ada")
    held = await floor.refused(bump, RefusalCode.CHECK_MISSING, "core: at least 75 °C. Check it")
    assert isinstance(held.result, TicketReceipt)
    assert held.result.status is ticket.status
    failed = await floor.accepted(core)
    assert isinstance(failed, FindingReceipt)
    assert (failed.passed, failed.limits) == (False, "at least 75 °C")
    (alert,) = floor.alerts().values()
    assert (alert.kind, alert.severity, alert.audience) == (
        AlertKind.CHECK_FAILED,
        Severity.CRITICAL,
        Audience.MANAGERS,
    )
    assert alert.tickets == (ticket.ticket_id,)
    assert "it was 60 °C at grill" in alert.text
    await floor.refused(bump, RefusalCode.CHECK_MISSING)
    floor.wait(60)
    await floor.accepted(core.model_copy(update={"celsius": 76}))
    assert floor.alerts() == {}
    await floor.accepted(bump)
    first, second = await findings(floor)
    assert [(each["celsius"], each["passed"]) for each in (first, second)] == [
        (60, False),
        (76, True),
    ]
    assert (first["order_number"], first["station"]) == (ticket.order_number, "grill")
    assert (first["item"], first["person"]) == ("burger", "ada")


async def test_what_was_recorded_in_the_same_batch_counts_and_what_was_refused_does_not(
    floor: Floor,
) -> None:
    first, second = await floor.ticket("burger"), await floor.ticket("burger")
    replies = await floor.together(
        (RecordCheck(check="core", ticket_id=first.ticket_id, celsius=80), SCREEN),
        (BumpTicket(ticket_id=first.ticket_id, sequence=first.sequence), SCREEN),
        (RecordCheck(check="core", ticket_id=second.ticket_id, yes=True), SCREEN),
        (BumpTicket(ticket_id=second.ticket_id, sequence=second.sequence), SCREEN),
    )
    assert [each.code for each in replies] == [
        None,
        None,
        RefusalCode.INVALID,
        RefusalCode.CHECK_MISSING,
    ]
    assert len(await findings(floor)) == 1


async def test_a_manager_lets_food_go_without_a_check_and_that_is_no_pass(floor: Floor) -> None:
    ticket = await floor.ticket("burger")
    waive = WaiveCheck(check="core", ticket_id=ticket.ticket_id, reason="probe broken")
    await floor.accepted(RecordCheck(check="core", ticket_id=ticket.ticket_id, celsius=60))
    for device in (SCREEN, TILL):
        await floor.refused(waive, RefusalCode.NOT_ALLOWED, "a manager's right", device)
    waived = await floor.accepted(waive, MANAGER)
    assert (waived.passed, waived.waived) == (False, True)
    assert floor.alerts() == {}
    again = await floor.refused(waive, RefusalCode.WRONG_STATE, "was waived", MANAGER)
    assert again.result == waived
    await floor.accepted(BumpTicket(ticket_id=ticket.ticket_id, sequence=ticket.sequence))
    *_, last = await findings(floor)
    assert (last["passed"], last["waived"], last["note"]) == (False, True, "probe broken")
    assert last["celsius"] is None


async def test_what_cannot_be_checked_is_refused_by_name(floor: Floor) -> None:
    ticket = await floor.ticket("fries")
    for request, code, saying in (
        (RecordCheck(check="nuts", yes=True), RefusalCode.NOT_FOUND, "has core, fridge, looks"),
        (
            RecordCheck(check="core", ticket_id=new_id(), celsius=80),
            RefusalCode.NOT_FOUND,
            "no ticket",
        ),
        (
            RecordCheck(check="core", ticket_id=ticket.ticket_id, celsius=80),
            RefusalCode.INVALID,
            "nothing that core is for",
        ),
    ):
        await floor.refused(request, code, saying)
    assert await findings(floor) == []


async def test_food_that_is_called_off_takes_its_alert_away_and_what_was_served_does_not(
    floor: Floor,
) -> None:
    gone, served = await floor.ticket("burger"), await floor.ticket("ale")
    await floor.accepted(RecordCheck(check="core", ticket_id=gone.ticket_id, celsius=60))
    bad = RecordCheck(check="looks", ticket_id=served.ticket_id, photo="nas/1.jpg", yes=False)
    await floor.accepted(bad)
    assert len(floor.alerts()) == 2
    await floor.accepted(CancelOrder(order_id=gone.order_id, reason="they left"), TILL)
    await floor.accepted(BumpTicket(ticket_id=served.ticket_id, sequence=served.sequence))
    (alert,) = floor.alerts().values()
    assert alert.about == "looks"
    await floor.accepted(bad.model_copy(update={"yes": True}))
    assert floor.alerts() == {}


async def test_food_whose_lines_are_voided_takes_its_alert_away_too(floor: Floor) -> None:
    ticket = await floor.ticket("burger", "ale")
    await floor.accepted(RecordCheck(check="core", ticket_id=ticket.ticket_id, celsius=60))
    assert len(floor.alerts()) == 1
    await floor.accepted(VoidLines(order_id=ticket.order_id, lines=(1,), reason="burnt"), TILL)
    assert (await floor.tickets())[ticket.ticket_id].status is TicketStatus.CANCELLED
    assert floor.alerts() == {}


async def test_a_void_lets_no_food_go_that_was_not_checked(floor: Floor) -> None:
    ticket = await floor.ticket("burger", "burger")
    id_ = ticket.ticket_id
    await floor.accepted(BumpLines(ticket_id=id_, lines=(1,), sequence=ticket.sequence))
    await floor.accepted(VoidLines(order_id=ticket.order_id, lines=(2,), reason="one"), TILL)
    ticket = (await floor.tickets())[id_]
    assert ticket.status is TicketStatus.STARTED, "the first one was never checked"
    bump = BumpTicket(ticket_id=id_, sequence=ticket.sequence)
    await floor.refused(bump, RefusalCode.CHECK_MISSING)
    await floor.accepted(RecordCheck(check="core", ticket_id=id_, celsius=80))
    await floor.accepted(bump)
    # Where it has passed before, the void bumps what is done, as without a check.
    ticket = await floor.ticket("burger", "burger")
    await floor.accepted(RecordCheck(check="core", ticket_id=ticket.ticket_id, celsius=80))
    lines = BumpLines(ticket_id=ticket.ticket_id, lines=(1,), sequence=ticket.sequence)
    await floor.accepted(lines)
    await floor.accepted(VoidLines(order_id=ticket.order_id, lines=(2,), reason="one"), TILL)
    assert (await floor.tickets())[ticket.ticket_id].status is TicketStatus.BUMPED


async def test_a_check_that_nobody_makes_alerts_its_station_until_somebody_does(
    floor: Floor,
) -> None:
    timer = timers(floor)
    for station in FRIDGE.stations:
        await floor.accepted(RecordCheck(check="fridge", station=station, celsius=4))
    floor.wait(HOUR - 1)
    assert (await timer.look(), floor.alerts()) == (0, {})
    await floor.accepted(RecordCheck(check="fridge", station="bar", celsius=4))
    floor.wait(1)
    assert await timer.look() == 1
    (alert,) = floor.alerts().values()
    assert (alert.alert, alert.kind) == ("check-overdue-fridge-cold", AlertKind.CHECK_OVERDUE)
    assert (alert.audience, alert.to) == (Audience.STATION, "cold")
    assert "was due at 2026-03-14 19:00" in alert.text
    floor.wait(60)
    assert await timer.look() == 0, "it is asked for once"
    # After a restart it is asked for again, and nothing more happens.
    assert await timers(floor).look() == 2, "one to look at what stands, and this"
    assert floor.alerts() == {alert.alert: alert}
    await floor.accepted(RecordCheck(check="fridge", station="cold", celsius=9))
    (failed,) = floor.alerts().values()
    assert failed.kind is AlertKind.CHECK_FAILED, "it was made, and it is too warm"
    await floor.accepted(RecordCheck(check="fridge", station="cold", celsius=3))
    assert floor.alerts() == {}
    floor.wait(HOUR)
    assert await timer.look() == 2, "both are due again"
    assert set(floor.alerts()) == {"check-overdue-fridge-cold", "check-overdue-fridge-bar"}


async def test_a_check_that_was_made_while_it_was_asked_for_is_not_overdue(floor: Floor) -> None:
    await floor.accepted(RecordCheck(check="fridge", station="cold", celsius=4))
    late = CheckIsDue(check="fridge", station="cold", due_at=floor.world.now)
    await floor.accepted(late, OURSELVES)
    await floor.accepted(CheckIsDue(check="gone", station="cold"), OURSELVES)
    await floor.accepted(CheckIsDue(check="fridge", station="grill"), OURSELVES)
    assert floor.alerts() == {}


async def test_a_rule_that_is_taken_away_takes_its_alerts_away(floor: Floor) -> None:
    timer = timers(floor)
    ticket = await floor.ticket("burger")
    await floor.accepted(RecordCheck(check="core", ticket_id=ticket.ticket_id, celsius=60))
    assert await timer.look() == 3, "one to look at what stands, two that were never made"
    assert len(floor.alerts()) == 3
    longer = FRIDGE.model_copy(update={"stations": ("bar",)})
    await floor.set(HOUSE.model_copy(update={"checks": {"core": CORE, "fridge": longer}}))
    assert await timer.look() == 2, "to look at what stands, and for what was never made"
    assert {each.about: each.to for each in floor.alerts().values()} == {
        "core": "managers",
        "fridge": "bar",
    }
    await floor.set(KitchenRules())
    assert await timer.look() == 1
    assert floor.alerts() == {}
    assert await timer.look() == 0


async def test_what_has_failed_is_over_where_it_is_not_checked_any_more(floor: Floor) -> None:
    timer = timers(floor)
    ticket = await floor.ticket("burger")
    await floor.accepted(RecordCheck(check="core", ticket_id=ticket.ticket_id, celsius=60))
    for station in ("cold", "bar"):
        await floor.accepted(RecordCheck(check="fridge", station=station, celsius=9))
    await timer.look()
    assert len(floor.alerts()) == 3
    # Nobody could record that it has passed, neither there nor of that food.
    checks = {
        "core": CORE.model_copy(update={"items": ("fries",)}),
        "fridge": FRIDGE.model_copy(update={"stations": ("bar",)}),
    }
    await floor.set(KitchenRules(checks=checks))
    await timer.look()
    (alert,) = floor.alerts().values()
    assert alert.alert == "check-failed-fridge-bar"


async def test_a_bump_reads_no_findings_where_nothing_blocks(database: Database) -> None:
    floor = Floor(database)
    await floor.open()
    queries: list[str] = []

    def heard(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "findings" in statement:
            queries.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", heard)
    try:
        for rules in (KitchenRules(), HOUSE):
            await floor.set(rules)
            ticket = await floor.ticket("fries")
            await floor.accepted(BumpTicket(ticket_id=ticket.ticket_id, sequence=ticket.sequence))
        assert queries == []
        ticket = await floor.ticket("burger")
        bump = BumpTicket(ticket_id=ticket.ticket_id, sequence=ticket.sequence)
        await floor.refused(bump, RefusalCode.CHECK_MISSING)
        assert len(queries) == 1
    finally:
        event.remove(engine, "before_cursor_execute", heard)


async def test_the_log_is_read_page_by_page_in_its_order(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "PAGE", 2)
    began = floor.world.now
    for celsius in range(5):
        await floor.accepted(RecordCheck(check="fridge", station="cold", celsius=celsius))
        floor.wait(celsius % 2)  # some at the same moment
    async with floor.world.database.read() as connection:
        pages = [
            [each.celsius for each in page]
            async for page in store.log(connection, floor.world.tenant)
        ]
        since = [
            each.celsius
            async for page in store.log(
                connection, floor.world.tenant, since=floor.world.now, check="fridge"
            )
            for each in page
        ]
        none = [page async for page in store.log(connection, floor.world.tenant, until=began)]
    assert [len(each) for each in pages] == [2, 2, 1]
    assert {each for page in pages for each in page} == {0, 1, 2, 3, 4}
    assert since == [4]
    assert none == []
