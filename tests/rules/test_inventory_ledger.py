"""Every figure is the sum of its movements, and what is available is never a lie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.inventory import MOST, BaseUnit, MovementKind
from services.inventory.ledger import Level, after, check_amount, checked, total
from services.runtime.refusal import Refusal

Kind = MovementKind
moves = st.tuples(st.sampled_from(Kind), st.integers(-500, 500))


@given(st.lists(moves, max_size=60))
def test_whatever_is_asked_the_books_stay_sound(asked: list[tuple[Kind, int]]) -> None:
    level, kept = Level(), []
    for kind, amount in asked:
        try:
            check_amount(kind, amount, "flour")
            level = checked(level, kind, amount, "flour", BaseUnit.GRAM)
        except Refusal:
            continue
        kept.append((kind, amount))
        assert level.reserved >= 0 <= level.damaged
        assert level.planned >= 0
        if kind is Kind.RESERVE:
            assert level.available >= 0, "nobody is promised what is not there"
        if kind is Kind.DAMAGE:
            assert level.on_hand >= level.damaged
    assert total(kept) == level


def test_what_is_damaged_is_on_hand_and_not_available() -> None:
    level = total([(Kind.RECEIVE, 10), (Kind.DAMAGE, 4), (Kind.RESERVE, 5)])
    assert (level.on_hand, level.damaged, level.reserved, level.available) == (10, 4, 5, 1)
    assert after(level, Kind.DISCARD, 4) == Level(on_hand=6, reserved=5)
    assert after(level, Kind.CONSUME, 5) == Level(on_hand=5, damaged=4)


def test_what_is_planned_takes_nothing_from_today() -> None:
    level = total([(Kind.RECEIVE, 10), (Kind.PLAN, 8)])
    assert (level.available, level.planned) == (10, 8)


def test_the_last_portion_is_promised_once() -> None:
    one = checked(Level(on_hand=1000), Kind.RESERVE, 1000, "cake", BaseUnit.EACH)
    with pytest.raises(Refusal, match="cake: only 0 left"):
        checked(one, Kind.RESERVE, 1000, "cake", BaseUnit.EACH)


def test_what_nobody_has_counted_limits_nothing_and_what_was_promised_before_is_kept() -> None:
    once = checked(Level(), Kind.RESERVE, 5, "salt", BaseUnit.GRAM, counted=False)
    assert once.available == -5
    assert checked(Level(), Kind.RESERVE, 5, "cake", BaseUnit.EACH, promised=True).reserved == 5


@pytest.mark.parametrize(
    ("kind", "amount"),
    [(Kind.RECEIVE, 0), (Kind.RECEIVE, -1), (Kind.WASTE, -1), (Kind.COUNT, MOST + 1)],
)
def test_nothing_less_than_nothing_and_far_too_much_are_refused(kind: Kind, amount: int) -> None:
    with pytest.raises(Refusal, match="flour: a quantity must be above nothing"):
        check_amount(kind, amount, "flour")


def test_cooks_and_counters_may_find_less_than_the_books_say() -> None:
    level = checked(Level(reserved=5), Kind.CONSUME, 5, "egg", BaseUnit.EACH)
    assert level.on_hand == -5
    assert checked(level, Kind.COUNT, 5, "egg", BaseUnit.EACH) == Level()


@pytest.mark.parametrize(
    ("kind", "amount", "said"),
    [
        (Kind.RELEASE, 3, "only 2 g is promised to orders"),
        (Kind.UNPLAN, 1, "only 0 g is promised to orders"),
        (Kind.REPAIR, 2, "only 1 g is damaged"),
        (Kind.WASTE, 10, "the books have only 9 g; count it first"),
        (Kind.RETURN, 10, "the books have only 9 g"),
    ],
)
def test_more_than_there_is_is_refused_with_what_there_is(
    kind: Kind, amount: int, said: str
) -> None:
    level = Level(on_hand=10_000, reserved=2_000, damaged=1_000)
    with pytest.raises(Refusal, match=said):
        checked(level, kind, amount * 1000, "flour", BaseUnit.GRAM)
