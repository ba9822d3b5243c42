"""What the schemas say and what the models read and write is the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from schemas.catalogue import BY_TYPE, MESSAGES
from schemas.envelope import device_source, encode, envelope_of, service_source
from schemas.identifiers import new_id
from schemas.json_schema import schemas
from schemas.message import Message
from schemas.replies import Outcome, Reply
from schemas.topics import Plane
from tests.rules.wire import NOON, payloads

every_message = pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)


@every_message
@settings(max_examples=30)
@given(data=st.data())
def test_a_message_comes_back_from_the_wire_as_it_was(
    message: type[Message], data: st.DataObject
) -> None:
    payload = message.model_validate_json(json.dumps(data.draw(payloads(message))))
    id_, cause = new_id(), uuid4()
    wire = encode(payload, id=id_, source=service_source("demo"), time=NOON, causation=cause)
    document = json.loads(wire)
    Draft202012Validator(schemas()[message.type_name], format_checker=FormatChecker()).validate(
        document
    )
    if message.bare:
        assert message.model_validate_json(wire) == payload
        return
    envelope = envelope_of(message).model_validate_json(wire)
    assert envelope.data == payload
    assert (envelope.id, envelope.causationid, envelope.time) == (id_, cause, NOON)
    assert (envelope.type, envelope.subject) == (message.type_name, payload.subject())


@every_message
def test_a_schema_is_a_whole_document_of_its_dialect(message: type[Message]) -> None:
    schema = schemas()[message.type_name]
    Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema
    for reference in _references(schema):
        assert reference.removeprefix("#/$defs/") in schema["$defs"]


def _references(value: object) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in _references(item)]
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [found for item in value.values() for found in _references(item)]
    return []


def test_type_names_are_unique_and_versioned() -> None:
    assert len(BY_TYPE) == len(MESSAGES)
    for name in BY_TYPE:
        assert name.startswith("heard.")
        assert name.rpartition(".v")[2].isdigit()


def test_telemetry_alone_travels_bare() -> None:
    assert all(message.bare == (message.plane is Plane.TELEMETRY) for message in MESSAGES)


def test_what_is_retained_is_state_and_presence_and_nothing_else() -> None:
    for message in MESSAGES:
        assert message.retain == (message.plane in {Plane.STATE, Plane.PRESENCE})
        assert message.qos == 1 or message.plane is Plane.TELEMETRY


def test_a_reply_to_a_request_that_could_not_be_read_can_be_read() -> None:
    reply = Reply(outcome=Outcome.REJECTED)
    wire = encode(reply, id=new_id(), source=service_source("demo"), time=NOON)
    assert envelope_of(Reply).model_validate_json(wire).data == reply


def test_a_time_travels_in_utc_whatever_the_senders_zone() -> None:
    here = NOON.astimezone(timezone(timedelta(hours=9)))
    wire = encode(Reply(outcome=Outcome.ACCEPTED), id=new_id(), source="/demo/x", time=here)
    assert json.loads(wire)["time"] == "2026-03-14T12:00:00Z"
    assert datetime.fromisoformat(json.loads(wire)["time"]).tzinfo == UTC


def test_the_hour_that_a_clock_shows_twice_is_two_hours() -> None:
    first = datetime(2026, 10, 25, 1, 30, tzinfo=ZoneInfo("Europe/London"))
    reply = Reply(request=new_id(), outcome=Outcome.ACCEPTED)
    told = [
        json.loads(encode(reply, id=new_id(), source=service_source("demo"), time=each))["time"]
        for each in (first, first.replace(fold=1))
    ]
    assert told == ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]


def test_the_source_says_which_tenant_and_device_speaks() -> None:
    assert device_source("demo", "pos-1") == "/demo/devices/pos-1"
    assert service_source("demo") == "/demo/services"
