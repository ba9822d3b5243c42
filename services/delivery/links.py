"""A guest's link: a token that names one delivery and a time, under a secret of that delivery.

Pure. Nobody can make one without the row, none outlives its time, and who erases the secret ends
all links of that delivery. The token is short enough for a text message:
``tenant.order.until.mark``, where the mark is HMAC-SHA-256 over the rest, cut to 128 bits.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from schemas.delivery_rules import DeliveryRules
from schemas.identifiers import is_slug
from services.delivery.kept import Kept

PATH: Final = "/track/"
MOST_CHARACTERS: Final = 160
_MARK_BYTES: Final = 16
_LATEST: Final = 253_402_300_799
"""The last second that a date can say."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a token says, before any of it is believed."""

    tenant: str
    order_id: UUID
    until: datetime
    signed: str
    mark: bytes


def until(kept: Kept, house: DeliveryRules) -> datetime:
    """Until when a link of this delivery shows anything; an order for later counts from then."""
    delivery = kept.delivery
    begins = max(delivery.placed_at, delivery.due_at or delivery.placed_at)
    return (begins + timedelta(hours=house.link_hours)).replace(microsecond=0)


def token(tenant: str, kept: Kept, until: datetime) -> str:
    """Make the token that shows this delivery until a time."""
    order = _text(kept.delivery.order_id.bytes)
    signed = f"{tenant}.{order}.{int(until.timestamp()):x}"
    return f"{signed}.{_text(_mark(kept.beside.link, signed))}"


def path(token: str) -> str:
    """Where it opens, below the gateway's address."""
    return PATH + token


def read(token: str) -> Named | None:
    """Read what a token names; None where it is none. Nothing of it is proved yet."""
    parts = token.split(".")
    if len(token) > MOST_CHARACTERS or not token.isascii() or len(parts) != 4:
        return None
    tenant, order, seconds, mark = parts
    try:
        order_id, marked = UUID(bytes=_bytes(order)), _bytes(mark)
        ends = int(seconds, 16)
    except ValueError:
        return None
    if not is_slug(tenant) or not 0 <= ends <= _LATEST:
        return None
    until = datetime.fromtimestamp(ends, UTC)
    return Named(tenant, order_id, until, token.rpartition(".")[0], marked)


def is_good(named: Named, link: str, now: datetime) -> bool:
    """Tell whether a token was made under this secret, and its time is not up."""
    if not link:
        return False
    return hmac.compare_digest(named.mark, _mark(link, named.signed)) and named.until > now


def _mark(link: str, signed: str) -> bytes:
    text = f"heard/track/{signed}".encode()
    return hmac.new(link.encode(), text, hashlib.sha256).digest()[:_MARK_BYTES]


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode("ascii").rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
