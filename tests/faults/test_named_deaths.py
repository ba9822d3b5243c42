"""The worst moments to die, each by itself: afterwards every order once, every display right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.faults.ending import must_be_right
from tests.faults.evening import Evening
from tests.faults.ground import Ground, footing
from tests.faults.plan import Kind, Stack, draw_orders, seeded
from tests.faults.serving import Crash

SEED = 7


@contextmanager
def evening(
    stack: Stack, ground: Ground, directory: Path, *, orders: int = 12, over_s: float = 1.0,
    **options: Any,
) -> Iterator[Evening]:  # fmt: skip
    """A small evening whose orders come in quickly."""
    listed = draw_orders(seeded(SEED), SEED, orders, over_s)
    with (
        footing(stack, ground, directory) as standing,
        Evening(standing, listed, seed=SEED, **options) as opened,
    ):
        yield opened


def unanswered(house: Evening) -> int:
    """How many requests are in the till's outbox, and were never replied to."""
    answered = {answer.request for answer in house.till.answers()}
    return len(house.till.papers.asked() - answered)


def some_answers(house: Evening) -> None:
    """Wait until orders flow."""
    house.until(lambda: len(house.till.answers()) >= 3, "the first replies")


@pytest.mark.parametrize(
    ("stack", "point"),
    [
        (Stack.SERVERS, "committed"),
        (Stack.SERVERS, "published"),
        (Stack.MIXED, "published"),
        (Stack.EMBEDDED, "committed"),
    ],
)
def test_an_order_is_kept_once_when_the_services_die_between_commit_and_acknowledgement(
    stack: Stack, point: str, ground: Ground, tmp_path: Path
) -> None:
    crashes = (Crash(point=point, passing=1), Crash(point=point, passing=4))
    with evening(stack, ground, tmp_path, crashes=crashes) as house:
        must_be_right(house, wire_is_whole=stack is not Stack.EMBEDDED)
        assert house.servers[0].crashed == [point, point]


@pytest.mark.parametrize(
    ("stack", "point"),
    [(Stack.SERVERS, "confirmed"), (Stack.MIXED, "marked"), (Stack.EMBEDDED, "confirmed")],
)
def test_an_order_is_kept_once_when_the_services_die_between_puback_and_mark(
    stack: Stack, point: str, ground: Ground, tmp_path: Path
) -> None:
    crashes = (Crash(point=point, passing=2), Crash(point=point, passing=5))
    with evening(stack, ground, tmp_path, crashes=crashes) as house:
        must_be_right(house, wire_is_whole=stack is not Stack.EMBEDDED)
        assert house.servers[0].crashed == [point, point]


@pytest.mark.parametrize("stack", list(Stack))
def test_an_order_is_kept_once_when_the_broker_dies_in_mid_flow(
    stack: Stack, ground: Ground, tmp_path: Path
) -> None:
    # The embedded broker dies with its process, which holds the services too.
    death = Kind.SERVICES_DIE if stack is Stack.EMBEDDED else Kind.BROKER_DIES
    with evening(stack, ground, tmp_path, over_s=2.0) as house:
        for _ in range(2):
            some_answers(house)
            assert not house.till.done
            house.suffer(death, 0.3)
            house.until(lambda: unanswered(house), "a request that meets a dead broker")
        must_be_right(house)


@pytest.mark.parametrize("stack", [Stack.SERVERS, Stack.EMBEDDED])
def test_an_order_is_kept_once_when_the_pos_dies_before_its_reply(
    stack: Stack, ground: Ground, tmp_path: Path
) -> None:
    with evening(stack, ground, tmp_path) as house:
        some_answers(house)
        child = house.serving.now
        child.stall()
        house.until(lambda: unanswered(house), "a request without a reply")
        house.till.kill()
        child.resume()
        must_be_right(house, wire_is_whole=stack is not Stack.EMBEDDED)
        assert len(house.till.lives) == 2


def test_an_order_is_kept_once_when_the_database_is_away_for_ten_seconds(
    ground: Ground, tmp_path: Path
) -> None:
    with evening(Stack.SERVERS, ground, tmp_path, orders=30, over_s=4.0) as house:
        some_answers(house)
        house.suffer(Kind.DATABASE_STOPS, 3_600.0)
        house.go_on(2.0)  # what was kept before may still be on its way to the till
        before = len(house.till.answers())
        house.go_on(8.0)
        assert len(house.till.answers()) == before, "nothing is answered that is not kept"
        assert unanswered(house), "orders are taken by the till all the same"
        house.heal()
        must_be_right(house, wire_is_whole=True)


@pytest.mark.parametrize("stack", [Stack.SERVERS, Stack.MIXED])
def test_a_second_server_takes_over_when_the_first_is_killed(
    stack: Stack, ground: Ground, tmp_path: Path
) -> None:
    with evening(stack, ground, tmp_path, over_s=2.0, servers=2) as house:
        first, second = house.servers
        house.until(lambda: second.now.has_said("standing by"), "the second server's queueing")
        some_answers(house)
        assert not second.is_ready
        first.close()
        house.until(lambda: second.is_ready, "the second server's turn")
        must_be_right(house, wire_is_whole=True)


def test_a_server_that_wakes_up_after_another_took_over_does_no_harm(
    ground: Ground, tmp_path: Path
) -> None:
    with evening(Stack.SERVERS, ground, tmp_path, orders=30, over_s=3.0, servers=2) as house:
        second = house.servers[1]
        house.until(lambda: second.now.has_said("standing by"), "the second server's queueing")
        some_answers(house)
        house.suffer(Kind.TAKEN_OVER, 2.0)
        house.until(lambda: second.is_ready, "the second server's turn")
        must_be_right(house, wire_is_whole=True)


@pytest.mark.parametrize("stack", [Stack.SERVERS, Stack.EMBEDDED])
def test_a_graceful_stop_ends_and_loses_nothing(
    stack: Stack, ground: Ground, tmp_path: Path
) -> None:
    with evening(stack, ground, tmp_path, over_s=2.0) as house:
        some_answers(house)
        assert house.servers[0].stop() == 0, house.servers[0].now.last_words()
        house.servers[0].start_again()
        must_be_right(house, wire_is_whole=stack is not Stack.EMBEDDED)


def test_an_order_is_kept_once_when_the_answer_to_its_commit_is_lost(
    ground: Ground, tmp_path: Path
) -> None:
    with evening(Stack.SERVERS, ground, tmp_path, orders=30, over_s=3.0) as house:
        for _ in range(3):
            some_answers(house)
            house.suffer(Kind.DATABASE_ANSWERS_LOST, 0.4)
            house.go_on(0.8)
        must_be_right(house, wire_is_whole=True)


def test_an_order_is_kept_once_when_a_commit_seems_to_fail_and_did_not(
    ground: Ground, tmp_path: Path
) -> None:
    losing = Crash(point="committed", passing=3, survives=True)
    with evening(Stack.SERVERS, ground, tmp_path, orders=30, over_s=3.0, crashes=[losing]) as house:
        must_be_right(house, wire_is_whole=True)


def test_what_was_on_its_way_to_the_broker_when_the_link_broke_is_said_again(
    ground: Ground, tmp_path: Path
) -> None:
    with evening(Stack.SERVERS, ground, tmp_path, orders=30, over_s=3.0) as house:
        for _ in range(3):
            some_answers(house)
            house.suffer(Kind.SERVICES_UNHEARD, 0.4)
            house.go_on(0.8)
        must_be_right(house, wire_is_whole=True)
