"""What staff ask at any device of the house: who is there, what is told, what was checked."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from devices.menu_requests import MenuRequests
from devices.pending import Pending
from devices.stock_requests import StockRequests
from schemas.quality import RecordCheck, WaiveCheck
from schemas.replies import DutyReceipt, FindingReceipt, StaffPage, TaskReceipt
from schemas.staff import (
    AcknowledgeTask,
    Addressee,
    AssignPerson,
    EndDuty,
    ReadStaff,
    SendTask,
    StartDuty,
)

_QUESTION_S: Final = 10.0
"""How long an answer may take; a question is not kept, and asked again costs nothing."""


class FloorRequests(MenuRequests, StockRequests):
    """A device at which staff say who is there, tell each other things, and record checks.

    They sell out and count at it, too.

    Requests are written to the outbox and return at once; the handle says what became of
    them. `request_id` is a UUIDv7 of the caller's; the same one again gives the same answer.

    Asking raises pydantic's ValidationError (a ValueError) where the request itself is
    wrong, and RuntimeError once the device is closed.
    """

    # -- duty ---------------------------------------------------------------------------

    def start_duty(
        self, person: str, station: str | None = None, *, request_id: UUID | None = None
    ) -> Pending[DutyReceipt]:
        """Somebody begins to work."""
        return self._request(StartDuty(person=person, station=station), request_id)

    def end_duty(
        self, person: str, note: str | None = None, *, request_id: UUID | None = None
    ) -> Pending[DutyReceipt]:
        """Somebody goes; a note for who comes next at their station may be left."""
        return self._request(EndDuty(person=person, note=note), request_id)

    def assign(
        self,
        person: str,
        *,
        station: str | None = None,
        ticket_id: UUID | None = None,
        request_id: UUID | None = None,
    ) -> Pending[DutyReceipt]:
        """Somebody on duty goes to a station, or sees to a ticket, or both."""
        wanted = AssignPerson(person=person, station=station, ticket_id=ticket_id)
        return self._request(wanted, request_id)

    def read_staff(self) -> Pending[StaffPage]:
        """Who is on duty, and what is still to be read."""
        return self._ask(ReadStaff(), expires_s=_QUESTION_S)

    # -- tasks --------------------------------------------------------------------------

    def tell(
        self,
        text: str,
        *,
        person: str | None = None,
        station: str | None = None,
        must_read: bool = False,
        request_id: UUID | None = None,
    ) -> Pending[TaskReceipt]:
        """Tell one person, or a station; neither is everybody.

        Raises:
            ValueError: both are named.
        """
        if person is not None and station is not None:
            raise ValueError("a task is for a person or for a station, not for both")
        addressee = Addressee.PERSON if person else Addressee.STATION if station else Addressee.ALL
        wanted = SendTask(
            addressee=addressee, to=person or station or "all", text=text, must_read=must_read
        )
        return self._request(wanted, request_id)

    def acknowledge_task(
        self, task_id: UUID, person: str, *, request_id: UUID | None = None
    ) -> Pending[TaskReceipt]:
        """Somebody has read it."""
        return self._request(AcknowledgeTask(task_id=task_id, person=person), request_id)

    # -- checks -------------------------------------------------------------------------

    def record_check(
        self,
        check: str,
        *,
        ticket_id: UUID | None = None,
        station: str | None = None,
        celsius: float | None = None,
        yes: bool | None = None,
        photo: str | None = None,
        note: str = "",
        person: str | None = None,
        request_id: UUID | None = None,
    ) -> Pending[FindingReceipt]:
        """Somebody has checked; whether it has passed stands in the answer.

        Args:
            check: its name in the house's rules.
            ticket_id: the ticket, for a check of food.
            station: where, for one by the clock that several stations make.
            celsius: what was measured.
            yes: what was seen.
            photo: where the picture is: a name or an address of the house's own.
            note: whatever else there is to say.
            person: who has checked.
            request_id: see the class.
        """
        wanted = RecordCheck(
            check=check,
            ticket_id=ticket_id,
            station=station,
            celsius=celsius,
            yes=yes,
            photo=photo,
            note=note,
            person=person,
        )
        return self._request(wanted, request_id)

    def waive_check(
        self,
        check: str,
        ticket_id: UUID,
        reason: str,
        *,
        person: str | None = None,
        request_id: UUID | None = None,
    ) -> Pending[FindingReceipt]:
        """Let a ticket go without a check: a manager's right, and kept as what it is."""
        wanted = WaiveCheck(check=check, ticket_id=ticket_id, reason=reason, person=person)
        return self._request(wanted, request_id)
