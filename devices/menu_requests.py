"""What staff say of the menu at any device of the house: 86, and back."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from devices.client import DeviceClient
from devices.pending import Pending
from schemas.menu import RestoreItem, SellOut
from schemas.replies import ItemReceipt


class MenuRequests(DeviceClient):
    """A device at which staff take items off the menu for a while, and put them back.

    Requests are written to the outbox and return at once; the handle says what became of
    them. `request_id` is a UUIDv7 of the caller's; the same one again gives the same answer.

    Asking raises pydantic's ValidationError (a ValueError) where the request itself is
    wrong, and RuntimeError once the device is closed.
    """

    def sell_out(
        self,
        item: str,
        reason: str,
        *,
        until: datetime | None = None,
        modifier: bool = False,
        person: str | None = None,
        request_id: UUID | None = None,
    ) -> Pending[ItemReceipt]:
        """86: it cannot be ordered.

        Args:
            item: its name.
            reason: what guests and waiters are told.
            until: when it comes back by itself, aware; None is until somebody restores it.
            modifier: it is a modifier of this name, with whatever it may be chosen.
            person: who says so.
            request_id: see above.
        """
        wanted = SellOut(item=item, modifier=modifier, reason=reason, until=until, person=person)
        return self._request(wanted, request_id)

    def restore(
        self,
        item: str,
        *,
        modifier: bool = False,
        person: str | None = None,
        request_id: UUID | None = None,
    ) -> Pending[ItemReceipt]:
        """What somebody took off can be ordered again, as far as the stock and the hours allow."""
        wanted = RestoreItem(item=item, modifier=modifier, person=person)
        return self._request(wanted, request_id)
