"""What a device does when the services say "not now": it waits, and loses nothing."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from devices.client import TOO_FAST
from devices.gps_tracker import GpsTracker
from devices.resending import Patience, Resending
from schemas.identifiers import new_id
from schemas.limits import ReadLimits
from schemas.message import Request
from schemas.orders import PlaceOrder
from schemas.positions import Fix
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply
from tests.devices.stage import CALM, HASTY, TENANT, Broker, Responder, now, receipt, until
from tests.devices.test_client import BURGER, till
from tests.patience import PATIENCE_S

PATIENCE = Patience(first_s=2, longest_s=30, window=8)


def held(*keys: int) -> Resending[int]:
    made: Resending[int] = Resending(PATIENCE, Random(1))  # noqa: S311 - jitter
    for key in keys:
        made.add(key)
    return made


def not_now(request_id: UUID, seconds: float = 0.2) -> Reply:
    return Reply(
        request=request_id,
        outcome=Outcome.REJECTED,
        code=RefusalCode.RATE_LIMITED,
        message="not now",
        retry_after_s=seconds,
    )


def test_what_is_refused_for_now_is_sent_first_when_the_time_has_come() -> None:
    waiting = held(*range(12))
    assert waiting.due(0) == list(range(8))
    waiting.hold(0.1, 1.0, 3)
    waiting.hold(0.1, 1.0, 5)
    assert waiting.due(0.9) == []
    for key in (0, 1, 2, 4, 6, 7):
        assert waiting.remove(key)
    assert waiting.next_due() == 1.0
    assert waiting.due(1.0)[:3] == [3, 5, 8]


def test_after_a_refusal_fewer_are_sent_at_once_and_more_again_with_every_answer() -> None:
    waiting = held(*range(40))
    for key in waiting.due(0):
        waiting.hold(0.1, 1.0, key)
    first = waiting.due(1.0)
    assert len(first) == 4, "half of a window of eight, however many were refused"
    for key in first:
        waiting.remove(key)
    assert len(waiting.due(1.1)) == 8


def test_what_waits_for_an_answer_is_not_repeated_while_nothing_is_to_be_sent() -> None:
    waiting = held(1)
    assert waiting.due(0) == [1]
    waiting.hold(1.0, 50.0)
    assert waiting.due(49.9) == []
    assert waiting.next_due() == 50.0
    assert waiting.due(50.0) == [1]


def test_a_new_connection_does_not_end_the_wait() -> None:
    waiting = held(1)
    waiting.due(0)
    waiting.hold(0.1, 5.0)
    waiting.reconnected()
    assert waiting.due(4.9) == []
    assert waiting.due(5.0) == [1]


@given(
    count=st.integers(1, 60),
    let_in=st.integers(1, 10),
    answered=st.integers(0, 10),
    seed=st.integers(0, 2**32),
)
def test_all_get_through_in_the_end_however_few_are_let_in(
    count: int, let_in: int, answered: int, seed: int
) -> None:
    """The services let in so many each second, tell so many others, and are silent to the rest."""
    waiting: Resending[int] = Resending(PATIENCE, Random(seed))  # noqa: S311 - jitter
    for key in range(count):
        waiting.add(key)
    taken: Counter[int] = Counter()
    at = 0.0
    while len(waiting):
        assert at < 100_000, "it does not come to an end"
        at = max(at, waiting.next_due())
        free, words = let_in, answered
        for key in waiting.due(at):
            if free:
                free -= 1
                taken[key] += 1
                assert waiting.remove(key)
            elif words:
                words -= 1
                waiting.hold(at, at + 1.0, key)
        at += 1.0
    assert taken == Counter(range(count))


def test_a_request_that_is_refused_for_now_is_kept_and_sent_again_under_its_id(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    problems: list[str] = []
    refused: Counter[UUID] = Counter()
    lock = threading.Lock()

    def answer(request_id: UUID, _request: Request) -> Reply:
        with lock:
            if refused[request_id] < 2:
                refused[request_id] += 1
                return not_now(request_id)
        return Reply(request=request_id, outcome=Outcome.ACCEPTED, result=receipt(request_id))

    responder.answers = answer
    with till(broker, tmp_path / "o", on_problem=problems.append, patience=CALM) as pos:
        handles = [pos.place_order([BURGER]) for _ in range(5)]
        assert [handle.result(PATIENCE_S).order_id for handle in handles] == [
            handle.id for handle in handles
        ]
        assert pos.drain(PATIENCE_S)
    sent = Counter(heard.id for heard in responder.requests(PlaceOrder))
    assert sent == Counter({handle.id: 3 for handle in handles}), "told twice to wait, each"
    assert problems == [TOO_FAST], "the app is told once"


def test_a_question_too_waits_until_it_may_be_asked_again(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    asked: list[float] = []

    def answer(request_id: UUID, _request: Request) -> Reply:
        asked.append(time.monotonic())
        if len(asked) == 1:
            return not_now(request_id, 2.5)
        return Reply(request=request_id, outcome=Outcome.ACCEPTED)

    responder.answers = answer
    shorter = replace(HASTY, first_s=1.0, longest_s=1.0)
    with till(broker, tmp_path / "o", patience=shorter) as pos:
        assert pos.wait_online(PATIENCE_S)
        assert pos._ask(ReadLimits()).result(PATIENCE_S) is None
    assert len(asked) == 2
    assert asked[1] - asked[0] >= 2.5, "its patience is shorter, and it waited all the same"


def test_readings_too_wait_while_nothing_is_to_be_sent(
    broker: Broker, responder: Responder
) -> None:
    responder.answers = lambda id_, _: not_now(id_, 0.6)
    options = {"tenant": TENANT, "device": "bike-1", "secret": "x", "patience": HASTY}
    with GpsTracker("127.0.0.1", broker.port, **options) as tracker:  # type: ignore[arg-type]
        assert tracker.wait_online(PATIENCE_S)
        began = time.monotonic()
        question = tracker._ask(ReadLimits(), expires_s=PATIENCE_S)
        until(lambda: tracker._requests.held_until > began, "the word of the services")
        responder.answers = lambda id_, _: Reply(request=id_, outcome=Outcome.ACCEPTED)
        tracker.report(Fix(at=now(), lat=51.5, lon=-0.1))
        until(lambda: responder.said(Fix), "the position")
        assert time.monotonic() - began >= 0.6
        question.result(PATIENCE_S)


def test_a_wait_survives_a_restart_of_the_device_as_a_request_that_is_not_lost(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    responder.answers = lambda id_, _: not_now(id_, 60.0)
    id_ = new_id()
    with till(broker, tmp_path / "o") as pos:
        pos.place_order([BURGER], request_id=id_)
        until(lambda: responder.requests(PlaceOrder), "the request")
        until(lambda: pos._requests.held_until > 0, "the word of the services")
    responder.answers = lambda id_, _: Reply(
        request=id_, outcome=Outcome.ACCEPTED, result=receipt(id_)
    )
    with till(broker, tmp_path / "o") as pos:
        assert pos.drain(PATIENCE_S)
    assert {heard.id for heard in responder.requests(PlaceOrder)} == {id_}
