from __future__ import annotations

from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from services.runtime.bus import Delivery
from services.runtime.limits import Key
from services.runtime.line import OF_DEVICE, OF_TENANT, Line

SENDERS: list[Key] = [("roma", "a"), ("roma", "b"), ("oslo", "a"), ("bari", "c")]


def delivery(key: Key | None, number: int) -> Delivery:
    name = "/".join(key or ("", ""))
    return Delivery(name, b"", retain=False, qos=1, tag=number)


def test_tenants_are_served_in_turn_and_so_are_the_devices_of_each() -> None:
    line = Line()
    for number in range(4):
        line.add(("roma", "a"), delivery(("roma", "a"), number))
    line.add(("roma", "b"), delivery(("roma", "b"), 10))
    line.add(("oslo", "x"), delivery(("oslo", "x"), 20))
    line.add(("oslo", "x"), delivery(("oslo", "x"), 21))
    assert [each.tag for each in line.take(3)] == [0, 20, 10]
    assert [each.tag for each in line.take(10)] == [21, 1, 2, 3]
    assert len(line) == 0


def test_who_comes_last_waits_for_one_message_of_each_other_tenant() -> None:
    line = Line()
    for number in range(OF_DEVICE):
        line.add(("roma", "a"), delivery(("roma", "a"), number))
    line.add(("oslo", "a"), delivery(("oslo", "a"), -1))
    assert -1 in [each.tag for each in line.take(2)]


def test_a_device_has_so_many_places_and_a_tenant_too() -> None:
    line, put = Line(), Counter[str]()
    for number in range(20 * OF_TENANT):
        key = ("roma", f"pos-{number % 20}")
        if line.has_room(key):
            line.add(key, delivery(key, number))
            put[key[1]] += 1
    assert len(line) == OF_TENANT
    alone = Line()
    while alone.has_room(("roma", "a")):
        alone.add(("roma", "a"), delivery(("roma", "a"), 0))
    assert len(alone) == OF_DEVICE
    assert alone.has_room(("roma", "b"))
    assert line.has_room(("oslo", "a"))
    line.take(1)
    assert line.has_room(("roma", "pos-new"))


def test_what_no_device_has_said_has_a_place_too() -> None:
    line = Line()
    line.add(None, delivery(None, 7))
    assert [each.tag for each in line.take(5)] == [7]
    line.add(None, delivery(None, 8))
    line.clear()
    assert (len(line), line.take(5)) == (0, [])


@given(
    st.lists(st.one_of(st.sampled_from(SENDERS), st.integers(1, 5)), max_size=200),
)
def test_nothing_is_lost_or_doubled_and_each_device_keeps_its_order(
    steps: list[Key | int],
) -> None:
    line, number = Line(), 0
    put: dict[str, list[int]] = defaultdict(list)
    got: dict[str, list[int]] = defaultdict(list)
    for step in steps:
        if isinstance(step, int):
            taken = line.take(step)
            assert len(taken) <= step
        else:
            number += 1
            line.add(step, delivery(step, number))
            put["/".join(step)].append(number)
            taken = []
        for each in taken:
            got[each.topic].append(each.tag)
        assert len(line) == sum(map(len, put.values())) - sum(map(len, got.values()))
    for each in line.take(10_000):
        got[each.topic].append(each.tag)
    assert got == put
