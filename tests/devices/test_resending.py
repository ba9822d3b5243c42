from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from devices.resending import Patience, Reconnecting, Resending

PATIENCE = Patience(first_s=2, longest_s=30, window=3)


def line(*keys: int) -> Resending[int]:
    made: Resending[int] = Resending(PATIENCE, Random(1))  # noqa: S311 - jitter
    for key in keys:
        made.add(key)
    return made


def test_only_a_window_of_the_line_is_on_its_way() -> None:
    waiting = line(1, 2, 3, 4, 5)
    assert waiting.due(0) == [1, 2, 3]
    assert waiting.due(1) == []
    assert waiting.remove(2)
    assert waiting.due(1) == [4]
    assert not waiting.remove(2)
    assert waiting.remove(5)
    assert len(waiting) == 3


def test_patience_comes_first_and_then_waits_grow_with_jitter() -> None:
    waiting = line(1)
    assert waiting.due(0) == [1]
    assert waiting.next_due() == 2
    assert waiting.due(1.99) == []
    at, gaps = 2.0, []
    for _ in range(10):
        assert waiting.due(at) == [1]
        gaps.append(waiting.next_due() - at)
        at = waiting.next_due()
    assert all(2 <= gap <= 4 for gap in gaps[:1])
    assert all(15 <= gap <= 30 for gap in gaps[5:])
    assert len(set(gaps)) == len(gaps)


def test_a_reconnect_makes_all_that_was_on_its_way_due_in_its_order() -> None:
    waiting = line(1, 2, 3, 4)
    waiting.due(0)
    waiting.reconnected()
    assert waiting.next_due() < 0
    assert waiting.due(0.1) == [1, 2, 3]
    assert waiting.due(0.1) == []


def test_what_is_on_its_way_is_not_put_in_line_again() -> None:
    waiting = line(1)
    waiting.due(0)
    waiting.add(1)
    assert len(waiting) == 1
    assert 1 in waiting
    assert waiting.due(0) == []


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(0, 20)),
            st.tuples(st.just("remove"), st.integers(0, 20)),
            st.tuples(st.just("wait"), st.integers(0, 60)),
            st.tuples(st.just("reconnect"), st.just(0)),
        ),
        max_size=80,
    )
)
def test_nothing_is_forgotten_and_the_window_is_never_passed(steps: list[tuple[str, int]]) -> None:
    waiting = line()
    alive: set[int] = set()
    now = 0.0
    for step, value in steps:
        if step == "add":
            waiting.add(value)
            alive.add(value)
        elif step == "remove":
            assert waiting.remove(value) == (value in alive)
            alive.discard(value)
        elif step == "reconnect":
            waiting.reconnected()
        else:
            now += value
            sent = waiting.due(now)
            assert set(sent) <= alive
            assert len(sent) == len(set(sent)) <= PATIENCE.window
            assert waiting.due(now) == []
        assert len(waiting) == len(alive)
    seen: set[int] = set()
    while alive:
        sent = waiting.due(now)
        for key in sent:
            seen.add(key)
            waiting.remove(key)
            alive.discard(key)
        if not sent:
            assert waiting.next_due() < float("inf")
            now = max(now, waiting.next_due())


def test_attempts_to_connect_grow_rare_and_a_refusal_is_not_hammered() -> None:
    patience = Patience(reconnect_first_s=1, reconnect_longest_s=8, refused_s=60)
    reconnecting = Reconnecting(patience, Random(2))  # noqa: S311 - jitter
    pauses = [reconnecting.pause(held_s=0) for _ in range(8)]
    assert 0.5 <= pauses[0] <= 1
    assert all(4 <= pause <= 8 for pause in pauses[3:])
    assert 30 <= reconnecting.pause(held_s=0, refused=True) <= 60
    assert reconnecting.pause(held_s=10) <= 1
