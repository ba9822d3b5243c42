from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.devices import Role
from schemas.envelope import MAX_REQUEST_BYTES
from schemas.limits import Limits
from services.people.limits import (
    BY_ROLE,
    OF_TENANT,
    UNLIMITED,
    LimitsUnusable,
    checked,
    of_device,
    of_tenant,
)
from services.runtime.limits import (
    COUNTS_AS_ONE,
    FORGOTTEN_S,
    PRESENCE,
    TOO_FAR,
    WINDOW_S,
    Gate,
    Meter,
)

NARROW = Limits(
    messages_per_s=2.0, messages_burst=3, bytes_per_s=100.0, bytes_burst=1_000, payload_bytes=500
)
WIDE = Limits(messages_per_s=1_000.0, messages_burst=50_000)
POS = "heard/v1/roma/request/pos-1/orders/place"
HEARTBEAT = "heard/v1/roma/telemetry/pos-1/heartbeat"
BIRTH = "heard/v1/roma/presence/pos-1"


def gate(device: Limits = NARROW, tenant: Limits = WIDE) -> Gate:
    return Gate(device, tenant)


def passing(made: Gate, topic: str, count: int, now: float, size: int = 1) -> int:
    return sum(made.wait(topic, size, now) == 0.0 for _ in range(count))


def test_a_burst_passes_and_then_so_many_a_second() -> None:
    made = gate()
    assert passing(made, POS, 10, 0.0) == 3
    assert made.wait(POS, 1, 0.0) == pytest.approx(0.5)
    assert passing(made, HEARTBEAT, 10, 1.0) == 2, "all that a device says counts together"


def test_bytes_are_counted_as_well_as_messages() -> None:
    made = gate()
    assert passing(made, POS, 3, 0.0, size=500) == 2
    assert made.wait(POS, 500, 0.0) == pytest.approx(5.0)
    assert made.wait(POS, 1, 1.0) == 0.0


def test_a_payload_that_is_too_large_never_passes_and_takes_nothing() -> None:
    made = gate()
    assert made.wait(POS, 501, 0.0) == math.inf
    assert passing(made, POS, 10, 0.0) == 3


def test_a_till_with_the_backlog_of_an_evening_gets_it_through_at_once() -> None:
    made = Gate(BY_ROLE[Role.POS], OF_TENANT)
    assert passing(made, POS, 10_000, 0.0, size=2_000) == 10_000
    assert passing(made, POS, 1_000, 1.0, size=2_000) == 200


def test_a_tenant_is_held_to_a_total_and_what_it_refuses_costs_the_device_nothing() -> None:
    made = gate(Limits(messages_per_s=10.0, messages_burst=5), NARROW)
    mate = POS.replace("pos-1", "pos-2")
    assert passing(made, POS, 2, 0.0) == 2
    assert passing(made, mate, 5, 0.0) == 1
    assert passing(made, mate, 5, 100.0) == 3
    assert passing(made, POS.replace("roma", "oslo"), 9, 0.0) == 3, "another tenant has its own"


def test_a_birth_passes_when_everything_else_is_used_up_and_is_bounded_itself() -> None:
    made = gate()
    passing(made, POS, 100, 0.0)
    assert passing(made, BIRTH, 1_000, 0.0) == PRESENCE.burst


def test_what_no_device_can_have_said_is_not_counted() -> None:
    made = gate()
    for topic in ("heard/v1/roma/state/menu/x", "x", "", "heard/v1/a b/telemetry/x/y"):
        assert passing(made, topic, 10, 0.0) == 10
    assert list(made.known()) == []


def test_unlimited_is_unlimited_and_does_not_count_against_its_tenant() -> None:
    made = gate(of_device(Role.POS, UNLIMITED), NARROW)
    assert passing(made, POS, 10_000, 0.0, size=1_000) == 10_000
    made.learn(("roma", "pos-1"), WIDE)
    assert passing(made, POS, 10, 0.0) == 3


def test_new_limits_count_at_once() -> None:
    made = gate()
    passing(made, POS, 10, 0.0)
    made.learn(("roma", "pos-1"), NARROW)
    assert made.wait(POS, 1, 0.0) > 0, "the same limits again give nothing"
    made.learn(("roma", "pos-1"), NARROW.model_copy(update={"messages_burst": 7}))
    assert passing(made, POS, 10, 0.0) == 7
    made.learn_tenant("roma", NARROW.model_copy(update={"messages_burst": 1}))
    assert passing(made, POS, 10, 100.0) == 1


def test_a_device_of_which_nobody_has_told_is_asked_about_once() -> None:
    made = gate()
    made.wait(POS, 1, 0.0)
    assert made.strangers == {("roma", "pos-1")}
    made.learn(("roma", "pos-1"), NARROW)
    assert made.strangers == set()


