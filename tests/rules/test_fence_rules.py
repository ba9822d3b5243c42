"""Who comes, goes and stays at a fence."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.geography.shapes import BETWEEN, BEYOND, WITHIN
from services.tracking.fence_rules import crossed, dwelt

SIDES = st.sampled_from([WITHIN, BETWEEN, BEYOND])


@given(st.lists(st.tuples(st.booleans(), st.lists(SIDES, min_size=1, max_size=8)), max_size=6))
def test_all_pairs_at_once_cross_as_each_alone_would_fix_by_fix(
    pairs: list[tuple[bool, list[int]]],
) -> None:
    wanted, row = [], 0
    for within, sides in pairs:
        now = within
        for side in sides:
            after = now if side == BETWEEN else side == WITHIN
            if after != now:
                wanted.append((row, after))
            now, row = after, row + 1
    numbers = [number for number, (_, sides) in enumerate(pairs) for _ in sides]
    found = crossed(
        np.array(numbers, dtype=np.int64),
        np.array([side for _, sides in pairs for side in sides], dtype=np.int8),
        np.array([within for within, sides in pairs for _ in sides], dtype=np.bool_),
    )
    assert list(zip(found.row.tolist(), found.entered.tolist(), strict=True)) == wanted


def test_who_walks_along_the_line_comes_once() -> None:
    sides = np.array([BEYOND, BETWEEN, WITHIN, BETWEEN, WITHIN, BETWEEN, BETWEEN], dtype=np.int8)
    found = crossed(np.zeros(7, dtype=np.int64), sides, np.zeros(7, dtype=np.bool_))
    assert found.row.tolist() == [2]
    assert found.entered.tolist() == [True]


def test_a_stay_is_long_from_the_moment_on_at_which_it_was_so_long() -> None:
    assert dwelt(100.0, 399.0, 300) is None
    assert dwelt(100.0, 420.0, 300) == 400.0
    assert dwelt(100.0, 1e9, None) is None
