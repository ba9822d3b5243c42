"""Payloads as they stand on the wire, made from the exported JSON Schemas.

Made from the schema and read by the models, they show that both say the same.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas.identifiers import derived_id
from schemas.json_schema import definitions
from schemas.message import Message

Schema = dict[str, Any]

REJECTED = "rejected"
"""The kind of reply that has no result."""

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)

_TIMES = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2099, 12, 31),  # noqa: DTZ001 - the same
    timezones=st.just(UTC),
).map(datetime.isoformat)


def _resolve(schema: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    resolved: Schema = definitions()[str(schema["$ref"]).rpartition("/")[2]]
    return resolved


def payloads(message: type[Message]) -> st.SearchStrategy[dict[str, Any]]:
    """Any payload of a message that its schema allows."""
    found: st.SearchStrategy[dict[str, Any]] = _any(definitions()[message.__name__])
    return found


_DEEP = 5
"""Where a schema holds itself, it ends so deep."""


def _any(schema: Schema, depth: int = 0) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - a case each
    schema, depth = _resolve(schema), depth + 1
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        return st.one_of([_any(branch, depth) for branch in branches])
    if schema["type"] == "object":
        required = set(schema.get("required", ()))
        fields = {name: _any(field, depth) for name, field in schema["properties"].items()}
        found = st.fixed_dictionaries(
            {name: field for name, field in fields.items() if name in required},
            optional={name: field for name, field in fields.items() if name not in required},
        )
        if "not" not in schema:
            return found
        refused = Draft202012Validator(schema["not"])
        return found.filter(lambda drawn: not refused.is_valid(drawn))
    if schema["type"] == "array":
        least = schema.get("minItems", 0)
        if depth > _DEEP and least == 0:
            return st.just([])
        usual = 2 if depth < 4 else 1  # what is deep is small: these run for every message
        most = min(schema.get("maxItems", usual), max(usual, least))
        return st.lists(_any(schema["items"], depth), min_size=least, max_size=most)
    if schema["type"] == "string":
        return _text(schema)
    return _number(schema)


def _text(schema: Schema) -> st.SearchStrategy[str]:
    if schema.get("format") == "uuid":
        return st.uuids().map(str)
    if schema.get("format") == "date-time":
        return _TIMES
    if schema.get("format") == "date":
        return st.dates().map(date.isoformat)
    if schema.get("format") == "time":
        return st.times().map(time.isoformat)
    if "pattern" in schema:
        least, most = schema.get("minLength", 0), schema.get("maxLength", 2**20)
        # Some of what the pattern of a text allows is no text: lone surrogates.
        return st.from_regex(
            schema["pattern"].replace("$", r"\Z"), alphabet=st.characters(codec="utf-8")
        ).filter(lambda text: least <= len(text) <= most)
    # No surrogates: they are no text, and UTF-8 has no form for them.
    return st.text(
        st.characters(codec="utf-8"),
        min_size=schema.get("minLength", 0),
        max_size=schema.get("maxLength", 40),
    )


def _number(schema: Schema) -> st.SearchStrategy[Any]:
    if schema["type"] == "boolean":
        return st.booleans()
    if schema["type"] == "null":
        return st.none()
    if schema["type"] == "integer":
        return st.integers(schema.get("minimum", 0), schema.get("maximum", 2**53))
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    return st.floats(
        low if above is None else above,
        high if below is None else below,
        exclude_min=above is not None,
        exclude_max=below is not None,
        allow_nan=False,
        allow_infinity=False,
    )


def variants(message: type[Message]) -> list[str]:
    """The kinds of result a message may carry; one unnamed kind for most messages."""
    schema = definitions()[message.__name__]
    for field in schema["properties"].values():
        for branch in field.get("anyOf", ()):
            if "oneOf" in branch:
                return [*(_kind(option) for option in branch["oneOf"]), REJECTED]
    return [""]


def _kind(schema: Schema) -> str:
    return str(_resolve(schema)["properties"]["kind"]["const"])


def sample(message: type[Message], variant: str = "") -> dict[str, Any]:
    """One plain payload of a message with every field filled, the same each time."""
    schema = definitions()[message.__name__]
    fields: Schema = dict(schema["properties"])
    if variant:  # a reply has a result, or says why there is none
        unused = {"result"} if variant == REJECTED else {"code", "message"}
        fields = {name: field for name, field in fields.items() if name not in unused}
    found: dict[str, Any] = _one(message.__name__, {**schema, "properties": fields}, variant)
    if variant == REJECTED:
        found["outcome"] = REJECTED
    return found


def sample_id(name: str) -> UUID:
    """An id that always belongs to a name."""
    return derived_id(NOON, "sample", name)


_TEXTS = {
    "since": "07:00",
    "until": "11:00",
    "currency": "GBP",
    "number": "ORD-260314120000-A1B2",
    "station": "grill",
    "item": "chicken-tikka",
    "name": "Chicken Tikka",
    "device": "pos-1",
    "heard_by": "kds-grill-1",
    "table": "12",
    "email": "ada@example.com",
    "phone": "+44 20 7946 0000",
    "language": "en-GB",
    "code": "K3F79QXM",
    "host": "pos-1",
    "modifier": "no-onions",
    "allergen": "milk",
    "avoid": "peanuts",
    "amount": "1.5",
    "unit": "kg",
}


def _one(  # noqa: PLR0911 - a case each
    name: str, schema: Schema, variant: str, inside: tuple[str, ...] = ()
) -> Any:
    own = str(schema.get("$ref", ""))
    schema = _resolve(schema)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "oneOf" in schema:
        chosen = [branch for branch in schema["oneOf"] if _kind(branch) == variant]
        return _one(name, chosen[0], variant, inside)
    if "anyOf" in schema:
        return _one(name, schema["anyOf"][0], variant, inside)
    kind = schema["type"]
    if kind == "object":
        if "additionalProperties" in schema and "properties" not in schema:
            return {}
        return {
            field: _one(field, of, variant, (*inside, own))
            for field, of in schema["properties"].items()
        }
    if kind == "array":
        if schema["items"].get("$ref") in inside:  # it holds itself
            return []
        return [_one(name.removesuffix("s"), schema["items"], variant, inside)]
    if kind == "boolean":
        return True
    if kind in {"integer", "number"}:
        return max(1, schema.get("minimum", 1))
    formats = {
        "uuid": str(sample_id(name)),
        "date-time": NOON.isoformat().replace("+00:00", "Z"),
        "date": NOON.date().isoformat(),
        "time": NOON.time().isoformat(),
    }
    if schema.get("format") in formats:
        return formats[schema["format"]]
    return _TEXTS.get(name, "a")
