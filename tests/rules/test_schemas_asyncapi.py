"""The AsyncAPI document is valid by AsyncAPI's own schema, and whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from schemas.asyncapi import document
from schemas.catalogue import MESSAGES
from schemas.message import Message, Request
from schemas.replies import Reply
from schemas.topics import DEVICE_PLANES

PUBLISHED = Path(__file__).parent / "asyncapi" / "asyncapi-3.0.0.json"

every_message = pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)


def _at(reference: str) -> Any:
    found: Any = document()
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_the_document_is_valid_by_the_schema_that_asyncapi_publishes() -> None:
    validator = Draft7Validator(json.loads(PUBLISHED.read_text()))
    written = json.loads(json.dumps(document()))
    assert [error.message for error in validator.iter_errors(written)] == []
    del written["info"]["title"]
    assert not validator.is_valid(written), "the published schema checks nothing"


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(document())
    references = {part.split('"', 1)[0] for part in text.split('"$ref": "')[1:]}
    for reference in references:
        assert _at(reference)


@every_message
def test_a_message_has_its_channel_with_its_address_and_parameters(
    message: type[Message],
) -> None:
    (channel,) = [
        channel
        for channel in document()["channels"].values()
        if channel["address"] == message.route.template
    ]
    assert channel["address"].startswith("heard/v1/{tenant}/")
    assert set(channel["parameters"]) == set(message.route.names)
    (reference,) = channel["messages"].values()
    assert _at(reference["$ref"])["name"] == message.type_name


@every_message
def test_the_services_receive_what_devices_say_and_send_the_rest(
    message: type[Message],
) -> None:
    operations = [
        operation
        for operation in document()["operations"].values()
        if _at(operation["channel"]["$ref"])["address"] == message.route.template
    ]
    if message is Reply:
        assert operations == []
        return
    (operation,) = operations
    assert operation["action"] == ("receive" if message.plane in DEVICE_PLANES else "send")
    binding = operation["bindings"]["mqtt"]
    assert (binding["qos"], binding["retain"]) == (message.qos, message.retain)
    if issubclass(message, Request):
        answered = _at(operation["reply"]["channel"]["$ref"])
        assert answered["address"] == Reply.route.template
    else:
        assert "reply" not in operation


@every_message
def test_telemetry_is_bare_and_everything_else_in_an_envelope(message: type[Message]) -> None:
    described = document()["components"]["messages"][message.__name__]
    reference = {"$ref": f"#/components/schemas/{message.__name__}"}
    if message.bare:
        assert described["payload"] == reference
        assert described["contentType"] == "application/json"
    else:
        assert described["payload"]["properties"]["data"] == reference
        assert described["payload"]["properties"]["type"] == {"const": message.type_name}
        assert described["contentType"] == "application/cloudevents+json"


def test_words_under_fields_and_members_are_in_the_document() -> None:
    known = document()["components"]["schemas"]
    assert known["Ticket"]["properties"]["sequence"]["description"].startswith("The station's")
    assert "request-id-reused: This id was used" in known["RefusalCode"]["description"]
