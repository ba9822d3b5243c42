"""A guest of a party: on a phone of their own, or on the till of the waiter who hosts it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Unpack
from uuid import UUID

from devices.client import DeviceClient
from devices.connection import Received
from devices.menu_view import MenuView
from devices.options import DeviceOptions
from devices.pending import Pending
from schemas.envelope import envelope_of
from schemas.menu import MenuItem
from schemas.orders import LineRequest, OrderKind
from schemas.parties import (
    ChooseLines,
    JoinParty,
    LeaveParty,
    OpenParty,
    Party,
    PartyState,
    SendParty,
)
from schemas.replies import PartyReceipt

OnParty = Callable[[Party | None], None]

_SHOWN_WITHIN_S: Final = 5.0
"""What stands retained comes at once; after so long, nothing does."""


class PartyGuest(DeviceClient):
    """Opens or joins a party, chooses for one guest, and sees what all have chosen.

    Asking works as with every device: durably where there is an outbox, and a refusal comes
    as `devices.pending.Rejected` with how the party stands.

    Args:
        host: the broker's host name or address.
        port: the broker's port.
        on_party: told on the device's own thread how the party stands, with each change;
            None when there is none any more.
        options: see `DeviceClient`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        on_party: OnParty | None = None,
        **options: Unpack[DeviceOptions],
    ) -> None:
        super().__init__(host, port, **options)
        self._on_party: Final = on_party
        self._menu: Final = MenuView(self.tenant)
        self._topic: Final = PartyState.route.topic(tenant=self.tenant, device=self.device)
        self._party: Party | None = None
        self._party_lock: Final = threading.Lock()
        self._known: Final = threading.Event()
        # Only the device's own thread touches it: until then, what is known may be over.
        self._doubted_until = float("inf")

    @property
    def party(self) -> Party | None:
        """The party as it stands now, and never an older version of it; None where there is none.

        One that ended while this device was away may stand here for some seconds after it
        is online again.
        """
        with self._party_lock:
            return self._party

    def know_party(self, timeout: float | None = None) -> Party | None:
        """Wait until it is known whether there is a party, after the device came online.

        Returns:
            As `party`; None as well where it is not known in time.
        """
        return self.party if self._known.wait(timeout) else None

    @property
    def menu(self) -> Mapping[str, MenuItem]:
        """The menu by item, as far as it has arrived; live, and not to be changed."""
        return self._menu.items

    # -- what a guest may do ------------------------------------------------------------

    def open_party(
        self,
        name: str,
        *,
        kind: OrderKind = OrderKind.DINE_IN,
        table: str | None = None,
        request_id: UUID | None = None,
    ) -> Pending[PartyReceipt]:
        """Open a party, as its host and first guest; the receipt has the code for the others."""
        return self._request(OpenParty(name=name, kind=kind, table=table), request_id)

    def join_party(
        self, code: str, name: str, *, request_id: UUID | None = None
    ) -> Pending[PartyReceipt]:
        """Join by the code that the host shows; joining again changes the name."""
        return self._request(JoinParty(code=code, name=name), request_id)

    def choose(
        self, party_id: UUID, lines: Iterable[LineRequest], *, request_id: UUID | None = None
    ) -> Pending[PartyReceipt]:
        """Say what one's own lines are now, all of them."""
        return self._request(ChooseLines(party_id=party_id, lines=tuple(lines)), request_id)

    def leave(self, party_id: UUID, *, request_id: UUID | None = None) -> Pending[PartyReceipt]:
        """Leave, and take one's lines away; where the host leaves, the party ends."""
        return self._request(LeaveParty(party_id=party_id), request_id)

    def send(self, party_id: UUID, *, request_id: UUID | None = None) -> Pending[PartyReceipt]:
        """Place the order, as the host; its id is that of this request."""
        return self._request(SendParty(party_id=party_id), request_id)

    # -- on the device's own thread -----------------------------------------------------

    def _filters(self) -> list[str]:
        return [self._menu.filter, self._topic]

    def _connected(self, now: float) -> None:
        self._doubted_until = now + _SHOWN_WITHIN_S

    def _disconnected(self, now: float) -> None:  # noqa: ARG002 - the hook's shape
        self._doubted_until = float("inf")
        self._known.clear()

    def _receive(self, message: Received, now: float) -> None:  # noqa: ARG002 - the hook's shape
        if self._menu.owns(message.topic):
            self._menu.receive(message.topic, message.payload)
            return
        if not message.payload:
            self._show(None)
            return
        told: PartyState = envelope_of(PartyState).model_validate_json(message.payload).data
        if told.device != self.device:
            raise ValueError(f"it speaks to {told.device}")
        self._show(told.party)

    def _tick(self, now: float) -> float:
        if now >= self._doubted_until:
            self._show(None)  # nothing stands retained: it ended while we were away
        return self._doubted_until

    def _show(self, party: Party | None) -> None:
        self._doubted_until = float("inf")
        with self._party_lock:
            before = self._party
            if before == party or (
                before is not None
                and party is not None
                and before.party_id == party.party_id
                and before.version > party.version
            ):
                self._known.set()
                return
            self._party = party
        self._known.set()
        if self._on_party is not None:
            self._call(self._on_party, party)
