"""Topics: built and parsed by the classes, and never wider than they look."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.catalogue import MESSAGES, locate
from schemas.identifiers import SLUG_PATTERN
from schemas.message import Message
from schemas.orders import PlaceOrder
from schemas.topics import (
    DEVICE_PLANES,
    Plane,
    TopicMismatch,
    device_of,
    is_on,
    matches,
    plane_filter,
    values_for,
)

slugs = st.from_regex(SLUG_PATTERN.replace("$", r"\Z"))
messages = st.sampled_from(MESSAGES)
every_message = pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)

# Levels as an attacker would choose them, and any text at all.
_WIDENING = [
    *("+", "#", "", "/", "a/b", "a.b", "A", "a b", "a\n", "\n", "\x00", "$SYS", ">", "*"),
    *("\uff41", "\u0430", "\u0663", "é", "x" * 65, "{device}"),
]
hostile = st.sampled_from(_WIDENING) | st.text()


@given(data=st.data(), message=messages)
def test_a_topic_is_found_again_by_the_class_that_built_it(
    data: st.DataObject, message: type[Message]
) -> None:
    address = {name: data.draw(slugs) for name in message.route.names}
    topic = message.route.topic(**address)
    located = locate(topic)
    assert located.message is message
    assert located.address == address
    assert located.tenant == address["tenant"]


@given(data=st.data(), message=messages)
def test_the_filter_of_a_route_matches_its_topics_alone(
    data: st.DataObject, message: type[Message]
) -> None:
    other = data.draw(messages)
    topic = other.route.topic(**{name: data.draw(slugs) for name in other.route.names})
    assert matches(message.route.filter(), topic) == (message is other)


@given(data=st.data(), message=messages, value=hostile)
def test_a_value_that_is_no_slug_never_stands_in_a_topic(
    data: st.DataObject, message: type[Message], value: str
) -> None:
    assume(not value or not set(value) <= set("abcdefghijklmnopqrstuvwxyz0123456789-"))
    address = {name: data.draw(slugs) for name in message.route.names}
    spoiled = data.draw(st.sampled_from(message.route.names))
    with pytest.raises(TopicMismatch):
        message.route.topic(**{**address, spoiled: value})
    literal = message.route.topic(**{**address, spoiled: "spoiled-here"})
    with pytest.raises(TopicMismatch):
        message.route.parse(literal.replace("spoiled-here", value))


@given(data=st.data(), message=messages, value=st.sampled_from(_WIDENING))
def test_a_filter_is_never_made_wider_by_a_value(
    data: st.DataObject, message: type[Message], value: str
) -> None:
    spoiled = data.draw(st.sampled_from(message.route.names))
    with pytest.raises(TopicMismatch):
        message.route.filter(**{spoiled: value})


@given(st.text())
def test_any_text_is_either_located_or_refused(topic: str) -> None:
    with pytest.raises(TopicMismatch):
        locate(topic)


@every_message
def test_a_missing_placeholder_is_refused(message: type[Message]) -> None:
    with pytest.raises(TopicMismatch):
        message.route.topic(tenant="demo") if len(
            message.route.names
        ) > 1 else message.route.topic()


def test_what_is_nothing_stands_in_no_topic() -> None:
    nothing: Any = None
    with pytest.raises(TopicMismatch, match="device"):
        PlaceOrder.route.topic(tenant="demo", device=nothing)


def test_no_two_messages_share_a_topic() -> None:
    for message in MESSAGES:
        for other in MESSAGES:
            if message is not other:
                assert message.route.key != other.route.key
                assert not matches("/".join(message.route.key), "/".join(other.route.key))


@given(message=messages, tenant=slugs, device=slugs)
def test_a_device_is_known_by_its_topic_on_the_planes_where_it_speaks(
    message: type[Message], tenant: str, device: str
) -> None:
    if "device" not in message.route.names or len(message.route.names) > 2:
        return
    topic = message.route.topic(tenant=tenant, device=device)
    expected = (tenant, device) if message.plane in DEVICE_PLANES else None
    assert device_of(topic) == expected


@pytest.mark.parametrize(
    "topic",
    ["", "heard/v1", "heard/v1/t/request", "heard/v2/t/request/d/x", "heard/v1/T/request/d/x",
     "heard/v1/t/request/+/x", "heard/v1/t/reply/d", "$SYS/broker/uptime/a/b"],
)  # fmt: skip
def test_no_device_speaks_on_a_topic_that_is_not_its_own(topic: str) -> None:
    assert device_of(topic) is None


@pytest.mark.parametrize(
    ("filter_", "topic", "does"),
    [
        # the examples of MQTT 3.1.1, 4.7.1 and 4.7.2
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("#", "sport", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/broker", False),
        ("+/monitor/Clients", "$SYS/monitor/Clients", False),
        ("$SYS/#", "$SYS/", True),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", True),
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/b/c", "a/b", False),
        ("ta/#", "ta2/x", False),
        ("A", "a", False),
    ],
)
def test_filters_match_as_mqtt_says(filter_: str, topic: str, does: bool) -> None:
    assert matches(filter_, topic) is does


@given(message=messages, tenant=slugs, data=st.data())
def test_the_filter_of_a_plane_holds_every_message_of_it(
    message: type[Message], tenant: str, data: st.DataObject
) -> None:
    plane = data.draw(st.sampled_from(Plane))
    others = {name: data.draw(slugs) for name in message.route.names if name != "tenant"}
    topic = message.route.topic(tenant=tenant, **others)
    assert matches(plane_filter(plane, tenant=tenant), topic) == (message.plane is plane)
    assert not matches(plane_filter(plane, tenant=f"{tenant}2"), topic)


def test_values_come_from_the_first_source_that_has_them() -> None:
    found = values_for(("a", "b", "c"), {"a": 1, "b": None}, {"a": 2, "b": 3})
    assert found == {"a": "1", "b": "3"}


@pytest.mark.parametrize("plane", list(Plane))
def test_a_name_that_is_a_planes_makes_no_topic_one_of_that_plane(plane: Plane) -> None:
    assert is_on(plane, f"heard/v1/roma/{plane}/pos-1/x")
    for other in set(Plane) - {plane}:
        assert not is_on(plane, f"heard/v1/{plane}/{other}/pos-1/x")
        assert not is_on(plane, f"heard/v1/roma/{other}/{plane}/x")
    assert not is_on(plane, f"{plane}")
