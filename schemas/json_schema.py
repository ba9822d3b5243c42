"""JSON Schemas (2020-12) of what stands on the wire, one document a message.

What services publish is described strictly: a field that is always written is
required. What devices publish is described by what the services accept: a field with
a default may be left out. Unknown fields are allowed in both: receivers ignore them.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from schemas.attribute_docs import attribute_docs, summary
from schemas.catalogue import MESSAGES
from schemas.envelope import Envelope
from schemas.message import Message
from schemas.topics import DEVICE_PLANES

Schema = dict[str, Any]

_INPUT: Final = "-Input"
_OUTPUT: Final = "-Output"
"""What pydantic appends where one model has two schemas."""

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class _OnTheWire(GenerateJsonSchema):
    """Requires what is always written: a default other than None is, a None never."""

    def field_is_required(
        self,
        field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField,
        total: bool,  # noqa: FBT001 - pydantic's signature
    ) -> bool:
        inner = field["schema"]
        if self.mode == "serialization" and inner["type"] == "default":
            return inner.get("default") is not None
        return super().field_is_required(field, total)


def _mode(message: type[Message]) -> Literal["validation", "serialization"]:
    return "validation" if message.plane in DEVICE_PLANES else "serialization"


@cache
def _generated(ref_template: str) -> Schema:
    _, document = models_json_schema(
        [
            *((message, _mode(message)) for message in MESSAGES),
            (Envelope[Any], "serialization"),
        ],
        ref_template=ref_template,
        schema_generator=_OnTheWire,
    )
    definitions: Schema = _asked_as_said(document["$defs"])
    for name, cls in _classes().items():
        if name in definitions:
            _describe(definitions[name], cls)
    return {name: _plain(schema) for name, schema in definitions.items()}


def _asked_as_said(definitions: Schema) -> Schema:
    """What devices ask with and are told of in the same words has one schema: as they ask.

    A device may leave out what has a default; what the services write has it, which is
    allowed too.
    """

    def renamed(value: Any) -> Any:
        if isinstance(value, list):
            return [renamed(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {
            name: _said(each) if name == "$ref" else renamed(each) for name, each in value.items()
        }

    return {
        _said(name): renamed(schema)
        for name, schema in definitions.items()
        if not name.endswith(_OUTPUT)
    }


def _said(name: str) -> str:
    return name.removesuffix(_INPUT).removesuffix(_OUTPUT)


def _classes() -> dict[str, type]:
    """Every model and enumeration that the catalogue's payloads are made of, by name."""
    found: dict[str, type] = {}
    waiting: list[Any] = list(MESSAGES)
    while waiting:
        kind = waiting.pop()
        if not isinstance(kind, type):
            # a union, an annotated or generic type: what it is made of counts
            waiting.extend(getattr(kind, "__args__", ()))
        elif kind.__name__ not in found and issubclass(kind, BaseModel | StrEnum):
            found[kind.__name__] = kind
            if issubclass(kind, BaseModel):
                waiting.extend(field.annotation for field in kind.model_fields.values())
    return found


def _describe(schema: Schema, cls: type) -> None:
    docs = attribute_docs(cls)
    for name, field in schema.get("properties", {}).items():
        if name in docs:
            field["description"] = docs[name]
    if issubclass(cls, StrEnum):
        told = [f"{member.value}: {docs[member.name]}" for member in cls if member.name in docs]
        schema["description"] = "\n\n".join([summary(cls), *told])


def _plain(value: Any) -> Any:
    """Drop what only other dialects know, and titles that say the field's name again."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    # `discriminator` is OpenAPI's: each branch has its own constant, which says the same.
    kept = {key: _plain(item) for key, item in value.items() if key != "discriminator"}
    if isinstance(kept.get("title"), str) and "properties" not in kept and "enum" not in kept:
        del kept["title"]
    return kept


def definitions(ref_template: str = "#/$defs/{model}") -> dict[str, Schema]:
    """The schemas of every payload and of what payloads are made of, by class name."""
    generated = _generated(ref_template)
    return {
        name: schema
        for name, schema in sorted(generated.items())
        if not name.startswith("Envelope")
    }


def on_the_wire(message: type[Message], ref_template: str = "#/$defs/{model}") -> Schema:
    """The schema of a message as it travels: in its envelope, or bare (telemetry)."""
    payload = {"$ref": ref_template.format(model=message.__name__)}
    if message.bare:
        return payload
    (envelope,) = (
        schema for name, schema in _generated(ref_template).items() if name.startswith("Envelope")
    )
    return {
        "type": "object",
        "title": f"{message.__name__} in its envelope",
        "description": "CloudEvents 1.0, JSON, structured mode.",
        "properties": {
            **envelope["properties"],
            "type": {"const": message.type_name},
            "data": payload,
        },
        "required": [
            name
            for name in envelope["required"]
            # CloudEvents lets it be left out, and so do the services.
            if not (name == "datacontenttype" and message.plane in DEVICE_PLANES)
        ],
    }


def schemas() -> dict[str, Schema]:
    """One whole JSON Schema document for each message, by its type name."""
    known = definitions()
    documents: dict[str, Schema] = {}
    for message in MESSAGES:
        body = on_the_wire(message)
        documents[message.type_name] = {
            "$schema": DIALECT,
            "$id": f"urn:heard:{message.type_name}",
            **body,
            "$defs": {name: known[name] for name in sorted(_used(body, known))},
        }
    return documents


def _used(schema: Any, known: dict[str, Schema]) -> set[str]:
    """The names of the definitions that a schema needs, directly or through others."""
    used: set[str] = set()
    waiting: list[Any] = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
            name = str(value.get("$ref", "")).rpartition("/")[2]
            if name in known and name not in used:
                used.add(name)
                waiting.append(known[name])
    return used
