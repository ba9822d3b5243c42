"""Signed webhooks, as Standard Webhooks 1.0 has them: for what comes, and for what goes out.

HMAC-SHA-256 over ``{id}.{timestamp}.{body}``, in base64, as ``v1,…`` in the header
``webhook-signature``; several of them, with a space between, while a secret is changed.
The body is signed as its very octets: to parse it and write it again makes another.

Everything here is pure. See https://www.standardwebhooks.com.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets as randomness
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"

TOLERANCE: Final = timedelta(minutes=5)
"""How far the time of a webhook may be from ours: a recorded one is no good for longer."""
PREFIX: Final = "whsec_"
LEAST_SECRET: Final = 16
MOST_SECRET: Final = 128
"""Octets. The standard asks for 24 to 64; some senders have shorter or longer ones."""
MOST_SIGNATURES: Final = 16
MOST_HEADER: Final = 2_048

_OWN_OCTETS: Final = 32
_ID: Final = re.compile(r"[!-\-/-~]{1,255}", re.ASCII)
"""Visible, and without a full stop: that would leave open where the id ends and the time begins."""
_SECONDS: Final = re.compile(r"[0-9]{1,11}", re.ASCII)


class UnusableSecret(ValueError):
    """A signing secret cannot be used; the message says what one looks like, not what it is."""


class NotAuthentic(Exception):
    """A webhook is not believed; the message says why, for whoever sent it."""


class HeaderMissing(NotAuthentic):
    """A header of the standard is not there, or says nothing that can be read."""


class OutOfTime(NotAuthentic):
    """The webhook is too old, or from the future: it may be a recording."""


class BadSignature(NotAuthentic):
    """None of the signatures was made with one of the secrets, over this id, time and body."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What a believed webhook says of itself."""

    id: str
    """The same each time that this message is sent: whoever has handled it can tell."""
    at: datetime
    """When this attempt was signed, in UTC."""


def new_signing_secret() -> str:
    """Make a secret: 256 random bits."""
    return PREFIX + base64.b64encode(randomness.token_bytes(_OWN_OCTETS)).decode("ascii")


def key_of(secret: str) -> bytes:
    """Read a secret, with or without its ``whsec_``.

    Raises:
        UnusableSecret: it is no base64, or too short or too long to sign with.
    """
    text = secret.strip().removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if not LEAST_SECRET <= len(key) <= MOST_SECRET:
        raise UnusableSecret(
            f"a signing secret is {PREFIX} and {LEAST_SECRET} to {MOST_SECRET} octets in base64"
        )
    return key


def sign(secret: str, id: str, timestamp: int, body: bytes) -> str:  # noqa: A002 - the standard's word
    """Sign one attempt to send a message; returns ``v1,…``.

    Args:
        secret: ``whsec_…``.
        id: of the message, the same at each attempt; visible ASCII without a full stop.
        timestamp: when this attempt is made, in seconds since 1970.
        body: the octets that go out.

    Raises:
        UnusableSecret: the secret is none.
        ValueError: the id or the time could not stand in its header.
    """
    if _ID.fullmatch(id) is None or not 0 <= timestamp < 10**11:
        raise ValueError(f"{id!r:.300} at {timestamp} cannot be signed")
    return f"v1,{_digest(key_of(secret), id, str(timestamp), body)}"


def signed_headers(
    secrets: Iterable[str],
    id: str,  # noqa: A002 - the standard's word
    timestamp: int,
    body: bytes,
) -> dict[str, str]:
    """The three headers that go with a body, signed with each of the secrets.

    Raises:
        UnusableSecret: a secret is none.
        ValueError: the id or the time could not stand in its header.
    """
    return {
        ID: id,
        TIMESTAMP: str(timestamp),
        SIGNATURE: " ".join(sign(secret, id, timestamp, body) for secret in secrets),
    }


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secrets: Iterable[str],
    now: datetime,
    tolerance: timedelta = TOLERANCE,
) -> Signed:
    """Believe a webhook, or say why not.

    The time is looked at last: only who knows a secret learns anything of our clock, and
    nobody learns from how long it took which part of a signature was right.

    Args:
        headers: as they came; the case of their names does not matter.
        body: the octets as they came.
        secrets: any of these may have signed; none at all believes nobody.
        now: the time, aware.
        tolerance: how far the sender's time may be from it, either way.

    Raises:
        HeaderMissing: a header is not there or cannot be read.
        BadSignature: nobody who knows a secret signed this.
        OutOfTime: it was signed too long ago, or in the future.
        UnusableSecret: one of our own secrets is none.
    """
    given = {name.lower(): value for name, value in headers.items()}
    id_, seconds = given.get(ID, ""), given.get(TIMESTAMP, "")
    if _ID.fullmatch(id_) is None:
        raise HeaderMissing(f"{ID}: send 1 to 255 visible characters, none of them a full stop")
    if _SECONDS.fullmatch(seconds) is None:
        raise HeaderMissing(f"{TIMESTAMP}: send whole seconds since 1970")
    told = given.get(SIGNATURE, "")
    if len(told) > MOST_HEADER:
        raise HeaderMissing(f"{SIGNATURE}: too long")
    claimed = [part.removeprefix("v1,") for part in told.split() if part.startswith("v1,")]
    if not claimed:
        raise HeaderMissing(f"{SIGNATURE}: send v1,… of the body")
    known = False
    for secret in secrets:
        right = _digest(key_of(secret), id_, seconds, body).encode()
        for each in claimed[:MOST_SIGNATURES]:
            # No early end: the time it takes tells nothing of which one was right.
            known |= hmac.compare_digest(right, each.encode("utf-8", "replace"))
    if not known:
        raise BadSignature("no signature was made with a secret of this sender over this body")
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))
    if not now - tolerance <= at <= now + tolerance:
        raise OutOfTime(
            f"signed {at.isoformat()}, which is more than {tolerance.total_seconds():.0f} s away: "
            "sign it again when you send it again, and check the clock"
        )
    return Signed(id_, at)


def _digest(key: bytes, id_: str, seconds: str, body: bytes) -> str:
    told = f"{id_}.{seconds}.".encode() + body
    return base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode("ascii")
