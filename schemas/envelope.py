"""CloudEvents 1.0 in JSON, structured mode: the envelope of every message but telemetry.

Published strictly, received generously: unknown attributes and fields are ignored.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Annotated, Any, Final, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.message import Message, Part

MAX_REQUEST_BYTES: Final = 128 * 1024
"""The largest request that is read. Larger ones are refused before they are parsed."""

MAX_TOLD_BYTES: Final = 1_250 * 1024
"""The largest message of the services: brokers are set to take a little more, and end the
connection of whoever sends what is larger."""

MAX_AGE: Final = timedelta(days=7)
"""How long a device may have been offline with a request in its outbox."""

MAX_AHEAD: Final = timedelta(minutes=10)
"""How far a device's clock may be ahead of the services'."""

M = TypeVar("M")


class Envelope(BaseModel, Generic[M]):
    """One message as it stands on the wire.

    Attributes:
        id: UUIDv7; the idempotency key of a request.
        source: who says it: ``/{tenant}/devices/{device}`` or ``/{tenant}/services``.
        type: the versioned type name, ``heard.order.place.v1``.
        subject: the id of what it is about.
        time: when it was made, by the sender's clock, in UTC.
        causationid: the id of the message that caused this one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: Annotated[str, Field(min_length=1, max_length=256)]
    type: Annotated[str, Field(min_length=1, max_length=128)]
    subject: str | None = None
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    causationid: UUID | None = None
    data: M


def device_source(tenant: str, device: str) -> str:
    """The CloudEvents source of a device."""
    return f"/{tenant}/devices/{device}"


def service_source(tenant: str) -> str:
    """The CloudEvents source of the services."""
    return f"/{tenant}/services"


@cache
def envelope_of(message: type[Message]) -> Any:
    """The envelope class around one message class (built once: it costs milliseconds)."""
    return Envelope[message]  # type: ignore[valid-type]  # made at run time, by design


def encode(
    message: Message,
    *,
    id: UUID | str,  # noqa: A002 - the word of CloudEvents
    source: str,
    time: datetime,
    causation: UUID | None = None,
) -> bytes:
    """Write a message as it goes on the wire."""
    if message.bare:
        return message.model_dump_json().encode()
    # The attributes by hand and the data by its own class: twice as fast as a model of
    # both, and this is written for every message there is.
    subject = message.subject()
    about = "" if subject is None else f'"subject":{_text(subject)},'
    caused = "" if causation is None else f'"causationid":"{causation}",'
    return (
        f'{{"specversion":"1.0","id":"{id}","source":{_text(source)},'
        f'"type":"{message.type_name}",{about}"time":"{_moment(time.astimezone(UTC))}",'
        f'"datacontenttype":"application/json",{caused}"data":{_data(message)}}}'
    ).encode()


_text: Final = json.JSONEncoder(ensure_ascii=False).encode


@lru_cache(maxsize=16)
def _moment(time: datetime) -> str:
    """All that one decision says is said at one time.

    It is UTC: of a house's own clock, the hour that comes twice would be taken for one.
    """
    return time.isoformat().replace("+00:00", "Z")


_written: tuple[Part | None, str] = (None, "")
"""What was written last of a thing whole, and how it reads."""


def _data(message: Message) -> str:
    if message.whole is None:
        return message.model_dump_json(exclude_none=True)
    # The event and the state of one change hold the very same thing: it is written once.
    global _written  # noqa: PLW0603 - one slot is all there is to remember
    part, text = _written
    whole: Part = getattr(message, message.whole)
    if part is not whole:
        text = whole.model_dump_json(exclude_none=True)
        _written = (whole, text)
    rest = message.model_dump_json(exclude_none=True, exclude={message.whole})
    return f'{rest[:-1]},"{message.whole}":{text}}}'
