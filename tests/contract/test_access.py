"""The access policy, by itself: what each role may do, and that no filter widens it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.access import (
    RULES,
    Identity,
    Verb,
    covers,
    grants,
    is_filter,
    is_topic,
    may_publish,
    may_receive,
    may_retain,
    may_subscribe,
    username_of,
)
from schemas.catalogue import MESSAGES
from schemas.devices import Role
from schemas.message import Request
from schemas.topics import DEVICE_PLANES, MAX_TOPIC_BYTES, ROOT, Plane, matches, plane_filter

DEVICES = sorted(set(Role) - {Role.SERVICE})
LEVELS = ("a", "b", "$x", "")
TOPICS = [
    "/".join(levels) for depth in (1, 2, 3) for levels in itertools.product(LEVELS, repeat=depth)
]
FILTERS = [
    "/".join((*levels, *last))
    for depth in (0, 1, 2)
    for levels in itertools.product(("a", "b", "$x", "+"), repeat=depth)
    for last in (("#",), ("+",), ("a",))
]

STATES = (
    *(
        "#",
        "+",
        "party/#",
        "party/+",
        "orders/#",
        "kitchen/#",
        "alerts/#",
        "staff/#",
        "devices/#",
        "+/d-1",
    ),
)

filters = st.sampled_from(FILTERS)
slugs = st.from_regex(r"[a-z0-9-]{1,8}", fullmatch=True)
devices = st.builds(Identity, slugs, slugs, st.sampled_from(DEVICES))


def device(role: Role, tenant: str = "roma", name: str = "d-1") -> Identity:
    return Identity(tenant, name, role)


def topic(plane: Plane, tail: str, tenant: str = "roma") -> str:
    return plane_filter(plane, tenant=tenant, tail=tail)


@given(granted=filters, wanted=filters)
def test_a_filter_is_covered_only_if_every_topic_it_matches_is(granted: str, wanted: str) -> None:
    wider = [one for one in TOPICS if matches(wanted, one) and not matches(granted, one)]
    if covers(granted, wanted):
        assert wider == []
    elif granted.startswith("+/") or granted == "+":
        pass  # `+/#` means `#`: refusing it is too strict, and no grant looks so
    else:
        # Two filters apart only in an impossible way do not exist in this alphabet,
        # but for those that begin with a wildcard and so leave out `$x`.
        assert wider != [] or not any(matches(wanted, one) for one in TOPICS)


@given(who=devices, wanted=filters)
def test_no_filter_outside_its_tenant_is_ever_allowed(who: Identity, wanted: str) -> None:
    assert not may_subscribe(who, wanted)
    assert not may_subscribe(who, f"{ROOT}/{wanted}") or wanted.startswith(f"{who.tenant}/")


@given(who=devices, other=slugs, tail=st.sampled_from(["#", "+", "pos-1", "kitchen/#", "+/+"]))
def test_nothing_of_another_tenant_is_allowed(who: Identity, other: str, tail: str) -> None:
    if other == who.tenant:
        return
    for plane in Plane:
        for tenant in (other, "+"):
            assert not may_subscribe(who, plane_filter(plane, tenant=tenant, tail=tail))
        elsewhere = plane_filter(plane, tenant=other, tail=tail.replace("#", "x").replace("+", "y"))
        assert not may_publish(who, elsewhere)
        assert not may_receive(who, elsewhere)


@given(
    who=devices,
    plane=st.sampled_from(Plane),
    name=slugs,
    tail=st.sampled_from(["", "/x", "/orders/place", "/kitchen/hear"]),
)
def test_a_device_speaks_under_its_own_name_alone(
    who: Identity, plane: Plane, name: str, tail: str
) -> None:
    if may_publish(who, plane_filter(plane, tenant=who.tenant, tail=name + tail)):
        assert name == who.device
        assert plane in {Plane.REQUEST, Plane.TELEMETRY, Plane.PRESENCE}


@given(who=devices)
def test_what_may_be_subscribed_may_be_received(who: Identity) -> None:
    for one in grants(who):
        if one.verb is Verb.SUBSCRIBE:
            assert may_subscribe(who, one.filter)
            example = one.filter.replace("+", "x").replace("#", "y")
            assert may_receive(who, example)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    "wanted",
    [
        "#", "+", "+/#", "/#", "+/+/+/#", "$SYS/#", "$CONTROL/#", "$CONTROL/dynamic-security/v1",
        f"$share/g/{ROOT}/roma/state/menu/#", f"{ROOT}/#", f"{ROOT}/+/#", "heard/#", "heard/+/#",
        f"{ROOT}/roma/#/menu", f"{ROOT}/roma/state/menu#", f"{ROOT}/roma/sta+/#", "", "a\0b",
    ],
)  # fmt: skip
def test_no_trick_widens_what_a_role_may_read(role: Role, wanted: str) -> None:
    who = Identity.service() if role is Role.SERVICE else device(role)
    assert not may_subscribe(who, wanted)


@pytest.mark.parametrize(
    ("role", "wanted", "allowed"),
    [
        (Role.POS, topic(Plane.STATE, "menu/#"), True),
        (Role.POS, topic(Plane.STATE, "menu/+"), True),
        (Role.POS, topic(Plane.EVENT, "orders/placed"), True),
        (Role.POS, topic(Plane.STATE, "#"), False),
        (Role.POS, topic(Plane.STATE, "+/grill"), False),
        (Role.POS, topic(Plane.STATE, "kitchen/grill"), False),
        (Role.POS, topic(Plane.REPLY, "d-1"), True),
        (Role.POS, topic(Plane.REPLY, "+"), False),
        (Role.POS, topic(Plane.REPLY, "d-1/#"), False),
        (Role.POS, topic(Plane.REQUEST, "d-1/#"), False),
        (Role.KITCHEN_DISPLAY, topic(Plane.STATE, "kitchen/grill/#"), True),
        (Role.KITCHEN_DISPLAY, topic(Plane.STATE, "orders/#"), False),
        (Role.KITCHEN_DISPLAY, topic(Plane.STATE, "alerts/+"), True),
        (Role.POS, topic(Plane.STATE, "kitchen-channels/+"), True),
        (Role.POS, topic(Plane.STATE, "staff-tasks/+"), True),
        (Role.TRACKER, topic(Plane.STATE, "delivery/d-1/#"), True),
        (Role.TRACKER, topic(Plane.STATE, "delivery/#"), False),
        (Role.SENSOR, topic(Plane.STATE, "menu/#"), False),
        (Role.POS, topic(Plane.STATE, "party/d-1"), True),
        (Role.POS, topic(Plane.STATE, "party/+"), False),
        (Role.GUEST, topic(Plane.STATE, "menu/#"), True),
        (Role.GUEST, topic(Plane.STATE, "party/d-1"), True),
        (Role.GUEST, topic(Plane.STATE, "party/d-2"), False),
        (Role.GUEST, topic(Plane.STATE, "party/d-1/#"), False),
        *((Role.GUEST, topic(Plane.STATE, tail), False) for tail in STATES),
        *((Role.GUEST, topic(Plane.EVENT, tail), False) for tail in ("#", "orders/#", "+/+")),
        (Role.GUEST, topic(Plane.PRESENCE, "+"), False),
        (Role.GUEST, topic(Plane.REQUEST, "+/party/+"), False),
        (Role.MANAGER, f"{ROOT}/roma/#", True),
        (Role.MANAGER, topic(Plane.REPLY, "+"), True),
        (Role.MANAGER, topic(Plane.REPLY, "+", "napoli"), False),
    ],
)
def test_each_role_reads_its_own(role: Role, wanted: str, allowed: bool) -> None:
    assert may_subscribe(device(role), wanted) is allowed


@pytest.mark.parametrize(
    ("role", "tail", "allowed"),
    [
        (Role.POS, "orders/place", True),
        (Role.POS, "kitchen/bump", False),
        (Role.POS, "kitchen/pause-channel", True),
        (Role.POS, "kitchen/resume-channel", True),
        (Role.GUEST, "kitchen/pause-channel", False),
        (Role.KITCHEN_DISPLAY, "kitchen/hear", True),
        (Role.KITCHEN_DISPLAY, "orders/place", False),
        (Role.KITCHEN_DISPLAY, "alerts/acknowledge", True),
        *((Role.POS, tail, True) for tail in ("staff/start-duty", "quality/record")),
        *((Role.KITCHEN_DISPLAY, tail, True) for tail in ("staff/acknowledge", "quality/record")),
        *((Role.GUEST, tail, False) for tail in ("staff/read", "quality/record")),
        (Role.TRACKER, "delivery/arrive", True),
        (Role.TRACKER, "orders/place", False),
        (Role.SENSOR, "orders/place", False),
        (Role.POS, "party/open", True),
        (Role.GUEST, "party/choose", True),
        *((Role.GUEST, tail, False) for tail in ("orders/place", "orders/pay", "kitchen/bump")),
        (Role.MANAGER, "orders/cancel", True),
        (Role.MANAGER, "inventory/count", True),
        *((role, "people/read-limits", True) for role in DEVICES),
        *((role, "people/read/limits", False) for role in DEVICES),
        *((role, "people", False) for role in DEVICES),
        (Role.POS, "orders/place/now", False),
        (Role.MANAGER, "orders", False),
        (Role.MANAGER, "orders/place/now", False),
    ],
)
def test_each_role_asks_for_its_own(role: Role, tail: str, allowed: bool) -> None:
    assert may_publish(device(role), topic(Plane.REQUEST, f"d-1/{tail}")) is allowed


@pytest.mark.parametrize("role", DEVICES)
def test_how_deep_a_devices_topics_go_is_bounded(role: Role) -> None:
    who = device(role)
    for one in grants(who):
        if one.verb is Verb.PUBLISH:
            assert "#" not in one.filter
            deeper = one.filter.replace("+", "x") + "/x"
            assert not may_publish(who, deeper) or one.filter.endswith("/d-1")


@pytest.mark.parametrize("role", DEVICES)
@pytest.mark.parametrize("clearing", [False, True])
def test_a_device_may_leave_its_presence_behind_and_nothing_else(
    role: Role, clearing: bool
) -> None:
    who = device(role)
    assert may_retain(who, topic(Plane.PRESENCE, "d-1"), clearing=clearing)
    for plane, tail in (
        (Plane.PRESENCE, "d-2"),
        (Plane.TELEMETRY, "d-1/heartbeat"),
        (Plane.REQUEST, "d-1/people/read-limits"),
        (Plane.REQUEST, "d-1/orders/place"),
        (Plane.STATE, "menu/burger"),
        (Plane.REPLY, "d-1"),
    ):
        assert not may_retain(who, topic(plane, tail), clearing=clearing)
    assert not may_retain(who, topic(Plane.PRESENCE, "d-1", "napoli"), clearing=clearing)


def test_services_leave_states_behind_and_clear_what_devices_left() -> None:
    who = Identity.service()
    assert may_retain(who, topic(Plane.STATE, "menu/burger"))
    assert may_retain(who, topic(Plane.STATE, "menu/burger"), clearing=True)
    for plane in (Plane.PRESENCE, Plane.REQUEST, Plane.TELEMETRY):
        assert may_retain(who, topic(plane, "pos-1"), clearing=True)
        assert not may_retain(who, topic(plane, "pos-1"))
    for plane in (Plane.EVENT, Plane.REPLY):
        assert not may_retain(who, topic(plane, "pos-1"))
        assert not may_retain(who, topic(plane, "pos-1"), clearing=True)


def test_services_speak_for_every_tenant_and_read_what_devices_say() -> None:
    who = Identity.service()
    for plane in (Plane.STATE, Plane.EVENT):
        assert may_publish(who, topic(plane, "orders/placed"))
    assert may_publish(who, topic(Plane.REPLY, "pos-1"))
    for plane in (Plane.PRESENCE, Plane.REQUEST, Plane.TELEMETRY):
        assert may_publish(who, topic(plane, "pos-1")), "the warden clears what stands there"
    assert not may_publish(who, topic(Plane.REPLY, "pos-1/more"))
    for plane in (Plane.REQUEST, Plane.TELEMETRY, Plane.PRESENCE, Plane.STATE, Plane.EVENT):
        assert may_subscribe(who, plane_filter(plane))
    assert not may_subscribe(who, plane_filter(Plane.REPLY))


@pytest.mark.parametrize("bad", ["", "a/+", "a/#", "a\0b", "\ud800", "x" * (MAX_TOPIC_BYTES + 1)])
def test_what_is_no_topic_is_refused_to_everybody(bad: str) -> None:
    assert not is_topic(bad)
    assert not may_publish(device(Role.MANAGER), bad)
    assert not may_receive(device(Role.MANAGER), bad)


@given(text=st.text(alphabet="a/+#$\0é", max_size=6))
def test_only_well_formed_filters_are_filters(text: str) -> None:
    levels = text.split("/")
    well_formed = (
        text != ""
        and "\0" not in text
        and all(level == "+" or "+" not in level for level in levels)
        and all(level == "#" or "#" not in level for level in levels)
        and "#" not in levels[:-1]
    )
    assert is_filter(text) is well_formed


@given(one=devices, other=devices)
def test_no_two_devices_share_a_user_name(one: Identity, other: Identity) -> None:
    if (one.tenant, one.device) != (other.tenant, other.device):
        assert one.username() != other.username()
    assert one.username() == username_of(one.tenant, one.device)


@pytest.mark.parametrize("bad", ["", "+", "#", "a/b", "a:b", "A", "é", "a\n", "x" * 65])
def test_a_name_that_could_widen_a_filter_makes_no_identity(bad: str) -> None:
    with pytest.raises(ValueError, match="cannot name"):
        Identity(bad, "pos-1", Role.POS)
    with pytest.raises(ValueError, match="cannot name"):
        Identity("roma", bad, Role.POS)


def test_a_service_is_of_no_tenant() -> None:
    with pytest.raises(ValueError, match="no tenant"):
        Identity("roma", "heard-services", Role.SERVICE)


def test_every_request_of_the_contract_may_be_sent_by_some_device() -> None:
    for message in MESSAGES:
        if issubclass(message, Request):
            tail = message.route.template.split("{device}/")[1]
            asked = topic(Plane.REQUEST, f"d-1/{tail}")
            assert any(may_publish(device(role), asked) for role in DEVICES if role != Role.MANAGER)


def test_every_retained_message_of_the_contract_may_stay_where_it_is_said() -> None:
    for message in MESSAGES:
        tail = message.route.template.split("{tenant}/")[1].replace("{device}", "d-1")
        said = f"{ROOT}/roma/{tail.replace('{', '').replace('}', '')}"
        speaker = device(Role.POS) if message.plane in DEVICE_PLANES else Identity.service()
        assert may_retain(speaker, said) is message.retain


def test_every_role_has_rules() -> None:
    assert {role for rule in RULES for role in rule.roles} == set(Role)
