"""A cook sees what matters, on any screen and without colours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.house_clock import on_screen
from cli.ticket_view import Lateness, lateness, line_text, standing, ticket_lines
from schemas.identifiers import new_id
from schemas.kitchen import (
    AlsoAt,
    Asked,
    HoldReason,
    LineMark,
    Plate,
    Priority,
    Ticket,
    TicketLine,
    TicketStatus,
    WasLine,
)
from schemas.kitchen_rules import EscalationTarget
from schemas.menu import ChosenModifier
from schemas.orders import OrderKind

AIOLI = ChosenModifier(modifier="aioli", name="Aioli", quantity=2)
FRIES = ChosenModifier(modifier="fries", name="Fries", modifiers=(AIOLI,))
BURGER = TicketLine(
    line=1,
    item="burger",
    name="Burger",
    quantity=3,
    note="no onions, and please cut it into four",
    modifiers=(FRIES,),
    allergens=("egg", "gluten"),
    avoid=("peanuts",),
    seat="2",
    guest="Ada",
)


def ticket(*lines: TicketLine, kind: OrderKind = OrderKind.DINE_IN) -> Ticket:
    return Ticket(
        ticket_id=new_id(),
        station="grill",
        order_id=new_id(),
        order_number="ORD-240115103045-A1B2",
        status=TicketStatus.HEARD,
        version=2,
        sequence=2,
        lines=lines,
        kind=kind,
        table="7" if kind is OrderKind.DINE_IN else None,
        guest="Grace",
        placed_at=datetime.now(UTC) - timedelta(minutes=3),
        due_at=datetime.now(UTC),
    )


def drawn(*lines: TicketLine, width: int = 38, kind: OrderKind = OrderKind.DINE_IN) -> str:
    return ticket_lines(ticket(*lines, kind=kind), width=width, late_s=60).plain


def test_modifiers_are_indented_under_what_they_belong_to() -> None:
    told = drawn(BURGER).splitlines()
    at = told.index("   3 x Burger")
    assert told[at + 1 : at + 3] == ["       + Fries", "         + Aioli x2"]


@given(width=st.integers(14, 80))
def test_nothing_that_a_cook_must_know_is_cut_off_on_any_screen(width: int) -> None:
    told = "".join(drawn(BURGER, width=width).split())
    for words in (
        "3 x Burger", "+ Fries", "+ Aioli x2", BURGER.note, "seat 2, Ada", "for Grace",
        "contains egg, gluten", "!! AVOID PEANUTS !!",
    ):  # fmt: skip
        assert "".join(words.split()) in told


@pytest.mark.parametrize("mark", LineMark)
def test_a_mark_is_a_word_and_not_a_colour_alone(mark: LineMark) -> None:
    told = drawn(BURGER.model_copy(update={"mark": mark}))
    assert f"[{mark.upper()}]" in told
    others = [f"[{other.upper()}]" for other in LineMark if other is not mark]
    assert not any(other in told for other in others)


def test_a_cancelled_line_is_struck_out_and_hides_its_details() -> None:
    text = ticket_lines(
        ticket(BURGER.model_copy(update={"mark": LineMark.CANCELLED})), width=38, late_s=60
    )
    struck = [
        text.plain[span.start : span.end] for span in text.spans if "strike" in str(span.style)
    ]
    assert struck == ["3 x Burger"]
    assert "Aioli" not in text.plain


def test_a_change_that_nobody_has_heard_calls_the_cook() -> None:
    changed = BURGER.model_copy(update={"mark": LineMark.CHANGED, "unheard": 7})
    assert "LOOK: IT HAS CHANGED" in drawn(changed)
    assert "LOOK" not in drawn(changed.model_copy(update={"unheard": None}))


@pytest.mark.parametrize(
    ("was", "says"),
    [
        ({"quantity": 1}, "(was 1 of it)"),
        ({"note": ""}, "(was no note)"),
        ({"note": "rare"}, "(was “rare”)"),
        ({"modifiers": ()}, "(was plain)"),
        ({"modifiers": (FRIES, AIOLI)}, "(was Fries with Aioli x2, Aioli x2)"),
        ({"seat": None}, "(was no seat)"),
        ({"avoid": ()}, "(was avoid nothing)"),
        ({"allergens": ("milk",)}, "(was with milk)"),
        ({"quantity": 1, "note": ""}, "(was 1 of it; no note)"),
    ],
)
def test_a_changed_line_says_what_was_heard_before(was: dict[str, object], says: str) -> None:
    same = {
        name: getattr(BURGER, name)
        for name in ("quantity", "note", "modifiers", "allergens", "avoid", "seat")
    }
    before = WasLine.model_validate({**same, **was})
    line = BURGER.model_copy(update={"mark": LineMark.CHANGED, "was": before})
    assert says in drawn(line, width=80)
    assert says.strip("()") in line_text(line)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (OrderKind.DINE_IN, "table 7"),
        (OrderKind.TAKEAWAY, "take away"),
        (OrderKind.DELIVERY, "delivery"),
    ],
)
def test_a_ticket_says_where_the_food_goes(kind: OrderKind, says: str) -> None:
    assert says in drawn(BURGER, kind=kind).splitlines()[0]


def test_on_one_line_the_mark_and_the_allergy_stand_in_capitals() -> None:
    assert line_text(BURGER.model_copy(update={"mark": LineMark.NEW})) == (
        "NEW 3 Burger (Fries with Aioli x2; no onions, and please cut it into four; "
        "contains egg, gluten; AVOID peanuts)"
    )
    assert line_text(TicketLine(line=1, item="ale", name="Ale", quantity=1)) == "1 Ale"


NOW = datetime(2026, 3, 14, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("update", "says"),
    [
        ({"priority": Priority.RUSH}, "** RUSH **"),
        ({"course": 2}, "course 2"),
        ({"recalls": 1, "status": TicketStatus.STARTED}, "RECALLED"),
        ({"recalls": 3, "status": TicketStatus.STARTED}, "RECALLED 3 times"),
        ({"moved_from": "grill-2"}, "from grill-2"),
        ({"why": "no fan"}, "why: no fan"),
        ({"also_at": (AlsoAt(station="fry", lines=2),)}, "also at fry (2)"),
        (
            {
                "plates": (
                    Plate(ticket_id=new_id(), station="fry", status=TicketStatus.BUMPED),
                    Plate(ticket_id=new_id(), station="fry", status=TicketStatus.HELD, course=2),
                )
            },
            "fry done, fry HELD (course 2)",
        ),
        (
            {"status": TicketStatus.HELD, "held_for": HoldReason.COURSE},
            "waits for the course before",
        ),
        ({"status": TicketStatus.HELD, "held_for": HoldReason.BY_HAND}, "waits for a word"),
        (
            {
                "status": TicketStatus.SENT,
                "asked": (Asked(step=EscalationTarget.EXPO, to="pass", at=NOW),),
            },
            "nobody has heard it: told expo pass",
        ),
        (
            {
                "status": TicketStatus.SENT,
                "asked": (
                    Asked(step=EscalationTarget.POS, to="pos-1", at=NOW),
                    Asked(step=EscalationTarget.MANAGER, to="managers", at=NOW),
                ),
            },
            "nobody has heard it: told till pos-1, the managers",
        ),
    ],
)
def test_a_ticket_says_in_words_what_is_special_about_it(
    update: dict[str, object], says: str
) -> None:
    told = ticket(BURGER).model_copy(update=update)
    assert says in list(standing(told, NOW))
    assert says in ticket_lines(told, width=80, late_s=60, now=NOW).plain


def test_when_it_will_be_ready_is_told_while_it_is_made() -> None:
    p50, p90 = NOW + timedelta(minutes=2), NOW + timedelta(minutes=4)
    made = ticket(BURGER).model_copy(update={"ready_p50_at": p50, "ready_p90_at": p90})
    clock = [on_screen(at, NOW) for at in (p50, p90)]
    assert list(standing(made, NOW)) == [f"ready ~{clock[0]}, 90 %: {clock[1]}"]
    assert list(standing(made, p90)) == [f"ready? since {clock[0]}"]
    held = made.model_copy(
        update={"status": TicketStatus.HELD, "held_for": HoldReason.TOGETHER, "wake_at": p50}
    )
    assert list(standing(held, NOW)) == [f"waits until {clock[0]}, to be done with the others"]


def test_a_ticket_warns_and_is_late_by_its_own_times_and_says_so() -> None:
    timed = ticket(BURGER).model_copy(
        update={"warn_at": NOW, "late_at": NOW + timedelta(minutes=2), "sent_at": NOW}
    )
    told = [
        lateness(timed, NOW + timedelta(minutes=minutes), late_s=1) for minutes in (-1, 0, 1, 2)
    ]
    assert told == [Lateness.AHEAD, Lateness.WARN, Lateness.WARN, Lateness.LATE]
    assert "LATE" in ticket_lines(timed, width=60, late_s=1, now=NOW + timedelta(minutes=3)).plain
    assert lateness(ticket(BURGER), datetime.now(UTC), late_s=60) is Lateness.LATE
    held = timed.model_copy(update={"status": TicketStatus.HELD})
    assert lateness(held, NOW + timedelta(hours=1), late_s=1) is Lateness.AHEAD


def test_identical_lines_are_one_where_the_house_wants_that_and_done_ones_stay_apart() -> None:
    plain = TicketLine(line=1, item="ale", name="Ale", quantity=1)
    lines = [plain.model_copy(update={"line": n}) for n in (1, 2)]
    done = plain.model_copy(update={"line": 3, "bumped_at": NOW})
    merged = ticket_lines(ticket(*lines, done), width=38, late_s=60, merge=True).plain
    assert [each.strip() for each in merged.splitlines() if "Ale" in each] == [
        "2 x Ale", "1 x Ale (done)",
    ]  # fmt: skip
    assert drawn(*lines).count("1 x Ale") == 2
    assert line_text(done) == "DONE 1 Ale"


def test_a_line_that_is_to_begin_later_says_when() -> None:
    later = BURGER.model_copy(update={"begin_at": NOW + timedelta(minutes=1)})
    text = ticket_lines(ticket(later), width=38, late_s=60, now=NOW).plain
    assert f"begin at {on_screen(NOW + timedelta(minutes=1), NOW)}" in text
