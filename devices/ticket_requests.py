"""What may be asked of a kitchen: of its tickets, its stations, what it takes, its alerts."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from devices.floor import FloorRequests
from devices.pending import Pending
from schemas.alerts import AcknowledgeAlert
from schemas.kitchen import Priority
from schemas.kitchen_pace import PauseChannel, ResumeChannel
from schemas.kitchen_requests import (
    BumpLines,
    BumpTicket,
    CloseStation,
    FireCourse,
    FireTicket,
    HoldTicket,
    MoveTicket,
    OpenStation,
    PrioritiseOrder,
    RecallTicket,
    ReprintTicket,
    StartTicket,
)
from schemas.orders import OrderKind
from schemas.replies import (
    AlertReceipt,
    ChannelReceipt,
    CourseReceipt,
    OrderReceipt,
    PrintReceipt,
    StationReceipt,
    TicketReceipt,
)


class TicketRequests(FloorRequests):
    """A device that asks the kitchen for something.

    Requests are written to the outbox and return at once; the handle says what became of
    them. `request_id` is a UUIDv7 of the caller's; the same one again gives the same answer.

    A step that a cook takes says up to which of the station's changes the ticket was seen.
    Where it has changed since, the step is refused (`stale-version`): what the cook has made
    is not what the guest gets.

    Asking raises pydantic's ValidationError (a ValueError) where the request itself is
    wrong, and RuntimeError once the device is closed.
    """

    def _seen(self, ticket_id: UUID) -> int | None:  # noqa: ARG002 - for who shows tickets
        """The sequence of a ticket as it was last drawn; None where none is."""
        return None

    def _at(self) -> str | None:
        """The station on whose screen the cook acts: a ticket of another one is refused."""
        return None

    def _as_seen(self, ticket_id: UUID, seen: int | None) -> int | None:
        return self._seen(ticket_id) if seen is None else seen

    # -- a cook's steps -----------------------------------------------------------------

    def start_ticket(
        self, ticket_id: UUID, *, seen: int | None = None, request_id: UUID | None = None
    ) -> Pending[TicketReceipt]:
        """A cook begins with this ticket as it was last drawn (or `seen`)."""
        sequence = self._as_seen(ticket_id, seen)
        wanted = StartTicket(ticket_id=ticket_id, sequence=sequence, station=self._at())
        return self._request(wanted, request_id)

    def bump(
        self, ticket_id: UUID, *, seen: int | None = None, request_id: UUID | None = None
    ) -> Pending[TicketReceipt]:
        """The food of this ticket is ready and leaves the station."""
        sequence = self._as_seen(ticket_id, seen)
        wanted = BumpTicket(ticket_id=ticket_id, sequence=sequence, station=self._at())
        return self._request(wanted, request_id)

    def bump_lines(
        self,
        ticket_id: UUID,
        lines: Iterable[int],
        *,
        seen: int | None = None,
        request_id: UUID | None = None,
    ) -> Pending[TicketReceipt]:
        """These lines are ready; with the last of them the ticket is bumped."""
        sequence = self._as_seen(ticket_id, seen)
        wanted = BumpLines(
            ticket_id=ticket_id, lines=tuple(lines), sequence=sequence, station=self._at()
        )
        return self._request(wanted, request_id)

    def recall(
        self,
        ticket_id: UUID,
        *,
        lines: Iterable[int] | None = None,
        restart: bool = False,
        why: str | None = None,
        request_id: UUID | None = None,
    ) -> Pending[TicketReceipt]:
        """Bring back what was bumped too early: a ticket, or `lines` of one.

        Args:
            ticket_id: one of the last that the station bumped.
            lines: those of its lines that were bumped by themselves; None is all.
            restart: whether its time counts anew.
            why: for the ticket's story.
            request_id: a UUIDv7 to use.
        """
        wanted = RecallTicket(
            ticket_id=ticket_id,
            lines=None if lines is None else tuple(lines),
            restart=restart,
            why=why,
            station=self._at(),
        )
        return self._request(wanted, request_id)

    # -- when, and where ----------------------------------------------------------------

    def hold(
        self, ticket_id: UUID, why: str | None = None, *, request_id: UUID | None = None
    ) -> Pending[TicketReceipt]:
        """Not to be begun yet; refused once it is."""
        return self._request(HoldTicket(ticket_id=ticket_id, why=why), request_id)

    def fire(self, ticket_id: UUID, *, request_id: UUID | None = None) -> Pending[TicketReceipt]:
        """To be begun now, whatever it was held for."""
        return self._request(FireTicket(ticket_id=ticket_id), request_id)

    def fire_course(
        self, order_id: UUID, course: int, *, request_id: UUID | None = None
    ) -> Pending[CourseReceipt]:
        """A course of an order is to be begun now, at all its stations."""
        return self._request(FireCourse(order_id=order_id, course=course), request_id)

    def move_ticket(
        self,
        ticket_id: UUID,
        station: str,
        why: str | None = None,
        *,
        request_id: UUID | None = None,
    ) -> Pending[TicketReceipt]:
        """Another station makes it, on a ticket of its own."""
        return self._request(MoveTicket(ticket_id=ticket_id, station=station, why=why), request_id)

    def prioritise(
        self, order_id: UUID, priority: Priority, *, request_id: UUID | None = None
    ) -> Pending[OrderReceipt]:
        """Put all open tickets of an order before others, or back in the row."""
        return self._request(PrioritiseOrder(order_id=order_id, priority=priority), request_id)

    def reprint(self, ticket_id: UUID, *, request_id: UUID | None = None) -> Pending[PrintReceipt]:
        """Once more on paper; it says DUPLICATE."""
        return self._request(ReprintTicket(ticket_id=ticket_id), request_id)

    # -- stations, what is taken, alerts --------------------------------------------------

    def close_station(
        self, station: str, why: str | None = None, *, request_id: UUID | None = None
    ) -> Pending[StationReceipt]:
        """It takes nothing new; its fallback does."""
        return self._request(CloseStation(station=station, why=why), request_id)

    def open_station(
        self, station: str, *, request_id: UUID | None = None
    ) -> Pending[StationReceipt]:
        """It works again."""
        return self._request(OpenStation(station=station), request_id)

    def pause_channel(
        self,
        channel: OrderKind,
        why: str,
        *,
        for_s: int | None = None,
        request_id: UUID | None = None,
    ) -> Pending[ChannelReceipt]:
        """Take no more orders of a kind, for so many seconds or until it is resumed."""
        return self._request(PauseChannel(channel=channel, for_s=for_s, why=why), request_id)

    def resume_channel(
        self, channel: OrderKind, *, request_id: UUID | None = None
    ) -> Pending[ChannelReceipt]:
        """Take orders of a kind again, as far as the load allows."""
        return self._request(ResumeChannel(channel=channel), request_id)

    def acknowledge(self, alert: str, *, request_id: UUID | None = None) -> Pending[AlertReceipt]:
        """Say that somebody sees to an alert; it stands until it is over."""
        return self._request(AcknowledgeAlert(alert=alert), request_id)
