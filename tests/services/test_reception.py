"""No bytes whatever make the reading of messages raise."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from schemas.catalogue import MESSAGES
from schemas.envelope import device_source, encode
from schemas.identifiers import new_id
from schemas.message import Message, Request
from schemas.topics import Plane, event_marker, state_marker
from services.runtime.bus import Delivery
from services.runtime.quarantine import quarantine_row
from services.runtime.reception import Received, Unfit, read
from services.runtime.worker import _rejection
from tests.rules.wire import payloads

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
SAID = [
    message
    for message in MESSAGES
    if message.plane in {Plane.REQUEST, Plane.PRESENCE, Plane.TELEMETRY}
]
ADDRESS = {"tenant": "demo", "device": "pos-1", "item": "ale", "station": "bar", "ticket_id": "1"}
ADDRESS |= {"order_id": "1", "channel": "kitchen", "alert_id": "1"}
ADDRESS |= {"person": "ada", "task_id": "1", "sensor": "fridge", "sensor_id": "fridge"}
ADDRESS |= {"vehicle": "bike-1", "courier_id": "anna", "sub": "event"}
TOPICS = [message.route.topic(**ADDRESS) for message in SAID]
MARKERS = (state_marker("a1"), event_marker("a1"))
"""A subscription that has just ended may still bring one: nobody quarantines those."""
OURS = [
    message.route.topic(**ADDRESS)
    for message in MESSAGES
    if message.plane in {Plane.REPLY, Plane.STATE, Plane.EVENT}
]
topics = (
    st.sampled_from(TOPICS + OURS)
    | st.text(max_size=80)
    | st.sampled_from(
        [
            "heard/v1/demo/request/pos-1",
            "heard/v1/demo/request/POS 1/orders/place",
            "heard/v1/demo/request/pos-1/orders/place/",
            "heard/v1//request//",
            "heard/v1/demo/state/menu/burger",
            "$SYS/broker/load",
            "",
        ]
    )
)


def understood(topic: str, payload: bytes) -> Received | Unfit | None:
    """Read it; what is unfit must also be fit to be answered, or to be kept."""
    entry = read(Delivery(topic, payload, retain=False, qos=1, tag=1), NOW)
    if isinstance(entry, Unfit):
        assert entry.reason
        if entry.device is not None:
            answer = _rejection(entry, entry.device, NOW)
            assert json.loads(answer.payload)["data"]["outcome"] == "rejected"
        assert "\x00" not in quarantine_row(entry, NOW)["reason"]
    elif entry is not None:
        assert entry.digest()
    return entry


@given(topic=topics, payload=st.binary(max_size=2000))
@example(topic=TOPICS[0], payload=b"[" * 100_000)
@example(topic=TOPICS[0], payload=b'{"id":' * 10_000)
@example(topic=TOPICS[0], payload=b"1" * 10_000)
@example(topic=TOPICS[0], payload="{}".encode("utf-16"))
@example(topic=TOPICS[0], payload=b'\xef\xbb\xbf{"id": "\xed\xa0\x80"}')
def test_no_bytes_make_reading_raise(topic: str, payload: bytes) -> None:
    understood(topic, payload)


@given(topic=st.sampled_from([*OURS, *MARKERS]), payload=st.binary(max_size=200) | st.just(b"{}"))
def test_what_the_services_say_themselves_is_nothing_to_act_on(topic: str, payload: bytes) -> None:
    assert understood(topic, payload) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def envelopes(draw: st.DrawFn) -> tuple[type[Message], dict[str, Any]]:
    message = draw(st.sampled_from(SAID))
    payload = message.model_validate_json(json.dumps(draw(payloads(message))))
    wire = encode(
        payload,
        id=new_id(),
        source=device_source("demo", "pos-1"),
        time=NOW - timedelta(minutes=draw(st.integers(0, 60))),
    )
    return message, json.loads(wire)


@given(written=envelopes(), data=st.data())
def test_a_valid_message_is_understood_and_a_spoilt_one_never_raises(
    written: tuple[type[Message], dict[str, Any]], data: st.DataObject
) -> None:
    message, document = written
    topic = message.route.topic(**ADDRESS)
    entry = understood(topic, json.dumps(document).encode())
    assert isinstance(entry, Received)
    assert (entry.tenant, entry.device, type(entry.message)) == ("demo", "pos-1", message)

    for _ in range(data.draw(st.integers(1, 3))):
        spoil(document, data)
    spoilt = json.dumps(document).encode()
    place, length = data.draw(st.integers(0, len(spoilt))), data.draw(st.integers(0, 3))
    noise = data.draw(st.just(spoilt[place : place + length]) | st.binary(max_size=3))
    entry = understood(topic, spoilt[:place] + noise + spoilt[place + length :])
    if isinstance(entry, Unfit) and issubclass(message, Request):
        assert entry.device == "pos-1", "whoever asks is always answered"


def spoil(document: dict[str, Any], data: st.DataObject) -> None:
    """Remove, replace or add a field, here or deeper."""
    if not document:
        return
    name = data.draw(st.sampled_from(sorted(document)))
    match data.draw(st.sampled_from(["remove", "replace", "add", "deeper"])):
        case "remove":
            del document[name]
        case "replace":
            document[name] = data.draw(json_values)
        case "add":
            document[data.draw(st.text())] = data.draw(json_values)
        case "deeper":
            if isinstance(document[name], dict):
                spoil(document[name], data)
