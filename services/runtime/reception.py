"""Reading what arrives: every delivery becomes something that can be acted on.

Nothing here raises on bad input, however bad: what cannot be understood becomes
`Unfit`, with the reason and, wherever it can be found, the id to answer.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from schemas.catalogue import BY_TYPE, Located, locate
from schemas.envelope import MAX_AGE, MAX_AHEAD, MAX_REQUEST_BYTES, device_source, envelope_of
from schemas.identifiers import is_reserved, is_slug
from schemas.message import Message, Request
from schemas.refusals import RefusalCode
from schemas.sensors import BESIDE
from schemas.topics import DEVICE_PLANES, Plane, TopicMismatch, device_of, is_marker, is_on
from services.runtime.bus import Delivery
from services.runtime.tables import NO_TENANT

_ID: Final = re.compile(rb'"id"\s*:\s*"([0-9a-fA-F-]{36})"')


@dataclass(frozen=True, slots=True)
class Received:
    """A message that was understood."""

    delivery: Delivery
    tenant: str
    device: str
    message: Message
    request_id: UUID | None
    """None for telemetry, which travels bare."""
    inside: bool = False
    """It did not come over MQTT: whoever asked reads the answer from the inbox."""

    def digest(self) -> str:
        """What tells a repetition of a request from another one under the same id."""
        text = f"{self.message.type_name}\n{self.message.model_dump_json()}"
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Unfit:
    """A message that cannot be acted on."""

    delivery: Delivery
    tenant: str
    device: str | None
    """Whom to answer; None where nobody waits for an answer."""
    request_id: UUID | None
    code: RefusalCode
    reason: str
    kept: bool = False
    """It goes into quarantine, for a person to look at."""


def read(delivery: Delivery, now: datetime) -> Received | Unfit | None:
    """Understand one delivery.

    None for what is nothing to act on: a cleared retained topic, or a word of the services
    themselves, which a subscription of a moment ago may still bring.
    """
    try:
        located = _locate(delivery.topic)
    except TopicMismatch as error:
        return _unknown_topic(delivery, str(error))
    if located.message.plane not in DEVICE_PLANES:
        return None
    tenant, device = located.tenant, located.address["device"]
    if not issubclass(located.message, Request):
        return _read_notice(delivery, located) if delivery.payload else None
    if len(delivery.payload) > MAX_REQUEST_BYTES:
        return Unfit(
            delivery,
            tenant,
            device,
            find_id(delivery.payload[:4096]),
            RefusalCode.TOO_LARGE,
            f"{len(delivery.payload)} bytes; a request may have {MAX_REQUEST_BYTES}",
        )
    try:
        envelope = envelope_of(located.message).model_validate_json(delivery.payload)
    except ValidationError as error:
        return _explain(delivery, located, error)
    return _agreed(delivery, located, envelope, now)


def topic_of(payload: bytes, tenant: str, device: str) -> str | Unfit:
    """Tell on which topic a request would have come over MQTT, by the type that it names.

    For what comes another way. The device is who it was found to be, not who the payload
    says; where the two differ, `read` refuses it.
    """
    nowhere = Delivery("", payload, retain=False, qos=1, tag=0)
    found = find_id(payload[:4096])
    try:
        document = json.loads(payload, parse_int=_no_number)
    except (ValueError, RecursionError):
        document = None
    named = document.get("type") if isinstance(document, dict) else None
    if not isinstance(named, str):
        reason = "the body is no CloudEvents envelope: a JSON object in UTF-8 that names its type"
        return Unfit(nowhere, tenant, device, found, RefusalCode.UNREADABLE, reason)
    message = BY_TYPE.get(named)
    if message is None or not issubclass(message, Request):
        reason = f"type {named!r:.140} is no request that is known here"
        return Unfit(nowhere, tenant, device, found, RefusalCode.UNKNOWN_TYPE, reason)
    return message.route.topic(tenant=tenant, device=device)


_locate = lru_cache(maxsize=4096)(locate)


def _agreed(delivery: Delivery, located: Located, envelope: Any, now: datetime) -> Received | Unfit:
    tenant, device = located.tenant, located.address["device"]

    def unfit(code: RefusalCode, reason: str) -> Unfit:
        return Unfit(delivery, tenant, device, envelope.id, code, reason)

    if (twice := _said_twice(delivery.payload)) is not None:
        return unfit(RefusalCode.INVALID, twice)
    if is_reserved(envelope.id):
        return unfit(RefusalCode.INVALID, "id: such an id is no device's to give: make a UUIDv7")
    if (wrong := _disagreement(located, envelope)) is not None:
        return unfit(*wrong)
    if not now - MAX_AGE <= envelope.time <= now + MAX_AHEAD:
        return unfit(
            RefusalCode.TIME_OUT_OF_RANGE,
            f"time {envelope.time.isoformat()} is not within {MAX_AGE.days} days of "
            f"{now.isoformat(timespec='seconds')}: check the device's clock",
        )
    return Received(delivery, tenant, device, envelope.data, envelope.id)


def _disagreement(located: Located, envelope: Any) -> tuple[RefusalCode, str] | None:
    """Tell where an envelope says something else than its topic, for which the broker vouches."""
    if envelope.type != located.message.type_name:
        if envelope.type not in BY_TYPE:
            return RefusalCode.UNKNOWN_TYPE, f"type {envelope.type!r} is not known here"
        return (
            RefusalCode.TOPIC_MISMATCH,
            f"type {envelope.type!r} does not belong on this topic",
        )
    sender = device_source(located.tenant, located.address["device"])
    if envelope.source != sender:
        return (
            RefusalCode.TOPIC_MISMATCH,
            f"source {envelope.source!r} is not the sender: it must be {sender!r}",
        )
    return None


def _read_notice(delivery: Delivery, located: Located) -> Received | Unfit:
    tenant, device = located.tenant, located.address["device"]
    try:
        if located.message.bare:
            message = located.message.model_validate_json(delivery.payload)
            if (twice := _said_twice(delivery.payload)) is not None:
                return Unfit(delivery, tenant, None, None, RefusalCode.INVALID, twice, kept=True)
            return Received(delivery, tenant, device, message, None)
        envelope = envelope_of(located.message).model_validate_json(delivery.payload)
    except ValidationError as error:
        return Unfit(delivery, tenant, None, None, RefusalCode.INVALID, _first(error), kept=True)
    if (twice := _said_twice(delivery.payload)) is not None:
        return Unfit(delivery, tenant, None, None, RefusalCode.INVALID, twice, kept=True)
    if (wrong := _disagreement(located, envelope)) is not None:
        return Unfit(delivery, tenant, None, None, *wrong, kept=True)
    return Received(delivery, tenant, device, envelope.data, None)


def _unknown_topic(delivery: Delivery, reason: str) -> Unfit | None:
    if is_marker(delivery.topic):
        return None
    sender = device_of(delivery.topic)
    if sender is None:
        levels = delivery.topic.split("/")
        tenant = levels[2] if len(levels) > 2 and is_slug(levels[2]) else NO_TENANT
        return Unfit(delivery, tenant, None, None, RefusalCode.UNKNOWN_TYPE, reason, kept=True)
    tenant, device = sender
    if is_on(Plane.TELEMETRY, delivery.topic) and delivery.topic.rpartition("/")[2] in BESIDE:
        return None
    if not is_on(Plane.REQUEST, delivery.topic):
        return Unfit(delivery, tenant, None, None, RefusalCode.UNKNOWN_TYPE, reason, kept=True)
    found = find_id(delivery.payload[:4096])
    return Unfit(delivery, tenant, device, found, RefusalCode.UNKNOWN_TYPE, reason)


def _explain(delivery: Delivery, located: Located, error: ValidationError) -> Unfit:
    """Say what is wrong with a request that did not validate, and find its id."""
    tenant, device = located.tenant, located.address["device"]
    try:
        # No number is looked at here, and Python reads none of over 4,300 digits.
        document = json.loads(delivery.payload, parse_int=_no_number)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        reason = "the payload is no JSON object in UTF-8"
        found = find_id(delivery.payload[:4096])
        return Unfit(delivery, tenant, device, found, RefusalCode.UNREADABLE, reason)
    found = _uuid(document.get("id"))
    type_name = document.get("type")
    if found is None or not isinstance(type_name, str):
        return Unfit(delivery, tenant, device, found, RefusalCode.UNREADABLE, _first(error))
    if type_name not in BY_TYPE:
        reason = f"type {type_name!r:.140} is not known here"
        return Unfit(delivery, tenant, device, found, RefusalCode.UNKNOWN_TYPE, reason)
    if type_name != located.message.type_name:
        reason = f"type {type_name!r} does not belong on this topic"
        return Unfit(delivery, tenant, device, found, RefusalCode.TOPIC_MISMATCH, reason)
    return Unfit(delivery, tenant, device, found, RefusalCode.INVALID, _first(error))


class _Twice(ValueError):
    """A key that stands twice in one object."""


def _once_each(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > 1 and len({key for key, _ in pairs}) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _Twice(next(key for key in keys if keys.count(key) > 1))


def _said_twice(payload: bytes) -> str | None:
    """Tell where a document says something twice: two readers could take it differently.

    RFC 8259 leaves open which of them counts. To read it once more costs about 10 µs.
    """
    try:
        _READ_AGAIN(payload.decode())
    except _Twice as twice:
        return f"{str(twice)!r:.80} stands twice in one object"
    except (ValueError, RecursionError):
        return "the payload is no plain JSON"
    return None


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "payload"
    more = error.error_count() - 1
    return f"{where}: {first['msg']}"[:240] + (f" (and {more} more)" if more else "")


def _no_number(_digits: str) -> int:
    return 0


_READ_AGAIN: Final = json.JSONDecoder(object_pairs_hook=_once_each, parse_int=_no_number).decode


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def find_id(head: bytes) -> UUID | None:
    """Find the id of a request in its first bytes, without reading it."""
    match = _ID.search(head)
    return _uuid(match.group(1).decode()) if match else None
