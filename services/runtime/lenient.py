"""Reading documents in rows that another release of this program may have written.

What it knows and we do not must not stop us: it is the matter of one house, and of nobody else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog
from pydantic import ValidationError

log = structlog.get_logger(__name__)

T = TypeVar("T")


def read_or(
    before: T, read: Callable[[object], T], document: object, *, tenant: str, what: str
) -> T:
    """Read what a row says; where it cannot be read, give what counted before.

    Args:
        before: that.
        read: reads the document.
        document: as it stands in the row.
        tenant: whose it is, for the log.
        what: what it is, for the log.
    """
    try:
        return read(document)
    except ValidationError as error:
        why = str(error)[:500]
        log.warning(
            "a row cannot be read; what counted before does", tenant=tenant, what=what, why=why
        )
        return before
