"""Why a request is refused: the codes are part of the contract."""

from __future__ import annotations

from enum import StrEnum


class RefusalCode(StrEnum):
    """Every reason a reply may give; a device can act on each without reading prose."""

    # what arrived could not be read
    UNREADABLE = "unreadable"
    """No UTF-8, no JSON, or no envelope."""
    TOO_LARGE = "too-large"
    UNKNOWN_TYPE = "unknown-type"
    INVALID = "invalid"
    """A field is missing or wrong; the message names it."""
    TOPIC_MISMATCH = "topic-mismatch"
    """The payload says another type, tenant or device than its topic."""
    TIME_OUT_OF_RANGE = "time-out-of-range"
    """The sender's clock is far off, or the request is too old to be honoured."""
    REQUEST_ID_REUSED = "request-id-reused"
    """This id was used before with another content."""
    RATE_LIMITED = "rate-limited"
    """Not now, and not final: the same request may come again after `retry_after_s`."""

    # what was asked cannot be done
    NOT_ALLOWED = "not-allowed"
    NOT_FOUND = "not-found"
    UNKNOWN_ITEM = "unknown-item"
    ITEM_UNAVAILABLE = "item-unavailable"
    WRONG_STATE = "wrong-state"
    """The thing is in a state from which this step does not exist."""
    TOO_MANY_LINES = "too-many-lines"
    INTERNAL = "internal"
    """A fault of ours: the message is kept in quarantine and an operator can see it."""
