"""What goes into quarantine: messages that are good for nothing, kept whole for a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from schemas.identifiers import new_id
from services.runtime.reception import Unfit

_NUL: Final = "\N{SYMBOL FOR NULL}"
"""Instead of the character that PostgreSQL keeps in no text."""


def quarantine_row(unfit: Unfit, now: datetime) -> dict[str, Any]:
    """Write one down, with why."""
    return {
        "tenant": unfit.tenant,
        "entry_id": new_id(),
        "topic": unfit.delivery.topic.replace("\x00", _NUL),
        "payload": unfit.delivery.payload,
        "reason": f"{unfit.code}: {unfit.reason}".replace("\x00", _NUL),
        "received_at": now,
    }
