"""What may happen to a delivery, and what of a first try is left when there is a second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from schemas.deliveries import Delivery, DeliveryStatus, DeliveryStep
from schemas.identifiers import new_id
from schemas.positions import Place
from services.delivery import rules
from services.delivery.kept import Beside, Kept
from services.runtime.refusal import Refusal

BEGAN = datetime(2026, 3, 14, 18, 0, tzinfo=UTC)
S, DO = DeliveryStatus, DeliveryStep
ON_THE_ROAD = (DO.ASSIGN, DO.ACCEPT, DO.PICK_UP, DO.SET_OUT, DO.ARRIVE)
OF_A_COURIER: Final[dict[str, Any]] = {"courier": "anna", "device": "bike-1", "stop": 1}


def waiting() -> Kept:
    delivery = Delivery(
        order_id=new_id(),
        number="ORD-260314180000-A1B2",
        status=S.WAITING,
        version=1,
        place=Place(lat=60.18, lon=24.95),
        placed_at=BEGAN,
        promised_at=BEGAN + timedelta(minutes=40),
    )
    return Kept(delivery, Beside(guest="Ada", address="Mannerheimintie 1", link="s" * 32))


def minute(number: float) -> datetime:
    return BEGAN + timedelta(minutes=number)


def stepped(kept: Kept, *steps: DeliveryStep, first: int = 1) -> Kept:
    """A minute for each step; the first one in that minute of the evening."""
    for number, what in enumerate(steps, start=first):
        kept = rules.step(
            kept, what, now=minute(number), **(OF_A_COURIER if what is DO.ASSIGN else {})
        )
    return kept


def test_setting_out_again_forgets_the_arrival_of_the_first_try() -> None:
    failed = stepped(waiting(), *ON_THE_ROAD, DO.FAIL)
    assert failed.delivery.arrived_at == minute(5)
    again = stepped(failed, DO.SET_OUT, first=20)
    assert (again.delivery.arrived_at, again.delivery.set_out_at) == (None, minute(20))
    assert again.delivery.picked_up_at == minute(3), "it is the same bag"
    assert stepped(again, DO.ARRIVE, first=25).delivery.arrived_at == minute(25)


def test_what_came_back_begins_with_nothing_but_its_promise() -> None:
    back = stepped(waiting(), *ON_THE_ROAD, DO.FAIL, DO.RETURN)
    assert (back.delivery.status, back.delivery.ended_at) == (S.RETURNED, minute(7))
    again = stepped(back, DO.ASSIGN, first=30)
    fresh = stepped(waiting(), DO.ASSIGN, first=30)
    same = {"order_id": back.delivery.order_id, "version": again.delivery.version}
    assert again.delivery == fresh.delivery.model_copy(update=same)
    assert stepped(again, DO.ACCEPT, first=31).delivery.accepted_at == minute(31)


@pytest.mark.parametrize(
    ("steps", "follows", "since"),
    [
        ((DO.ASSIGN, DO.ACCEPT), DO.REACH_RESTAURANT, 2),
        ((DO.ASSIGN, DO.ACCEPT, DO.PICK_UP), DO.SET_OUT, 3),
        ((DO.ASSIGN, DO.ACCEPT, DO.PICK_UP, DO.SET_OUT), DO.APPROACH, 3),
        ((DO.ASSIGN, DO.ACCEPT, DO.PICK_UP, DO.SET_OUT), DO.ARRIVE, 3),
        ((*ON_THE_ROAD, DO.FAIL, DO.SET_OUT), DO.ARRIVE, 6),
    ],
)
def test_a_tracker_moves_what_its_courier_had_to_do_with_then(
    steps: tuple[DeliveryStep, ...], follows: DeliveryStep, since: int
) -> None:
    kept = stepped(waiting(), *steps)
    assert rules.may_follow(kept, follows, minute(since))
    assert rules.may_follow(kept, follows, minute(since + 9))
    assert not rules.may_follow(kept, follows, minute(since - 0.1))


def test_a_tracker_moves_nothing_that_the_table_does_not_nor_a_failed_one_again() -> None:
    kept = waiting()
    late = minute(99)
    assert not any(rules.may_follow(kept, what, late) for what in DeliveryStep)
    failed = stepped(waiting(), *ON_THE_ROAD, DO.FAIL)
    assert rules.can(failed.delivery, DO.SET_OUT), "its courier may say so"
    assert not rules.may_follow(failed, DO.SET_OUT, late)


@pytest.mark.parametrize(
    ("steps", "wanted", "first"),
    [
        ((), DO.DELIVER, "first assign, then accept, then pick-up"),
        ((), DO.UNASSIGN, "from here: assign, cancel"),
        ((DO.ASSIGN,), DO.PICK_UP, "first accept"),
        ((DO.ASSIGN, DO.ACCEPT), DO.RETURN, "first pick-up, then fail"),
        ((*ON_THE_ROAD, DO.FAIL), DO.DELIVER, "first set-out"),
        ((*ON_THE_ROAD, DO.FAIL), DO.PICK_UP, "from here: return, set-out"),
        ((*ON_THE_ROAD, DO.DELIVER), DO.ACCEPT, "from here: nothing, it has ended"),
    ],
)
def test_a_step_that_does_not_exist_from_here_names_those_that_come_first(
    steps: tuple[DeliveryStep, ...], wanted: DeliveryStep, first: str
) -> None:
    with pytest.raises(Refusal, match=f"cannot {wanted}; {first}$"):
        stepped(waiting(), *steps, wanted)


def test_another_door_has_not_the_address_of_the_one_before() -> None:
    kept = waiting()
    far = Place(lat=60.19, lon=24.90)
    assert rules.put_at(kept, kept.delivery.place, None).beside.address == "Mannerheimintie 1"
    moved = rules.put_at(kept, far, None)
    assert (moved.delivery.place, moved.beside.address) == (far, "")
    assert moved.delivery.promised_at == kept.delivery.promised_at
    assert rules.put_at(kept, far, "Fabianinkatu 2").beside.address == "Fabianinkatu 2"


def test_that_there_was_a_first_try_outlives_its_guest() -> None:
    failed = stepped(waiting(), *ON_THE_ROAD, DO.FAIL)
    assert rules.forget_guest(failed).beside == Beside(failed_at=minute(6))
    assert rules.forget_guest(waiting()).beside == Beside()
