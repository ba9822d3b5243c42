"""Names and numbers that identify things."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

import uuid_utils
import uuid_utils.compat
from pydantic import StringConstraints

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

SLUG_PATTERN = r"^[a-z0-9-]{1,64}$"
SLUG = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)

Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN, max_length=64)]
"""A name that may stand in a topic: lower-case letters, digits and hyphens.

No dot, space or wildcard is ever in one: clustered brokers translate dots, and a
wildcard in a name would widen what its owner may read.
"""


def is_slug(name: str) -> bool:
    """Tell whether `name` may stand in a topic."""
    return SLUG.fullmatch(name) is not None


def slug(text: str) -> str:
    """Make a slug of any human text: ``"Chicken Tikka (1/4)"`` gives ``"chicken-tikka-1-4"``.

    A text that has no letter or digit of ASCII gets a short digest of itself, so
    that two different texts do not silently become one name.
    """
    joined = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:64].strip("-")
    return joined or "x-" + hashlib.sha256(text.encode()).hexdigest()[:12]


def new_id() -> UUID:
    """Make a new UUIDv7 (RFC 9562): unique, and ordered by the time it was made."""
    return uuid_utils.compat.uuid7()


def new_id_text() -> str:
    """Make a new UUIDv7 that is nothing but written down."""
    return str(uuid_utils.uuid7())


def derived_id(at: datetime, *parts: str) -> UUID:
    """Make the UUIDv7 that always belongs to these parts.

    Whoever replays a file gives every order the same id each time, so that a
    second run adds nothing. The time goes where UUIDv7 keeps it (48 bits of
    milliseconds); the 74 bits that are else random are a SHA-256 of the parts.
    """
    # Each part with its length, so that no two lists of parts read the same.
    told = "".join(f"{len(part)}:{part}" for part in parts)
    digest = hashlib.sha256(told.encode()).digest()
    noise = int.from_bytes(digest[:10], "big")
    milliseconds = (at - _EPOCH) // timedelta(milliseconds=1) & ((1 << 48) - 1)
    rand_a = noise >> 68
    rand_b = noise & ((1 << 62) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b)


def reserved(id_: UUID) -> UUID:
    """Give an id the form in which only the services themselves make requests (UUIDv8).

    Their ids are derived from what others know too. As no device may use this form, none
    can use up such an id before its time.
    """
    return UUID(int=id_.int & ~(0xF << 76) | 0x8 << 76)


def is_reserved(id_: UUID) -> bool:
    """Tell whether an id has the form that `reserved` gives."""
    return id_.int >> 76 & 0xF == 0x8
