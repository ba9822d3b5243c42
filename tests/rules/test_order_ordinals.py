from __future__ import annotations

import os

from services.orders.ordinals import SPAN, Ordinals


def test_each_comes_once_before_any_comes_again() -> None:
    ordinals = Ordinals()
    found = {ordinals.next() for _ in range(SPAN)}
    assert len(found) == SPAN
    assert min(found) == 0
    assert max(found) == SPAN - 1


def test_two_lives_that_meet_part_with_the_next_step() -> None:
    one, other = Ordinals(), Ordinals()
    ours, theirs = ([each.next() for _ in range(1_000)] for each in (one, other))
    # By chance one of a million pairs is the same; that they go on together is no chance.
    assert len(set(ours) & set(theirs)) < 30


def test_a_process_that_was_forked_counts_from_elsewhere() -> None:
    ordinals = Ordinals()
    first, second = ordinals.next(), ordinals.next()
    would_follow = [(second + (second - first) * n) % SPAN for n in range(1, 1_001)]
    ordinals._life = os.getpid() + 1  # as a child finds it
    found = [ordinals.next() for _ in range(1_000)]
    assert len(set(found) & set(would_follow)) < 30
