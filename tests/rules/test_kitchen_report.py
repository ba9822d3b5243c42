"""What a kitchen did, reckoned from its tickets; and worked out again from raw messages."""

from __future__ import annotations

import random
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.kitchen_recount import KitchenRecount
from schemas.envelope import encode, service_source
from schemas.identifiers import new_id
from schemas.kitchen import LineMark, Ticket, TicketEnded, TicketLine, TicketStatus
from schemas.kitchen_rules import KitchenRules, StationRules
from services.kitchen.report import Spread, report, spread

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
BOOK = KitchenRules(stations={"grill": StationRules(hands=2)})


def ticket(
    *,
    station: str = "grill",
    sent: float = 0,
    heard: float | None = 5,
    started: float | None = 10,
    ended: float = 310,
    status: TicketStatus = TicketStatus.BUMPED,
    lines: int = 1,
    struck: int = 0,
    late_after: float | None = 600,
    recalls: int = 0,
    work_s: int = 300,
) -> Ticket:
    """A ticket that ended; all times in seconds after noon."""

    def at(seconds: float | None) -> datetime | None:
        return None if seconds is None else NOON + timedelta(seconds=seconds)

    return Ticket(
        ticket_id=new_id(),
        station=station,
        order_id=new_id(),
        order_number="A1",
        status=status,
        version=4,
        sequence=4,
        lines=tuple(
            TicketLine(
                line=number,
                item=f"item-{number % 2}",
                name="x",
                quantity=1,
                mark=LineMark.CANCELLED if number <= struck else None,
            )
            for number in range(1, lines + 1)
        ),
        placed_at=NOON,
        sent_at=at(sent),
        heard_at=at(heard),
        heard_by=None if heard is None else "kds-1",
        started_at=at(started),
        ended_at=at(ended),
        late_at=at(late_after),
        recalls=recalls,
        work_s=work_s,
    )


def test_a_kitchen_that_did_nothing_has_an_empty_report() -> None:
    done = report([], BOOK, UTC)
    assert (done.orders, done.tickets, done.lines, done.hours, done.stations) == (0, 0, 0, (), ())


def test_times_run_from_sending_to_hearing_and_from_start_to_bump() -> None:
    (grill,) = report([ticket(sent=2, heard=5, started=10, ended=310)], BOOK, UTC).stations
    assert grill.hear == Spread(1, 3.0, 3.0)
    assert grill.prep == Spread(1, 300.0, 300.0)
    assert grill.items == {"item-1": Spread(1, 300.0, 300.0)}


def test_what_nobody_said_to_have_started_counts_from_its_hearing() -> None:
    (grill,) = report([ticket(heard=10, started=None, ended=70)], BOOK, UTC).stations
    assert grill.prep == Spread(1, 60.0, 60.0)


def test_late_is_what_was_bumped_after_it_should_have_been() -> None:
    tickets = [ticket(ended=600), ticket(ended=601), ticket(ended=900, late_after=None)]
    (grill,) = report(tickets, BOOK, UTC).stations
    assert (grill.late, grill.late_share) == (1, round(1 / 3, 4))


def test_a_cancelled_line_is_a_void_and_no_line_that_was_made() -> None:
    tickets = [
        ticket(lines=3, struck=1),
        ticket(lines=2, struck=2, status=TicketStatus.CANCELLED, heard=None, started=None),
    ]
    done = report(tickets, BOOK, UTC)
    assert (done.tickets, done.lines, done.stations[0].voids) == (1, 2, 3)
    assert done.unheard == 1, "a ticket that nobody ever heard is told, though it was cancelled"


def test_load_is_work_against_what_the_hands_can_do_in_the_hours_that_were_worked() -> None:
    tickets = [ticket(ended=60, work_s=1_800), ticket(ended=3_700, work_s=1_800)]
    (grill,) = report(tickets, BOOK, UTC).stations
    assert grill.load == round(3_600 / (2 * 2 * 3_600), 4)


def test_hours_are_those_of_the_houses_own_clock() -> None:
    done = report([ticket(ended=0)], BOOK, ZoneInfo("Asia/Kolkata"))
    assert [each.hour for each in done.hours] == ["2026-03-14 17"]


def test_a_moved_ticket_counts_where_it_was_made_alone() -> None:
    moved = ticket(status=TicketStatus.MOVED, heard=None, started=None)
    done = report([moved, ticket(station="fry")], BOOK, UTC)
    assert (done.tickets, done.unheard) == (1, 0)


@given(st.lists(st.floats(0, 10_000, allow_nan=False), max_size=60))
def test_half_lie_at_or_below_the_median_and_nine_of_ten_at_or_below_the_ninth_tenth(
    seconds: list[float],
) -> None:
    found = spread(seconds)
    assert found.count == len(seconds)
    if not seconds:
        assert found == Spread()
        return
    assert found.p50_s is not None
    assert found.p90_s is not None
    assert min(seconds) - 0.001 <= found.p50_s <= found.p90_s <= max(seconds) + 0.001
    assert sum(each <= found.p50_s + 0.001 for each in seconds) * 2 >= len(seconds)
    assert sum(each <= found.p90_s + 0.001 for each in seconds) >= 0.9 * (len(seconds) - 1)


@pytest.mark.parametrize("seed", range(5))
def test_the_recount_from_raw_messages_agrees_whatever_came_twice_and_in_any_order(
    seed: int,
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a seed, so that it can be had again
    tickets = [
        ticket(
            station=chance.choice(["grill", "fry"]),
            heard=(heard := chance.uniform(0.5, 60)),
            started=chance.choice([None, heard + 1]),
            ended=heard + chance.uniform(2, 9_000),
            status=chance.choice([TicketStatus.BUMPED] * 5 + [TicketStatus.CANCELLED]),
            lines=(lines := chance.randint(1, 5)),
            struck=chance.choice([0, 0, lines - 1]),
            recalls=chance.choice([0, 0, 1]),
        )
        for _ in range(40)
    ]
    said = []
    for each in tickets:
        before = each.model_copy(
            update={"status": TicketStatus.STARTED, "version": 3, "ended_at": None}
        )
        for one in (before, each, each):
            message = TicketEnded(station=one.station, ticket=one)
            said.append(encode(message, id=new_id(), source=service_source("roma"), time=NOON))
    chance.shuffle(said)
    recount = KitchenRecount()
    for payload in said:
        recount.take(payload)

    ours = report(tickets, BOOK, UTC)
    theirs = recount.report(NOON, NOON + timedelta(days=1), UTC)
    assert theirs["orders"] == ours.orders
    assert (theirs["tickets"], theirs["lines"]) == (ours.tickets, ours.lines)
    assert theirs["hours"] == {
        each.hour: (each.orders, each.tickets, each.lines) for each in ours.hours
    }
    for station in ours.stations:
        other = theirs["stations"][station.station]
        for name in ("tickets", "lines", "late", "recalls", "voids"):
            assert asdict(station)[name] == other[name], f"{station.station}: {name}"
        for name, took in (("hear", station.hear), ("prep", station.prep)):
            assert other[name][0] == took.count
            assert other[name][1:] == pytest.approx((took.p50_s, took.p90_s), abs=0.002), name
