"""What guests' screens ask of the gateway."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from schemas.gateway import BrokerPlace, ClaimedDevice, OpenScreen, ProblemCode
from services.people.admission import Admission
from services.people.claims import SecretTooWeak
from services.people.entrance import Tries, let_in
from services.people.guest_screens import MOST_SCREENS, GuestScreens, LinkFull, LinkRefused
from services.people.seal import Seal
from services.runtime.gateway import Call, Denied, Offer
from services.runtime.link_door import LinkDoor
from services.runtime.ratelimit import Buckets, Rate

_EACH: Final = Rate(per_s=1 / 15, burst=20)
"""Wrong links from one address."""
_IN_ALL: Final = Rate(per_s=10, burst=100)
"""Wrong links. A mark has 128 bits: no number of tries finds one."""
_OF_A_LINK: Final = Rate(per_s=1 / 30, burst=4 * MOST_SCREENS)
"""Whatever is asked with one link, good or not: each answer costs an account on the broker."""


class ScreenRoutes:
    """The route by which guests' screens come in.

    Args:
        admission: makes what lets devices in, in somebody's name.
        seal: under whose key screens get their names.
        door: tells what a link opens.
        place: where screens reach the broker.
        monotonic: seconds, for what is counted.
    """

    def __init__(
        self,
        admission: Callable[[str], Admission],
        seal: Seal,
        door: LinkDoor,
        place: BrokerPlace,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._admission: Final = admission
        self._seal: Final = seal
        self._door: Final = door
        self._place: Final = place
        self._tries: Final = Tries(_EACH, _IN_ALL, monotonic)
        self._of_a_link: Final = Buckets(_OF_A_LINK)

    @property
    def offers(self) -> tuple[Offer[Any], ...]:
        """All of them, for the gateway."""
        return (Offer("POST", "/track/{token}/screen", OpenScreen, self.open),)

    async def open(self, call: Call, asked: OpenScreen) -> ClaimedDevice:
        """Let a guest's screen in that shows the link of an open delivery."""
        token = call.path["token"]
        link = hash(token)  # which may be long
        self._tries.take(call, lambda now: self._of_a_link.take(link, now))
        screens = GuestScreens(self._admission(f"address:{call.source}"), self._seal, self._door)
        try:
            account = await screens.enter(token, asked.secret.get_secret_value(), call.source)
        except LinkRefused as refused:
            raise Denied(404, ProblemCode.NOT_FOUND, str(refused)) from None
        except LinkFull as full:
            raise Denied(403, ProblemCode.NOT_ALLOWED, str(full)) from None
        except SecretTooWeak as weak:
            raise Denied(400, ProblemCode.INVALID, str(weak)) from None
        self._tries.give_back(call)
        return let_in(call, account, self._place)
