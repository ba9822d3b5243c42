"""What is left of each delivery: cooks take what expires first."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.identifiers import new_id
from services.inventory.lots import KeptLot, left_of

BEGAN = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def lot(received: int, expires: int | None, *, gone: int = 0, came: int = 0) -> KeptLot:
    day = None if expires is None else date(2026, 3, expires)
    return KeptLot(
        new_id(), "milk", received, gone, day, BEGAN + timedelta(hours=came), "kitchen"
    )  # fmt: skip


def test_what_expires_first_is_used_first() -> None:
    lots = [lot(1000, 20), lot(500, 16), lot(300, None)]
    assert [(each.expires_on, each.left) for each in left_of(1000, lots)] == [
        (date(2026, 3, 16), 0),
        (date(2026, 3, 20), 700),
        (None, 300),
    ]


def test_of_one_day_what_came_first_is_used_first() -> None:
    later, sooner = lot(100, 20, came=5), lot(100, 20, came=1)
    assert [each.lot_id for each in left_of(50, [later, sooner]) if each.left] == [later.lot_id]


def test_what_was_thrown_away_of_a_lot_is_gone_from_that_one() -> None:
    late, early = lot(1000, 20, gone=900), lot(500, 16)
    assert {each.lot_id: each.left for each in left_of(600, [late, early])} == {
        early.lot_id: 500,
        late.lot_id: 100,
    }


def test_what_a_count_found_beyond_all_deliveries_is_of_no_lot() -> None:
    assert [each.left for each in left_of(5000, [lot(1000, 20)])] == [1000]
    assert [each.left for each in left_of(-5, [lot(1000, 20)])] == [0]


lots = st.lists(
    st.builds(
        lambda received, share, expires, came: lot(
            received, expires, gone=received * share // 100, came=came
        ),
        st.integers(1, 10_000),
        st.integers(0, 100),
        st.none() | st.integers(1, 31),
        st.integers(0, 500),
    ),
    max_size=8,
)


@given(on_hand=st.integers(-1000, 50_000), some=lots)
def test_all_that_is_on_hand_lies_in_the_lots_that_expire_last(
    on_hand: int, some: list[KeptLot]
) -> None:
    left = left_of(on_hand, some)
    room = {each.lot_id: each.received - each.gone for each in some}
    assert sum(each.left for each in left) == min(max(0, on_hand), sum(room.values()))
    begun = [each.left < room[each.lot_id] for each in left if room[each.lot_id]]
    assert sum(0 < each.left < room[each.lot_id] for each in left) <= 1, "one is open"
    untouched = begun.index(False) if False in begun else len(begun)
    assert not any(begun[untouched:]), "nothing later is begun before it"
