"""The contract for screens in a browser: TypeScript types, topics and state machines."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas.attribute_docs import summary
from schemas.catalogue import MESSAGES
from schemas.diagrams import State, Step
from schemas.identifiers import SLUG_PATTERN
from schemas.json_schema import Schema, definitions
from schemas.kitchen import OPEN_TICKET, TICKET_STEPS, TicketStatus
from schemas.message import Message
from schemas.orders import OPEN_ORDER, ORDER_STEPS, OrderStatus
from schemas.parties import PARTY_STEPS
from schemas.payments import PAYMENT_STEPS
from schemas.purchasing import PURCHASE_STEPS
from schemas.replies import Reply
from schemas.topics import Plane

_HEADER: Final = """\
// The contract of Heard, made by `heard contract --typescript`: do not edit.

/** A UUID as text; those of messages are UUIDv7. */
export type Uuid = string;
/** A time in UTC, RFC 3339. */
export type Timestamp = string;

/** CloudEvents 1.0, JSON, structured mode: around every message but telemetry. */
export interface Envelope<Type extends string, Data> {
  readonly specversion: "1.0";
  /** UUIDv7: the idempotency key of a request. */
  readonly id: Uuid;
  /** Who says it: `/{tenant}/devices/{device}` or `/{tenant}/services`. */
  readonly source: string;
  readonly type: Type;
  /** The id of what it is about. */
  readonly subject?: string | null;
  readonly time: Timestamp;
  readonly datacontenttype?: "application/json";
  /** The id of the message that caused this one. */
  readonly causationid?: Uuid | null;
  readonly data: Data;
}
"""

_TOPICS_HEAD: Final = """\
function level(name: string, value: string): string {
  // A wildcard or a slash in a name would widen what is read or said.
  if (!/%(pattern)s/.test(value)) {
    throw new RangeError(`${name}=${JSON.stringify(value)} cannot stand in a topic`);
  }
  return value;
}

