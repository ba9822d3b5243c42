"""Devices that come over HTTP: with the user name and the secret that they have at the broker."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from broker_config.access import Directory, Identity, parse_username
from broker_config.secret import SecretHash, new_secret
from schemas.gateway import ProblemCode
from services.people.attempts import AttemptRates, Attempts
from services.runtime.gateway import Call, Denied
from services.runtime.ratelimit import Rate

CHALLENGE: Final = 'Basic realm="heard", charset="UTF-8"'
RATES: Final = AttemptRates(
    source=Rate(per_s=10 / 60, burst=64),
    pair=Rate(per_s=10 / 60, burst=40),
    person=Rate(per_s=1 / 3, burst=100),
    lane=Rate(per_s=1_000, burst=5_000),
)
"""Wider than people's: a system asks many things at once, each of which is an attempt until it
has succeeded, and nobody guesses 256 bits. What they hold is the noise and the work; the lane,
which nobody gives back, only the work."""


class DeviceLogins:
    """Finds out which device is calling.

    Args:
        directory: the devices' credentials.
        attempts: counts who tries.
        monotonic: seconds, for what is counted.
    """

    def __init__(
        self,
        directory: Directory,
        *,
        attempts: Attempts | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory: Final = directory
        self._attempts: Final = attempts or Attempts(RATES)
        self._monotonic: Final = monotonic
        self._nobody: Final = SecretHash.of(new_secret())

    async def identify(self, call: Call) -> Identity:
        """Tell whose user name and secret these are.

        Raises:
            Denied: nobody's, or there were too many wrong ones.
        """
        username, secret = _basic(call.headers.get("authorization", ""))
        named = parse_username(username)
        # By the device, whichever of its secrets it shows: it cannot be guessed at twice.
        who = "" if named is None else f"{named[0]}/{named[1]}"
        if wait := self._attempts.begin(who, call.source, self._monotonic()):
            text = "too many attempts: wait"
            raise Denied(429, ProblemCode.RATE_LIMITED, text, retry_after_s=wait)
        credential = None if named is None else await self._directory.find(username)
        # As much work for a name that is nobody's: how long it takes tells nothing.
        right = (self._nobody if credential is None else credential.secret).verify(secret)
        if credential is None or not right:
            raise _refused("no device has this user name and secret")
        self._attempts.succeeded(who, call.source)
        return credential.identity


def _basic(header: str) -> tuple[str, str]:
    """Read HTTP Basic (RFC 7617).

    Raises:
        Denied: the header is not there, or none.
    """
    scheme, _, told = header.partition(" ")
    text = ""
    if scheme.lower() == "basic":
        with suppress(ValueError, binascii.Error):
            text = base64.b64decode(told.strip(), validate=True).decode()
    # The last part is the secret; a user name has colons of its own.
    username, colon, secret = text.rpartition(":")
    if not colon:
        raise _refused(
            "send a device's MQTT user name and secret, as HTTP Basic: curl -u NAME:SECRET"
        )
    return username, secret


def _refused(text: str) -> Denied:
    return Denied(401, ProblemCode.UNAUTHENTICATED, text, challenge=CHALLENGE)
