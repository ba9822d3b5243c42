"""Which doors a courier goes to first: those in the bag, and none that failed."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from schemas.deliveries import IN_THE_BAG, ON_ITS_WAY, WITH_COURIER, DeliveryStatus
from schemas.identifiers import new_id
from services.delivery.coming_first import come_first

S = DeliveryStatus


@dataclass(frozen=True)
class Stop:
    order_id: UUID
    status: DeliveryStatus
    stop: int | None


def run(*statuses: DeliveryStatus) -> list[Stop]:
    return [Stop(new_id(), status, number) for number, status in enumerate(statuses, start=1)]


def before(mine: Stop, stops: list[Stop]) -> tuple[list[int | None], list[int | None]]:
    bag, rest = come_first(mine, stops)
    return [each.stop for each in bag], [each.stop for each in rest]


def test_the_doors_before_one_in_the_bag_are_those_in_the_bag() -> None:
    stops = run(S.EN_ROUTE, S.ASSIGNED, S.PICKED_UP, S.EN_ROUTE)
    assert before(stops[2], stops) == ([1], [])
    assert before(stops[3], stops) == ([1, 3], [])


def test_what_failed_at_its_door_keeps_nobody_waiting() -> None:
    stops = run(S.FAILED, S.EN_ROUTE, S.ACCEPTED)
    assert before(stops[1], stops) == ([], [])
    assert before(stops[2], stops) == ([2], [])


def test_what_is_not_picked_up_comes_after_all_that_is() -> None:
    stops = run(S.ASSIGNED, S.ACCEPTED, S.NEAR)
    assert before(stops[2], stops) == ([], [])
    assert before(stops[0], stops) == ([3], [])
    assert before(stops[1], stops) == ([3], [1])


@given(
    statuses=st.lists(st.sampled_from(sorted(WITH_COURIER - {S.FAILED})), min_size=1, max_size=8),
    data=st.data(),
)
def test_each_has_a_turn_of_its_own(statuses: list[DeliveryStatus], data: st.DataObject) -> None:
    stops = run(*statuses)
    mixed = data.draw(st.permutations(stops))
    turns = [sum(map(len, come_first(each, mixed))) for each in stops]
    assert sorted(turns) == list(range(len(stops)))
    last_in_bag = max(
        (t for t, s in zip(turns, stops, strict=True) if s.status in ON_ITS_WAY), default=-1
    )
    assert all(
        t > last_in_bag for t, s in zip(turns, stops, strict=True) if s.status not in IN_THE_BAG
    )
