"""What a guest's link opens: a page for a phone, and what it shows.

The link is all that a guest has to show. One that names nothing, is forged, or whose time is up
finds nothing, and is told nothing more than that.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from importlib.resources import files
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from schemas.envelope import envelope_of
from schemas.etas import EtaState
from schemas.gateway import Nothing, ProblemCode
from schemas.guest_tracking import GuestTracking
from services.delivery import guest_sight, guest_view, links, screens
from services.delivery.kept import Kept
from services.delivery.links import Named
from services.runtime.database import Database
from services.runtime.gateway import Call, Denied, Offer
from services.runtime.moment import Clock
from services.runtime.whereabouts import WhereaboutsBook

Standing = Callable[[str], bytes | None]
"""What this process has said last on a topic that it keeps; None where it says nothing there."""

_HTML: Final = "text/html; charset=utf-8"
_LOOKS: Final = re.compile(r"<(script|noscript)>.*?</\1>\s*", re.DOTALL)
_INLINE: Final = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


class TrackingRoutes:
    """The routes of the guest's link.

    Args:
        database: where deliveries are.
        whereabouts: where couriers are.
        standing: the live ETAs, by their topics.
        clock: the time.
    """

    def __init__(
        self,
        database: Database,
        whereabouts: WhereaboutsBook,
        standing: Standing,
        clock: Clock,
    ) -> None:
        self._database: Final = database
        self._whereabouts: Final = whereabouts
        self._standing: Final = standing
        self._clock: Final = clock
        self._page: Final = files("services.delivery").joinpath("guest_page.html").read_bytes()
        self._headers: Final = _headers(self._page.decode())
        self._nothing: Final = _showing_nothing(self._page.decode())

    @property
    def offers(self) -> tuple[Offer[Any], ...]:
        """All of them, for the gateway."""
        return (
            Offer("GET", links.PATH + "{token}", Nothing, self.page),
            Offer("GET", links.PATH + "{token}/view", Nothing, self.view),
        )

    async def page(self, call: Call, _asked: Nothing) -> Response:
        """The page itself: it holds nothing of the order, and asks for that.

        Who opens a link that shows nothing in a browser reads that on a page.
        """
        try:
            async with self._database.read() as connection:
                await self._opened(connection, call.path["token"])
        except Denied as denied:
            if "text/html" not in call.headers.get("accept", ""):
                raise
            call.refused_as = denied.problem.code.value
            return Response(
                self._nothing, denied.status, headers=_headers(self._nothing), media_type=_HTML
            )
        return Response(self._page, headers=self._headers, media_type=_HTML)

    async def view(self, call: Call, _asked: Nothing) -> GuestTracking:
        """What the page shows."""
        async with self._database.read() as connection:
            named, kept = await self._opened(connection, call.path["token"])
            mine = named.tenant, named.order_id
            seen = await guest_sight.sights(connection, self._whereabouts, {mine: kept})
        call.who = f"{named.tenant}:guest"
        return guest_view.view(
            seen[mine], eta=self._eta(named), until=named.until, now=self._clock()
        )

    async def _opened(self, connection: AsyncConnection, token: str) -> tuple[Named, Kept]:
        found = await screens.opened(connection, token, self._clock())
        if found is None:
            raise Denied(404, ProblemCode.NOT_FOUND, "this link shows nothing, or not any more")
        return found

    def _eta(self, named: Named) -> EtaState | None:
        topic = EtaState.route.topic(tenant=named.tenant, order_id=str(named.order_id))
        payload = self._standing(topic)
        if not payload:
            return None
        found: EtaState = envelope_of(EtaState).model_validate_json(payload).data
        return found


def _showing_nothing(page: str) -> str:
    """The same page with nothing to look for: no script, and what it would say at last."""
    gone = _LOOKS.sub("", page).replace("One moment…", "This link shows nothing any more.")
    return gone.replace("Where is my order", "Nothing is shown here")


def _headers(page: str) -> dict[str, str]:
    """Nothing but what stands in the page runs in it, and the link is told to nobody."""
    allowed: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(page):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        allowed[kind].append(f"'sha256-{digest}'")
    policy = [
        "default-src 'none'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        *(f"{kind}-src {' '.join(digests)}" for kind, digests in allowed.items()),
    ]
    return {
        "content-security-policy": "; ".join(policy),
        "referrer-policy": "no-referrer",
        "x-robots-tag": "noindex, nofollow",
    }
