"""What a check asks for, whether it was met, and what it holds back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.alerts import AlertKind
from schemas.identifiers import is_slug, new_id
from schemas.kitchen import LineMark, Plate, Ticket, TicketLine, TicketStatus
from schemas.kitchen_rules import CheckKind, CheckRules, KitchenRules
from schemas.quality import Finding, RecordCheck, WaiveCheck
from schemas.refusals import RefusalCode
from services.quality import rules
from services.runtime.refusal import Refusal

NOW = datetime(2026, 3, 14, 18, 0, tzinfo=UTC)
CORE = CheckRules(
    name="Core", kind=CheckKind.TEMPERATURE, items=("burger", "steak"), least=75, blocks=True
)
ALLERGENS = CheckRules(kind=CheckKind.YES_NO, items=("burger",), stations=("expo",), blocks=True)
LOOKS = CheckRules(kind=CheckKind.PHOTO, items=("steak",))
FRIDGE = CheckRules(
    kind=CheckKind.TEMPERATURE, stations=("cold", "bar"), every_s=3600, least=1, most=5
)
HOUSE = KitchenRules(
    checks={"core": CORE, "allergens": ALLERGENS, "looks": LOOKS, "fridge": FRIDGE}
)
slugs = st.from_regex(r"[a-z0-9-]{1,64}", fullmatch=True)


def ticket(
    *items: str,
    station: str = "grill",
    status: TicketStatus = TicketStatus.HEARD,
    mark: LineMark | None = None,
    plates: tuple[Plate, ...] = (),
) -> Ticket:
    return Ticket(
        ticket_id=new_id(),
        station=station,
        order_id=new_id(),
        order_number="A1",
        status=status,
        version=1,
        sequence=1,
        lines=tuple(
            TicketLine(line=number, item=item, name=item.title(), quantity=1, mark=mark)
            for number, item in enumerate(items, 1)
        ),
        placed_at=NOW,
        plates=plates,
    )


def record(check: str, on: Ticket | None = None, at: datetime = NOW, **said: Any) -> Finding:
    request = RecordCheck(check=check, ticket_id=None if on is None else on.ticket_id, **said)
    return rules.record(
        request,
        rules.find(HOUSE, check),
        on,
        finding_id=new_id(),
        device="kds-1",
        person=request.person,
        at=at,
    )


def waive(check: str, on: Ticket, last: Finding | None = None) -> Finding:
    return rules.waive(
        WaiveCheck(check=check, ticket_id=on.ticket_id, reason="the probe is broken"),
        rules.find(HOUSE, check),
        on,
        last,
        finding_id=new_id(),
        device="boss",
        person="ada",
        at=NOW,
    )


def refusal(code: RefusalCode, saying: str) -> Any:
    return pytest.raises(Refusal, match=saying, check=lambda error: error.code is code)


@given(
    low=st.floats(-30, 100) | st.none(),
    span=st.floats(0, 100) | st.none(),
    measured=st.floats(-100, 500),
)
def test_a_temperature_passes_within_its_limits_and_nowhere_else(
    low: float | None, span: float | None, measured: float
) -> None:
    if low is None and span is None:
        return
    most = None if span is None else (low or 0) + span
    check = CheckRules(
        kind=CheckKind.TEMPERATURE, stations=("cold",), every_s=60, least=low, most=most
    )
    found = rules.record(
        RecordCheck(check="x", celsius=measured),
        check,
        None,
        finding_id=new_id(),
        device="d",
        person=None,
        at=NOW,
    )
    too_cold = low is not None and measured < low
    too_warm = most is not None and measured > most
    assert found.passed == (not too_cold and not too_warm)
    assert found.limits == rules.limits(check)


def test_limits_are_said_in_words() -> None:
    only_most = CORE.model_copy(update={"least": None, "most": 5.5})
    assert [rules.limits(each) for each in (CORE, only_most, FRIDGE, ALLERGENS, LOOKS)] == [
        "at least 75 °C",
        "at most 5.5 °C",
        "1 to 5 °C",
        "yes",
        "a photo",
    ]


@pytest.mark.parametrize(
    ("check", "said", "passed"),
    [
        ("looks", {"photo": "nas/17.jpg"}, True),
        ("looks", {"photo": "nas/17.jpg", "yes": False}, False),
        ("core", {"celsius": 75}, True),
        ("core", {"celsius": 74.9, "photo": "nas/probe.jpg"}, False),
    ],
)
def test_a_check_passes_or_fails(check: str, said: dict[str, Any], passed: bool) -> None:
    found = record(check, ticket("steak"), **said)
    assert found.passed is passed
    assert (found.station, found.order_number, found.item) == ("grill", "A1", "steak")


@pytest.mark.parametrize(
    ("check", "said", "saying"),
    [
        ("core", {}, "say `celsius`"),
        ("core", {"yes": True}, "say `celsius`"),
        ("core", {"celsius": 80, "yes": True}, "no yes or no"),
        ("looks", {}, "say `photo`"),
        ("looks", {"photo": "x", "celsius": 4}, "no temperature"),
    ],
)
def test_a_value_of_another_kind_is_refused(check: str, said: dict[str, Any], saying: str) -> None:
    with refusal(RefusalCode.INVALID, saying):
        record(check, ticket("steak"), **said)


def test_a_check_of_food_names_its_ticket_and_one_by_the_clock_none() -> None:
    with refusal(RefusalCode.INVALID, "name the ticket_id"):
        record("core", celsius=80)
    with refusal(RefusalCode.INVALID, "by the clock"):
        record("fridge", ticket("steak"), celsius=3)
    with refusal(RefusalCode.INVALID, "by the clock"):
        waive("fridge", ticket("steak"))


def test_a_check_by_the_clock_is_made_at_one_of_its_stations() -> None:
    with refusal(RefusalCode.INVALID, "cold, bar: say where"):
        record("fridge", celsius=3)
    with refusal(RefusalCode.WRONG_STATION, "not at grill"):
        record("fridge", celsius=3, station="grill")
    assert record("fridge", celsius=3, station="bar").station == "bar"


def test_a_ticket_without_such_food_or_at_another_station_or_gone_is_refused() -> None:
    with refusal(RefusalCode.INVALID, "nothing that core is for"):
        record("core", ticket("fries"), celsius=80)
    with refusal(RefusalCode.INVALID, "nothing that core is for"):
        record("core", ticket("burger", mark=LineMark.CANCELLED), celsius=80)
    with refusal(RefusalCode.WRONG_STATION, "stands at grill"):
        record("allergens", ticket("burger"), yes=True)
    with refusal(RefusalCode.WRONG_STATION, "not at bar"):
        record("core", ticket("burger"), celsius=80, station="bar")
    for status in (TicketStatus.CANCELLED, TicketStatus.MOVED):
        with refusal(RefusalCode.WRONG_STATE, status.value):
            record("core", ticket("burger", status=status), celsius=80)
    assert record("core", ticket("burger", status=TicketStatus.BUMPED), celsius=80).passed


def test_a_check_that_nobody_set_is_refused_with_those_there_are() -> None:
    with refusal(RefusalCode.NOT_FOUND, "no check nuts; it has allergens, core"):
        record("nuts", yes=True)


@given(outcomes=st.lists(st.sampled_from(["pass", "fail", "waive"]), max_size=6))
def test_the_last_word_on_a_check_decides_whether_it_blocks(outcomes: list[str]) -> None:
    on = ticket("burger")
    findings: list[Finding] = []
    for number, outcome in enumerate(outcomes):
        at = NOW + timedelta(seconds=number)
        if outcome == "waive":
            if findings and (findings[-1].passed or findings[-1].waived):
                with refusal(RefusalCode.WRONG_STATE, "already"):
                    waive("core", on, findings[-1])
                continue
            findings.append(waive("core", on, findings[-1] if findings else None))
        else:
            findings.append(record("core", on, at, celsius=80 if outcome == "pass" else 60))
    assert not any(each.passed and each.waived for each in findings)
    free = bool(findings) and (findings[-1].passed or findings[-1].waived)
    missing = rules.missing(rules.blocking(HOUSE, on), findings)
    assert missing == (() if free else ("Core (core): at least 75 °C",))


def test_only_what_is_on_the_ticket_at_its_station_blocks() -> None:
    assert rules.blocking(HOUSE, ticket("fries")) == {}
    assert rules.blocking(HOUSE, ticket("burger", mark=LineMark.CANCELLED)) == {}
    assert set(rules.blocking(HOUSE, ticket("burger"))) == {"core"}
    plate = Plate(ticket_id=new_id(), station="grill", status=TicketStatus.HEARD)
    at_expo = ticket("burger", station="expo", plates=(plate,))
    assert set(rules.blocking(HOUSE, at_expo)) == {"allergens"}, "made elsewhere, checked there"
    assert rules.blocking(KitchenRules(), ticket("burger")) == {}


@given(one=st.tuples(slugs, slugs), other=st.tuples(slugs, slugs))
@example(one=("fridge", "cold-1"), other=("fridge-cold", "1"))
@example(one=("a" * 64, "b"), other=("a" * 64, "c"))
def test_an_alert_has_a_name_of_its_own_that_may_stand_in_a_topic(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    for kind in (AlertKind.CHECK_FAILED, AlertKind.CHECK_OVERDUE):
        names = [rules.alert_name(kind, check, where) for check, where in (one, other)]
        assert all(map(is_slug, names))
        assert (names[0] == names[1]) == (one == other)


def test_what_is_due_follows_from_when_it_was_made() -> None:
    assert rules.due_at(FRIDGE, None) is None
    due = rules.due_at(FRIDGE, NOW)
    assert due == NOW + timedelta(hours=1)
    zone = ZoneInfo("Europe/Rome")
    late = rules.overdue("fridge", FRIDGE, "cold", due, zone=zone, now=NOW)
    never = rules.overdue("fridge", FRIDGE, "cold", None, zone=zone, now=NOW)
    assert late.alert == never.alert == "check-overdue-fridge-cold"
    assert "was due at 2026-03-14 20:00 at cold" in late.text
    assert "was never made" in never.text


def test_a_failed_check_says_what_was_found_and_what_to_do() -> None:
    alert = rules.failed(record("core", ticket("burger"), celsius=61.5), CORE)
    assert alert.text == (
        "Core (core): at least 75 °C, and it was 61.5 °C at grill, for A1: check again, or waive it"
    )
    no = rules.failed(record("allergens", ticket("burger", station="expo"), yes=False), ALLERGENS)
    assert "it was no at expo" in no.text
