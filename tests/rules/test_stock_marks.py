"""Low and critical: raised below one threshold, over only from a higher one on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pydantic import ValidationError

from schemas.inventory import BaseUnit, StockItem, StockMark
from services.inventory.marks import mark_after

LOW, LOW_CLEAR, CRITICAL, CRITICAL_CLEAR = 1000, 1300, 400, 600
BEEF = StockItem(
    item="beef",
    name="Beef",
    unit=BaseUnit.GRAM,
    low=LOW,
    low_clear=LOW_CLEAR,
    critical=CRITICAL,
    critical_clear=CRITICAL_CLEAR,
)
EDGES = sorted(
    edge + by for edge in (0, LOW, LOW_CLEAR, CRITICAL, CRITICAL_CLEAR) for by in (-1, 0, 1)
)


class Shelf(RuleBasedStateMachine):
    """An item whose level goes up and down, with the two alerts reckoned each by itself."""

    @initialize(available=st.sampled_from(EDGES))
    def begins(self, available: int) -> None:
        self.available = available
        self.mark = mark_after(StockMark.OK, available, BEEF)
        self.low, self.critical = available < LOW, available < CRITICAL
        self.raised = self.cleared = 0

    @rule(available=st.sampled_from(EDGES) | st.integers(-500, 2000))
    def moves(self, available: int) -> None:
        was = self.mark
        self.available = available
        self.mark = mark_after(self.mark, available, BEEF)
        self.critical = available < (CRITICAL_CLEAR if self.critical else CRITICAL)
        # What is critical is low too, and what was critical is low until it is well.
        self.low = self.critical or available < (LOW_CLEAR if self.low else LOW)
        self.raised += was is StockMark.OK and self.mark is not StockMark.OK
        self.cleared += was is not StockMark.OK and self.mark is StockMark.OK

    @rule(around=st.sampled_from([LOW, LOW_CLEAR, CRITICAL, CRITICAL_CLEAR]))
    def flutters(self, around: int) -> None:
        """A portion goes and comes back, again and again, at a threshold."""
        for available in (around - 40, around + 40):
            self.moves(available)
        settled = self.mark
        for available in (around - 40, around + 40) * 5:
            self.moves(available)
            assert self.mark is settled, "it was told once"

    @invariant()
    def both_reckonings_agree(self) -> None:
        assert (self.mark is StockMark.CRITICAL) == self.critical
        assert (self.mark is not StockMark.OK) == self.low

    @invariant()
    def an_alert_is_raised_and_cleared_in_turn(self) -> None:
        assert abs(self.raised - self.cleared) <= 1


TestShelf = Shelf.TestCase
TestShelf.settings = settings(max_examples=40)


@given(levels=st.lists(st.integers(-500, 2500), max_size=40), low=st.integers(1, 1000))
def test_between_two_alerts_of_one_kind_it_was_well_again(levels: list[int], low: int) -> None:
    item = StockItem(item="x", name="X", unit=BaseUnit.EACH, low=low)
    clear, _ = item.clears()
    assert clear is not None
    assert clear > low
    mark, highest = StockMark.OK, None
    for level in levels:
        before, mark = mark, mark_after(mark, level, item)
        highest = level if highest is None else max(highest, level)
        if before is StockMark.OK and mark is StockMark.LOW:
            assert level < low
            highest = level
        if before is StockMark.LOW and mark is StockMark.OK:
            assert level >= clear
            assert highest >= clear


@pytest.mark.parametrize(
    "wrong",
    [
        {"low": 10, "low_clear": 10},
        {"low_clear": 10},
        {"low": 10, "critical": 10},
        {"low": 10, "critical": 5, "critical_clear": 4},
    ],
)
def test_thresholds_that_would_flutter_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        StockItem.model_validate({"item": "x", "name": "X", "unit": "g", **wrong})


def test_an_item_without_thresholds_is_never_low() -> None:
    item = StockItem(item="x", name="X", unit=BaseUnit.EACH)
    assert mark_after(StockMark.OK, -5, item) is StockMark.OK
    assert mark_after(StockMark.CRITICAL, -5, item) is StockMark.OK, "they were taken away"
