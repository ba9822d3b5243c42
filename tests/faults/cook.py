"""A station's screen, and a cook who works from it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from devices.kitchen_display import KitchenDisplay
from devices.pending import Pending
from schemas.kitchen import TicketStatus
from tests.faults.ground import TENANT
from tests.faults.ordering import HASTY, HEARTBEAT_S

OFTEN: Final = 0.1
"""How likely a cook does something at each look at the screen."""
BUMPED: Final = 0.6
"""The share of tickets that a cook finishes; the others stay open."""


class Cook:
    """Starts and bumps what stands on one screen, as chance will have it.

    Args:
        station: whose screen it is.
        port: where the broker is.
        secret: the screen's.
        outbox: the screen's.
        rng: decides.
    """

    def __init__(
        self, station: str, port: int, secret: str, outbox: Path, rng: random.Random
    ) -> None:
        self.station: Final = station
        self.asked: Final[dict[UUID, tuple[str, UUID, Pending[Any]]]] = {}
        """What was asked, by the request's id: what, of which ticket, and the handle."""
        self._rng = rng
        self._finishes: dict[UUID, bool] = {}
        self._started: set[UUID] = set()
        self._bumped: set[UUID] = set()
        self._busy: set[UUID] = set()
        self.screen: Final = KitchenDisplay(
            "127.0.0.1",
            port,
            station=station,
            tenant=TENANT,
            device=f"screen-{station}",
            secret=secret,
            outbox=outbox,
            patience=HASTY,
            heartbeat_s=HEARTBEAT_S,
        )

    def look(self) -> None:
        """Perhaps do something about one of the tickets."""
        if self._rng.random() > OFTEN:
            return
        tickets = [ticket for ticket in self.screen.tickets if self._free(ticket.ticket_id)]
        if not tickets:
            return
        ticket = self._rng.choice(tickets)
        id_ = ticket.ticket_id
        finishes = self._finishes.setdefault(id_, self._rng.random() < BUMPED)
        known = ticket.status is not TicketStatus.SENT
        if finishes and known and (id_ in self._started or self._rng.random() < 0.3):
            self._bumped.add(id_)
            self._note("bump", id_, self.screen.bump(id_))
        elif id_ not in self._started:
            self._started.add(id_)
            self._note("start", id_, self.screen.start_ticket(id_))

    def _free(self, ticket_id: UUID) -> bool:
        return ticket_id not in self._busy and ticket_id not in self._bumped

    def _note(self, what: str, ticket_id: UUID, pending: Pending[Any]) -> None:
        self.asked[pending.id] = (what, ticket_id, pending)
        self._busy.add(ticket_id)
        pending.then(lambda _: self._busy.discard(ticket_id))
