"""How a device comes in by something that it knows: few tries, and what it is told then."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from schemas.gateway import BrokerPlace, ClaimedDevice, ProblemCode
from services.people.accounts import Account
from services.runtime.gateway import Call, Denied
from services.runtime.ratelimit import Bucket, Buckets, Rate


class Tries:
    """Counts what is tried: what succeeds is given back, so that only wrong ones wear it out.

    Args:
        each: of one address.
        in_all: of all together.
        monotonic: seconds, for what is counted.
    """

    def __init__(
        self, each: Rate, in_all: Rate, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._each: Final = Buckets(each)
        self._in_all: Final = Bucket(in_all)
        self._monotonic: Final = monotonic

    def take(self, call: Call, others: Callable[[float], float] = lambda _now: 0.0) -> None:
        """Count one.

        Args:
            call: whose it is.
            others: counts more, given the time; says how many seconds to wait, or 0.

        Raises:
            Denied: there were too many.
        """
        now = self._monotonic()
        wait = self._each.take(call.source, now) or others(now) or self._in_all.take(now)
        if wait:
            raise Denied(
                429, ProblemCode.RATE_LIMITED, "too many attempts: wait", retry_after_s=wait
            )

    def give_back(self, call: Call) -> None:
        """It was a right one."""
        self._each.give_back(call.source)
        self._in_all.give_back()


def let_in(
    call: Call, account: Account, place: BrokerPlace, *, station: str | None = None
) -> ClaimedDevice:
    """What a device is told that may come in; from now on the call is its own.

    Args:
        call: that asked.
        account: with what it may come in.
        place: where it reaches the broker.
        station: whose screen it is, if any's.
    """
    identity = account.identity
    call.who = identity.client_id
    return ClaimedDevice(
        tenant=identity.tenant,
        device=identity.device,
        role=identity.role,
        station=station,
        username=account.username,
        client_id=identity.client_id,
        broker=place,
    )
