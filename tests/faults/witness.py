"""Who hears everything that is said in a restaurant, and holds each word against the others."""

from __future__ import annotations

import threading
from typing import Any, Final, Unpack
from uuid import UUID

from devices.client import DeviceClient
from devices.connection import Received
from devices.options import DeviceOptions
from schemas.catalogue import locate
from schemas.envelope import envelope_of
from schemas.kitchen import Ticket, TicketEnded, TicketState
from schemas.orders import Order, OrderChanged, OrderPlaced
from schemas.refusals import RefusalCode
from schemas.replies import Reply, StationPage
from schemas.topics import Plane, plane_filter


class Witness(DeviceClient):
    """A device that hears states, events and replies, and never forgets.

    Attributes:
        contradictions: what cannot all be true; must stay empty.
        replies: the reply to each request.
        orders: each version of each order.
        changes: by station, each number of its sequence.
    """

    def __init__(self, host: str, port: int, **options: Unpack[DeviceOptions]) -> None:
        super().__init__(host, port, **options)
        self.contradictions: Final[list[str]] = []
        self.replies: Final[dict[UUID, Reply]] = {}
        self.orders: Final[dict[tuple[UUID, int], Order]] = {}
        self.changes: Final[dict[str, dict[int, Ticket]]] = {}
        self.heard = 0
        self._payloads: dict[UUID, tuple[str, bytes]] = {}
        self._noting = threading.Lock()

    def _filters(self) -> list[str]:
        return [
            plane_filter(plane, tenant=self.tenant)
            for plane in (Plane.STATE, Plane.EVENT, Plane.REPLY)
        ]

    def _receive(self, message: Received, now: float) -> None:  # noqa: ARG002 - the hook's shape
        if not message.payload:
            return
        located = locate(message.topic)
        envelope = envelope_of(located.message).model_validate_json(message.payload)
        with self._noting:
            self.heard += 1
            self._same(
                self._payloads,
                envelope.id,
                (message.topic, message.payload),
                "under one id, two messages",
            )
            self._note(envelope.data)

    def _note(self, said: object) -> None:
        if isinstance(said, Reply):
            # A question is answered anew each time; a request as the first time.
            if said.request is None or isinstance(said.result, StationPage):
                return
            if said.code is RefusalCode.RATE_LIMITED:
                return  # no answer: nothing was decided, and it may come again
            self._same(self.replies, said.request, said, "two answers to one request")
        elif isinstance(said, OrderPlaced | OrderChanged):
            key = (said.order_id, said.order.version)
            self._same(self.orders, key, said.order, "one version, two orders")
        elif isinstance(said, TicketState | TicketEnded):
            changes = self.changes.setdefault(said.station, {})
            self._same(changes, said.ticket.sequence, said.ticket, "one number, two changes")

    def _same(self, known: dict[Any, Any], key: object, value: object, what: str) -> None:
        if known.setdefault(key, value) != value:
            self.contradictions.append(f"{what}: {known[key]} and {value}")

    def missing(self, station: str, upto: int) -> list[int]:
        """Which changes of a station it has not heard of."""
        with self._noting:
            return sorted(set(range(1, upto + 1)) - self.changes.get(station, {}).keys())
