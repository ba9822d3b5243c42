"""The contract as an AsyncAPI 3.0.0 document, from the services' point of view."""

from __future__ import annotations

from typing import Any, Final

from schemas.attribute_docs import summary
from schemas.catalogue import MESSAGES, TEXTS
from schemas.identifiers import SLUG_PATTERN
from schemas.json_schema import definitions, on_the_wire
from schemas.message import Message, Query, Request
from schemas.replies import Reply
from schemas.topics import DEVICE_PLANES, Plane

VERSION: Final = "1.0.0"
"""The version of the contract: minor for what is added, major never (see the rule)."""

_MQTT_BINDING: Final = "0.2.0"
_REF: Final = "#/components/schemas/{model}"

_PARAMETERS: Final = {
    "tenant": "One restaurant: the unit of isolation.",
    "device": "The device that speaks, or is spoken to; the broker enforces its name.",
    "station": "A station of the kitchen: grill, fry, bar, expo.",
    "ticket_id": "The id of the ticket.",
    "item": "An item of the menu, or of the stock.",
    "order_id": "The id of the order.",
    "channel": "A channel over which the house gives notices, or a kind of order.",
    "alert_id": "The name of an alert.",
    "person": "Somebody of the staff.",
    "task_id": "The id of a task.",
    "sensor": "The name of a sensor below its bridge.",
    "sub": "What the sender puts below its own topic: `event`, `waypoints`.",
    "vehicle": "The name of a vehicle: its tracker's, or what the house calls it.",
    "courier_id": "Somebody who brings orders.",
    "sensor_id": "The name of a thermometer, as the house calls it.",
}

_PLANES: Final = {
    Plane.REQUEST: "What devices ask for; answered on the reply channel, after the commit.",
    Plane.REPLY: "Accepted or rejected, to the device that asked.",
    Plane.TELEMETRY: "Many small readings of devices, bare; the last one wins.",
    Plane.PRESENCE: "Birth and will of devices.",
    Plane.STATE: "What is true now; an empty payload ends it.",
    Plane.EVENT: "What happened.",
}


_EVERY: Final = (*MESSAGES, *TEXTS)


def _id(message: type[Message]) -> str:
    name = message.__name__
    return name[0].lower() + name[1:]


def document() -> dict[str, Any]:
    """Describe the whole catalogue as an AsyncAPI 3.0.0 document (a JSON object)."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:heard:v1",
        "info": {
            "title": "Heard",
            "version": VERSION,
            "description": (
                "The messages of a restaurant's floor over MQTT. Every message but telemetry"
                " travels in a CloudEvents 1.0 envelope (JSON, structured mode), whose id is"
                " the idempotency key. Publish strictly; ignore unknown fields on receipt."
            ),
            "license": {"name": "Apache-2.0"},
            "tags": [{"name": str(plane), "description": told} for plane, told in _PLANES.items()],
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": "127.0.0.1:1883",
                "protocol": "mqtt",
                "protocolVersion": "3.1.1",
                "description": "The broker of `heard up`.",
                "security": [{"$ref": "#/components/securitySchemes/userPassword"}],
            }
        },
        "channels": {_id(message): _channel(message) for message in _EVERY},
        "operations": {
            _operation_id(message): _operation(message)
            for message in _EVERY
            if message is not Reply  # described by the requests that it answers
        },
        "components": {
            "messages": {message.__name__: _message(message) for message in _EVERY},
            "schemas": definitions(_REF),
            "parameters": {
                name: {"description": f"{told} Matches `{SLUG_PATTERN}`."}
                for name, told in _PARAMETERS.items()
            },
            "securitySchemes": {
                "userPassword": {
                    "type": "userPassword",
                    "description": "A device's name and secret, as `heard device add` gave them.",
                }
            },
        },
    }


def _channel(message: type[Message]) -> dict[str, Any]:
    name = message.__name__
    return {
        "address": message.route.template,
        "title": name,
        "description": _PLANES[message.plane],
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "parameters": {
            parameter: {"$ref": f"#/components/parameters/{parameter}"}
            for parameter in message.route.names
        },
        "tags": [{"name": str(message.plane)}],
    }


def _operation_id(message: type[Message]) -> str:
    action = "receive" if message.plane in DEVICE_PLANES else "send"
    return f"{action}{message.__name__}"


def _operation(message: type[Message]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "action": "receive" if message.plane in DEVICE_PLANES else "send",
        "channel": {"$ref": f"#/channels/{_id(message)}"},
        "summary": summary(message),
        "messages": [{"$ref": f"#/channels/{_id(message)}/messages/{message.__name__}"}],
        "bindings": {
            "mqtt": {
                "qos": message.qos,
                "retain": message.retain,
                "bindingVersion": _MQTT_BINDING,
            }
        },
        "tags": [{"name": str(message.plane)}],
    }
    if issubclass(message, Request):
        operation["reply"] = {
            "channel": {"$ref": f"#/channels/{_id(Reply)}"},
            "messages": [{"$ref": f"#/channels/{_id(Reply)}/messages/{Reply.__name__}"}],
        }
    return operation


def _message(message: type[Message]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": message.type_name,
        "title": message.__name__,
        "summary": summary(message),
        "contentType": message.content_type,
        "payload": {"type": "string"} if message in TEXTS else on_the_wire(message, _REF),
        "bindings": {"mqtt": {"bindingVersion": _MQTT_BINDING}},
        "tags": [{"name": str(message.plane)}],
    }
    if issubclass(message, Request):
        told["description"] = (
            "Changes nothing, and is never kept: ask again at will."
            if issubclass(message, Query)
            else "Sent again with the same id until the reply comes: it is kept once."
        )
        told["correlationId"] = {
            "description": "The envelope's id; the reply names it.",
            "location": "$message.payload#/id",
        }
    elif message is Reply:
        told["correlationId"] = {
            "description": "The id of the request that this answers.",
            "location": "$message.payload#/data/request",
        }
    elif message.plane is Plane.STATE:
        told["description"] = "Retained; cleared with an empty payload when it ends."
    return told
