"""Codes of an authenticator app (TOTP, RFC 6238): six digits, a new one each 30 seconds.

Pure: whoever calls keeps the secret (sealed) and the step of the last code that counted.
"""

from __future__ import annotations

import hmac
import re
from datetime import datetime
from typing import Final

import pyotp

STEP_S: Final = 30
WINDOW: Final = 1
"""Steps before and after the current one whose codes are taken: clocks differ, people type
slowly (RFC 6238, 5.2, advises one)."""
ISSUER: Final = "Heard"

_CODE: Final = re.compile(r"[0-9]{6}", re.ASCII)


def new_totp_secret() -> str:
    """Make a secret: 160 random bits (RFC 4226, 4), in base32."""
    return pyotp.random_base32()


def provisioning_uri(secret: str, tenant: str, person: str) -> str:
    """Build the address that an authenticator app reads, as from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=f"{person}@{tenant}", issuer_name=ISSUER)


def matching_step(secret: str, code: str, now: datetime, last: int | None) -> int | None:
    """Find the time step that a code is of.

    Args:
        secret: in base32.
        code: what a person typed; spaces do not count.
        now: the time, aware.
        last: the step of the last code that counted; it and all before it count no more.

    Returns:
        The step, to be kept as `last`; None where the code is wrong, of another time, or
        was used already.
    """
    digits = code.replace(" ", "")
    if _CODE.fullmatch(digits) is None:
        return None
    totp = pyotp.TOTP(secret)
    current = int(now.timestamp()) // STEP_S
    found = None
    # All are looked at, whichever fits: the time taken tells nothing.
    for step in range(current - WINDOW, current + WINDOW + 1):
        fits = hmac.compare_digest(totp.generate_otp(step), digits)
        if fits and found is None and (last is None or step > last):
            found = step
    return found
