"""What guests' phones ask of the gateway."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from schemas.gateway import BrokerPlace, ClaimedDevice, EnterParty, ProblemCode
from services.people.admission import Admission
from services.people.claims import SecretTooWeak
from services.people.entrance import Tries, let_in
from services.people.guests import Guests, PartyRefused
from services.people.seal import Seal
from services.runtime.gateway import Call, Denied, Offer
from services.runtime.party_door import PartyDoor
from services.runtime.ratelimit import Rate

_EACH: Final = Rate(per_s=1 / 15, burst=20)
"""Wrong codes from one address, behind which all guests of a restaurant may sit."""
_IN_ALL: Final = Rate(per_s=10, burst=100)
"""Wrong codes. One has 40 bits and lives for hours: so many tries find none in years."""


class GuestRoutes:
    """The route by which guests' phones come in.

    Args:
        admission: makes what lets devices in, in somebody's name.
        seal: under whose key phones get their names.
        door: tells which party a code opens.
        place: where phones reach the broker.
        monotonic: seconds, for what is counted.
    """

    def __init__(
        self,
        admission: Callable[[str], Admission],
        seal: Seal,
        door: PartyDoor,
        place: BrokerPlace,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._admission: Final = admission
        self._seal: Final = seal
        self._door: Final = door
        self._place: Final = place
        self._tries: Final = Tries(_EACH, _IN_ALL, monotonic)

    @property
    def offers(self) -> tuple[Offer[Any], ...]:
        """All of them, for the gateway."""
        return (Offer("POST", "/v1/party/join", EnterParty, self.join),)

    async def join(self, call: Call, asked: EnterParty) -> ClaimedDevice:
        """Let a guest's phone in that knows the code of an open party."""
        self._tries.take(call)
        guests = Guests(self._admission(f"address:{call.source}"), self._seal, self._door)
        try:
            account = await guests.join(
                asked.tenant,
                asked.code.get_secret_value(),
                asked.secret.get_secret_value(),
                call.source,
            )
        except PartyRefused as refused:
            raise Denied(403, ProblemCode.PARTY_REFUSED, str(refused)) from None
        except SecretTooWeak as weak:
            raise Denied(400, ProblemCode.INVALID, str(weak)) from None
        self._tries.give_back(call)
        return let_in(call, account, self._place)