function levelOrAny(name: string, value: string | undefined): string {
  return value === undefined ? "+" : level(name, value);
}
"""


def types() -> str:
    """Write the whole contract as one TypeScript module, without dependencies."""
    known = definitions()
    parts = [_HEADER]
    parts += [
        _reply(schema) if name == Reply.__name__ else _definition(name, schema)
        for name, schema in known.items()
    ]
    parts += [_messages(), _TOPICS_HEAD % {"pattern": SLUG_PATTERN}]
    parts.append(_topic_functions("topics", "Build the topic of a message.", _topic))
    parts.append(
        _topic_functions(
            "filters", "Build a subscription filter; what is not given matches anything.", _filter
        )
    )
    parts += [
        _steps("ORDER_STEPS", "OrderStatus", "OrderStep", ORDER_STEPS),
        _states("OPEN_ORDER", "OrderStatus", [s for s in OrderStatus if s in OPEN_ORDER]),
        _steps("TICKET_STEPS", "TicketStatus", "TicketStep", TICKET_STEPS),
        _states("OPEN_TICKET", "TicketStatus", [s for s in TicketStatus if s in OPEN_TICKET]),
        _steps("PAYMENT_STEPS", "PaymentStatus", "PaymentStep", PAYMENT_STEPS),
        _steps("PARTY_STEPS", "PartyStatus", "PartyStep", PARTY_STEPS),
        _steps("PURCHASE_STEPS", "PurchaseStatus", "PurchaseStep", PURCHASE_STEPS),
    ]
    return "\n".join(parts)


def _comment(text: str | None, indent: str = "") -> str:
    if not text:
        return ""
    lines = text.replace("*/", "* /").splitlines()
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    body = "".join(f"{indent} * {line}".rstrip() + "\n" for line in lines)
    return f"{indent}/**\n{body}{indent} */\n"


_FORMATS: Final = {"uuid": "Uuid", "date-time": "Timestamp"}
_SCALARS: Final = {"integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def _expression(schema: Schema) -> str:
    """The TypeScript type of a schema.

    Raises:
        NotImplementedError: the schema uses something that no message used so far.
    """
    kind = schema.get("type")
    found: str | None = None
    if "$ref" in schema:
        found = str(schema["$ref"]).rpartition("/")[2]
    elif "const" in schema:
        found = json.dumps(schema["const"])
    elif "enum" in schema:
        found = " | ".join(json.dumps(value) for value in schema["enum"])
    elif "anyOf" in schema or "oneOf" in schema:
        branches = schema.get("anyOf") or schema["oneOf"]
        found = " | ".join(_expression(branch) for branch in branches)
    elif kind == "string":
        found = _FORMATS.get(schema.get("format", ""), "string")
    elif kind == "array":
        found = f"readonly ({_expression(schema['items'])})[]"
    elif kind is not None:
        found = _SCALARS.get(kind)
    if found is None:
        raise NotImplementedError(f"no TypeScript for {schema}")
    return found


def _definition(name: str, schema: Schema) -> str:
    head = _comment(schema.get("description"))
    if "enum" in schema:
        return f"{head}export type {name} = {_expression(schema)};\n"
    return f"{head}export interface {name} {{\n{_fields(schema)}}}\n"


def _fields(schema: Schema, leave_out: frozenset[str] = frozenset()) -> str:
    required = schema.get("required", ())
    return "".join(
        f"{_comment(field.get('description'), '  ')}"
        f"  readonly {name}{'' if name in required else '?'}: {_expression(field)};\n"
        for name, field in schema.get("properties", {}).items()
        if name not in leave_out
    )


def _reply(schema: Schema) -> str:
    """A reply says either what was done or why not: two types, told apart by `outcome`."""
    fields: dict[str, Schema] = schema["properties"]
    result = _without_null(fields["result"])
    shared = frozenset({"outcome", "result", "code", "message"})
    return (
        f"/** What was done; told apart by `kind`. */\nexport type Result = {result};\n\n"
        "/** The request was done. */\n"
        f"export interface AcceptedReply {{\n{_fields(schema, shared)}"
        '  readonly outcome: "accepted";\n'
        "  readonly result?: Result | null;\n}\n\n"
        "/** The request was refused, and nothing was changed. */\n"
        f"export interface RejectedReply {{\n{_fields(schema, shared)}"
        '  readonly outcome: "rejected";\n'
        "  /** How the thing stands that was to be changed. */\n"
        "  readonly result?: Result | null;\n"
        f"  readonly code?: {_expression(fields['code'])};\n"
        f"{_comment(fields['message'].get('description'), '  ')}"
        f"  readonly message?: {_expression(fields['message'])};\n}}\n\n"
        f"{_comment(schema.get('description'))}"
        "export type Reply = AcceptedReply | RejectedReply;\n"
    )


def _without_null(schema: Schema) -> str:
    branches: list[Any] = [branch for branch in schema["anyOf"] if branch.get("type") != "null"]
    return _expression({"anyOf": branches})


def _messages() -> str:
    enveloped = [message for message in MESSAGES if not message.bare]
    lines = [
        "/** Every message in an envelope, by its type name. */",
        "export interface Messages {",
    ]
    lines += [f'  "{m.type_name}": Envelope<"{m.type_name}", {m.__name__}>;' for m in enveloped]
    lines += [
        "}",
        "",
        "/** Any message in an envelope: `type` tells which. */",
        "export type AnyMessage = Messages[keyof Messages];",
        "",
        "/** Telemetry travels bare: its topic tells what it is. */",
        "export interface Telemetry {",
        *(f'  "{m.type_name}": {m.__name__};' for m in MESSAGES if m.bare),
        "}",
        "",
        f"export type Plane = {' | '.join(json.dumps(str(plane)) for plane in Plane)};",
        "",
        "/** How each message travels. */",
        "export const delivery: Readonly<",
        "  Record<keyof Messages | keyof Telemetry,",
        "    { readonly plane: Plane; readonly qos: 0 | 1; readonly retain: boolean }>",
        "> = {",
        *(
            f'  "{m.type_name}": {{ plane: "{m.plane}", qos: {m.qos},'
            f" retain: {json.dumps(m.retain)} }},"
            for m in MESSAGES
        ),
        "};",
    ]
    return "\n".join(lines) + "\n"


def _identifier(message: type[Message]) -> str:
    return message.__name__[0].lower() + message.__name__[1:]


def _address(message: type[Message], *, optional: frozenset[str] = frozenset()) -> str:
    fields = (f"{name}{'?' if name in optional else ''}: string" for name in message.route.names)
    return "{ " + "; ".join(fields) + " }"


def _template(message: type[Message], function: Callable[[str], str]) -> str:
    """The route as a template literal, with each placeholder through a function."""
    text = message.route.template
    for name in message.route.names:
        text = text.replace(f"{{{name}}}", f'${{{function(name)}("{name}", to.{name})}}')
    return f"`{text}`"


def _topic(message: type[Message]) -> str:
    return f"(to: {_address(message)}): string =>\n    {_template(message, lambda _: 'level')}"


def _filter(message: type[Message]) -> str:
    # Nobody may read across tenants, so a filter always names its own.
    optional = frozenset(message.route.names) - {"tenant"}
    body = _template(message, lambda name: "levelOrAny" if name in optional else "level")
    return f"(to: {_address(message, optional=optional)}): string =>\n    {body}"


def _topic_functions(name: str, told: str, write: Callable[[type[Message]], str]) -> str:
    lines = [f"/** {told} */", f"export const {name} = {{"]
    for message in MESSAGES:
        lines.append(f"  /** {summary(message)} */")
        lines.append(f"  {_identifier(message)}: {write(message)},")
    lines.append("} as const;")
    return "\n".join(lines) + "\n"


def _steps(
    name: str,
    state: str,
    step: str,
    table: Mapping[tuple[State, Step], State],
) -> str:
    by_state: dict[str, dict[str, str]] = {}
    for (before, by), after in table.items():
        by_state.setdefault(str(before), {})[str(by)] = str(after)
    steps = " | ".join(sorted({json.dumps(str(by)) for _, by in table}))
    lines = [
        f"export type {step} = {steps};",
        "/** What is not in this table cannot happen. */",
        f"export const {name}: {{",
        f"  readonly [From in {state}]?: {{ readonly [By in {step}]?: {state} }};",
        "} = {",
        *(f'  "{before}": {json.dumps(steps)},' for before, steps in by_state.items()),
        "};",
    ]
    return "\n".join(lines) + "\n"


def _states(name: str, state: str, members: list[OrderStatus] | list[TicketStatus]) -> str:
    listed = ", ".join(json.dumps(str(member)) for member in members)
    return f"export const {name}: readonly {state}[] = [{listed}];\n"