def test_who_goes_on_far_beyond_is_an_offender_and_who_is_held_is_none() -> None:
    made = gate()
    passing(made, POS, 3 + TOO_FAR, 0.0)
    assert made.offenders == set()
    made.wait(POS, 1, 0.0)
    assert made.offenders == {("roma", "pos-1")}
    calm = gate()
    for round_ in range(10):
        passing(calm, POS, TOO_FAR - 100, round_ * (WINDOW_S + 1))
    assert calm.offenders == set()


def test_nobody_is_an_offender_for_what_its_tenant_has_used_up() -> None:
    made = gate(Limits(messages_per_s=1e6, messages_burst=10**6), NARROW)
    assert passing(made, POS, 5 * TOO_FAR, 0.0) == 3
    assert made.offenders == set()
    assert made.untold(0.0, 10.0) == [(("roma", "pos-1"), 5 * TOO_FAR - 3)], "but it is told"


def test_what_was_refused_is_told_with_counts_and_each_device_seldom() -> None:
    made = gate()
    passing(made, POS, 10, 0.0)
    assert made.untold(0.0, 10.0) == [(("roma", "pos-1"), 7)]
    passing(made, POS, 5, 0.1)
    assert made.untold(9.0, 10.0) == []
    assert made.untold(10.0, 10.0) == [(("roma", "pos-1"), 5)]
    assert made.untold(30.0, 10.0) == []


def test_who_is_silent_for_long_is_forgotten_and_has_lost_nothing() -> None:
    made = gate()
    passing(made, POS, 10, 0.0)
    made.forget(FORGOTTEN_S)
    assert list(made.known()) == [("roma", "pos-1")]
    made.forget(FORGOTTEN_S + 1)
    assert (list(made.known()), list(made.tenants()), made.strangers) == ([], [], set())
    assert passing(made, POS, 10, FORGOTTEN_S + 1) == 3


def test_a_million_topics_of_one_device_are_one_sender() -> None:
    made = gate()
    for number in range(50_000):
        made.wait(f"heard/v1/roma/telemetry/pos-1/s{number}", 1, 0.0)
    assert list(made.known()) == [("roma", "pos-1")]


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 500)), min_size=1, max_size=80))
def test_no_more_ever_passes_than_a_burst_and_the_rate(steps: list[tuple[float, int]]) -> None:
    meter, now, messages, octets = Meter(NARROW), 0.0, 0, 0
    for pause, size in steps:
        now += pause
        if meter.take(now, size) == 0.0:
            messages, octets = messages + 1, octets + size
        assert messages <= 3 + 2 * now + 1e-6
        assert octets <= 1_000 + 100 * now + 1e-6


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 500)), max_size=50))
def test_what_is_said_to_be_left_can_be_sent(steps: list[tuple[float, int]]) -> None:
    meter, now = Meter(NARROW), 0.0
    for pause, size in steps:
        now += pause
        meter.take(now, size)
    share = meter.share(now)
    assert share.limits == NARROW
    left = share.messages_left
    assert left is not None
    assert 0 <= left <= 3
    assert sum(meter.take(now, 0) == 0.0 for _ in range(10)) == left


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SERVICE])
def test_the_limits_of_every_role_make_sense(role: Role) -> None:
    assert checked(BY_ROLE[role], {}) == BY_ROLE[role]
    assert checked(OF_TENANT, {}) == OF_TENANT


def test_what_was_set_stands_in_the_place_of_the_roles_and_nothing_else_changes() -> None:
    own = of_device(Role.SENSOR, {"messages_per_s": 1.5})
    assert own == BY_ROLE[Role.SENSOR].model_copy(update={"messages_per_s": 1.5})
    assert of_device(Role.SENSOR, None) == BY_ROLE[Role.SENSOR]
    assert of_device(Role.POS, {"messages_per_s": -1}) == BY_ROLE[Role.POS], "not by nonsense"
    assert of_tenant({"messages_burst": 7}).messages_burst == 7
    assert BY_ROLE[Role.POS].payload_bytes == MAX_REQUEST_BYTES


@pytest.mark.parametrize(
    ("own", "saying"),
    [
        ({"messages_per_s": 0}, "--messages-per-s: .*greater than 0"),
        ({"messages_burst": None}, "belong together"),
        ({"bytes_per_s": None}, "--bytes-per-s and --bytes-burst belong together"),
        ({"bytes_burst": 1000}, "could never pass"),
    ],
)
def test_limits_that_make_no_sense_are_refused(own: dict[str, float | None], saying: str) -> None:
    with pytest.raises(LimitsUnusable, match=saying):
        checked(BY_ROLE[Role.POS], own)


def test_who_floods_with_large_messages_goes_too_far_the_sooner() -> None:
    made = gate()
    topic = POS
    for _ in range(TOO_FAR // 8):
        made.wait(topic, 7 * COUNTS_AS_ONE, 0.0)
    assert made.offenders == set()
    for _ in range(8):
        made.wait(topic, 7 * COUNTS_AS_ONE, 0.0)
    assert made.offenders == {("roma", "pos-1")}
