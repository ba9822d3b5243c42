"""Identical lines are shown as one, and nothing that differs is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.ticket_lines import merged
from schemas.kitchen import LineMark, TicketLine, WasLine
from schemas.menu import ChosenModifier
from tests.devices.station_model import AT

RARE = ChosenModifier(modifier="rare", name="Rare")
PLAIN = TicketLine(line=1, item="burger", name="Burger", quantity=2, seat="1")


def another(number: int = 2, **update: object) -> TicketLine:
    return PLAIN.model_copy(update={"line": number, **update})


def test_identical_lines_are_one_with_all_their_guests() -> None:
    [one] = merged([PLAIN, another(seat="2", guest="Ada", quantity=3), another(3, unheard=7)])
    assert one.lines == (1, 2, 3)
    assert (one.line.quantity, one.line.seat, one.line.guest) == (7, "1, 2", "Ada")
    assert one.line.unheard == 7


def test_the_line_that_is_to_be_begun_first_says_when() -> None:
    soon, later = AT, AT + timedelta(minutes=2)
    [one] = merged([another(1, begin_at=later), another(begin_at=soon)])
    assert one.line.begin_at == soon
    [one] = merged([PLAIN, another(begin_at=soon)])
    assert one.line.begin_at is None


@pytest.mark.parametrize(
    "different",
    [
        {"item": "cheeseburger"},
        {"modifiers": (RARE,)},
        {"note": "no onions"},
        {"avoid": ("nuts",)},
        {"allergens": ("milk",)},
        {"mark": LineMark.NEW},
        {"mark": LineMark.CHANGED, "was": WasLine(quantity=1)},
        {"bumped_at": AT},
    ],
)
def test_lines_that_a_cook_must_tell_apart_stay_apart(different: dict[str, object]) -> None:
    other = PLAIN.model_copy(update={"line": 2, **different})
    assert [each.line for each in merged([PLAIN, other])] == [PLAIN, other]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["burger", "fries"]),
            st.integers(1, 9),
            st.sampled_from(["", "salt"]),
            st.sampled_from([None, AT]),
        ),
        max_size=12,
    )
)
def test_no_line_is_lost_and_none_counted_twice(
    drawn: list[tuple[str, int, str, object]],
) -> None:
    lines = [
        another(number, item=item, quantity=quantity, note=note, bumped_at=bumped)
        for number, (item, quantity, note, bumped) in enumerate(drawn, 1)
    ]
    groups = merged(lines)
    assert sorted(n for each in groups for n in each.lines) == [line.line for line in lines]
    assert sum(each.line.quantity for each in groups) == sum(line.quantity for line in lines)
    keys = [(g.line.item, g.line.note, g.line.bumped_at) for g in groups]
    assert len(keys) == len(set(keys))
    assert [each.lines[0] for each in groups] == sorted(each.lines[0] for each in groups)
