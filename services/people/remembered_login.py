"""Trackers that come over HTTP tell something each second: who they are is not asked each time.

A login that was found to be right is remembered for as long as the embedded broker takes to look
whom it has to put out: who is revoked, expired or suspended is out as soon here as there.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import select

from broker_config.access import Identity
from schemas.gateway import ProblemCode
from services.people.device_login import DeviceLogins
from services.people.tables import SUSPENSIONS
from services.people.watch import EVERY_S
from services.runtime.database import Database
from services.runtime.gateway import Call, Denied
from services.runtime.moment import Clock, system_clock

MOST: Final = 2_000


class RememberedLogins:
    """Finds out which device is calling, and remembers it for a moment.

    Args:
        logins: who finds it out.
        database: where it stands who is out for a while.
        clock: tells whose time is over.
        monotonic: seconds, for what is remembered.
        for_s: how long that is.
    """

    def __init__(
        self,
        logins: DeviceLogins,
        database: Database,
        clock: Clock = system_clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        for_s: float = EVERY_S,
    ) -> None:
        self._logins: Final = logins
        self._database: Final = database
        self._clock: Final = clock
        self._monotonic: Final = monotonic
        self._for_s: Final = for_s
        # No secret is kept here, nor anything by which one could be found.
        self._key: Final = secrets.token_bytes(32)
        self._known: Final[dict[bytes, tuple[float, Identity]]] = {}

    async def identify(self, call: Call) -> Identity:
        """Tell whose user name and secret these are.

        Raises:
            Denied: nobody's, or there were too many wrong ones, or it is out for a while.
        """
        told = call.headers.get("authorization", "").encode("utf-8", "surrogatepass")
        mark = hashlib.blake2b(told, key=self._key, digest_size=32).digest()
        known = self._known.get(mark)
        if known is not None and self._monotonic() < known[0]:
            return known[1]
        # From before it was asked: who is put out meanwhile is not remembered for longer.
        until = self._monotonic() + self._for_s
        identity = await self._logins.identify(call)
        await self._see_that_it_may_come_in(identity)
        self._known.pop(mark, None)
        self._known[mark] = until, identity
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        return identity

    async def _see_that_it_may_come_in(self, identity: Identity) -> None:
        of = SUSPENSIONS.c
        query = select(of.ends_at).where(of.tenant == identity.tenant, of.device == identity.device)
        async with self._database.read() as connection:
            ends_at = await connection.scalar(query)
        if ends_at is None:
            return
        wait = max(1.0, (ends_at - self._clock()).total_seconds())
        text = "this device sent far more than it may, and is out for a while"
        raise Denied(429, ProblemCode.RATE_LIMITED, text, retry_after_s=wait)
