"""How a delivery ended, and when it is tried again. Pure.

The waits grow threefold up to four hours: with twelve tries a receiver may be away for most
of a day. Each wait is longer or shorter by up to a fifth, as the notice's id and the try
have it, so that what failed together does not come back together.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from uuid import UUID

JITTER: Final = 0.2
LONGEST_ASKED_S: Final = 86_400.0
"""A receiver may ask for no longer wait than this."""
PASSING: Final = frozenset({408, 425, 429})
"""Client errors of HTTP that mean: later."""
MOVED: Final = frozenset({301, 308})
"""Redirects for good: nothing is followed, so somebody has to set the channel anew."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how soon a notice is tried again."""

    first_s: float = 10.0
    growth: float = 3.0
    longest_s: float = 14_400.0
    attempts: int = 12
    """After so many it is dead."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it; `said` is what came back."""

    said: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The receiver does not have it, as far as we know.

    Attributes:
        why: one line for a person.
        final: it would fail for ever.
        after_s: the receiver asked for so long a wait.
    """

    why: str
    final: bool = False
    after_s: float | None = None


Verdict = Delivered | Failed


def wait_s(patience: Patience, notice_id: UUID, attempts: int, asked_s: float | None) -> float:
    """Seconds until the next try.

    Args:
        patience: of the house.
        notice_id: spreads the waits.
        attempts: how many tries there were, from one.
        asked_s: what the receiver asked for (``Retry-After``); never less than that.
    """
    # Not by a power alone: it would leave the floats long before a person gives up.
    wait = patience.first_s
    for _ in range(attempts - 1):
        wait = min(wait * patience.growth, patience.longest_s)
    digest = hashlib.sha256(f"{notice_id}:{attempts}".encode()).digest()
    share = int.from_bytes(digest[:6], "big") / 2**48
    wait = min(wait, patience.longest_s) * (1 - JITTER + 2 * JITTER * share)
    return wait if asked_s is None else max(wait, min(asked_s, LONGEST_ASKED_S))


def next_try(
    patience: Patience, notice_id: UUID, attempts: int, failed: Failed, now: datetime
) -> datetime | None:
    """When to try again after so many tries; None where it is dead."""
    if failed.final or attempts >= patience.attempts:
        return None
    return now + timedelta(seconds=wait_s(patience, notice_id, attempts, failed.after_s))


def of_http(status: int, retry_after: str | None, excerpt: str, now: datetime) -> Verdict:
    """What an HTTP answer means.

    Args:
        status: its code.
        retry_after: the header, seconds or a date (RFC 9110, 10.2.3).
        excerpt: the beginning of its body, on one line.
        now: what a date is measured from.
    """
    said = f"HTTP {status}" + (f": {excerpt}" if excerpt else "")
    if 200 <= status < 300:
        return Delivered(said)
    if status in MOVED:
        return Failed(f"{said} (redirects are not followed: set the channel anew)", final=True)
    if 300 <= status < 400:
        return Failed(f"{said} (redirects are not followed)")
    if 400 <= status < 500 and status not in PASSING:
        return Failed(said, final=True)
    return Failed(said, after_s=asked(retry_after, now))


def asked(retry_after: str | None, now: datetime) -> float | None:
    """The seconds that a ``Retry-After`` asks for; None where it says nothing one can use."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_ASKED_S)
    try:
        then = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return min(max(0.0, (then - now).total_seconds()), LONGEST_ASKED_S)


def of_smtp(code: int, said: str) -> Failed:
    """What a mail server's refusal means: 5xx is for good (RFC 5321, 4.2.1)."""
    return Failed(f"SMTP {code}: {said}", final=500 <= code < 600)
