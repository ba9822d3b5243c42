"""The kitchen display: a station's open tickets, and whether that is the truth."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import ClassVar, Final, Unpack
from uuid import UUID

from devices.alerts_view import AlertsView
from devices.all_day import AllDay, Count
from devices.attending import PATIENCE_S as ATTEND_S
from devices.attending import Attending
from devices.connection import Received
from devices.options import DeviceOptions
from devices.pending import Pending, Unanswered
from devices.station_view import Ask, Changes, Freshness, StationView
from devices.ticket_requests import TicketRequests
from schemas.alerts import Alert
from schemas.envelope import envelope_of
from schemas.kitchen import ON_THE_LINE, StationHead, Ticket, TicketEnded, TicketState, TicketStatus
from schemas.kitchen_requests import MAX_HEARD_AT_ONCE, Attendance, HearTickets, ReadStation
from schemas.replies import HeardReceipt, StationPage, StationReceipt

_PAGE_S: Final = 10.0
"""How long a page of a snapshot may take before the snapshot begins again."""

OnChange = Callable[[Changes, Freshness], None]


class KitchenDisplay(TicketRequests):
    """A screen at one station.

    It shows the station's open tickets, says of each by itself that it is heard, and of
    each change of one, and knows whether what it shows is the truth: `freshness`. It asks
    for a snapshot whenever it connects and whenever something is missing.

    What was added, changed or cancelled after a ticket was sent stands in the `mark` of its
    lines, with what `was` heard before; `Changes.altered` says when to call the cook.

    That it hears a ticket is not written to the outbox: a display that starts again
    finds the ticket unheard, and hears it again. What the cook does is.

    Args:
        host: the broker's host name or address.
        port: the broker's port.
        station: the station whose tickets it shows.
        on_change: told what has changed on the screen, and how fresh it is: after
            every batch of messages that changed something, and when the freshness
            changes. Tickets are said to be heard after it has returned.
        hear_every_s: the least time between two requests that say which are heard:
            the first goes at once, a burst costs few.
        grace_s: how long a message may be out of order before a snapshot is asked for.
        attendance: how it attends its station.
        options: see `DeviceClient`.
    """

    attends: ClassVar = True
    """Whether it counts as a display of its station; one that merely looks does not."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        station: str,
        on_change: OnChange | None = None,
        hear_every_s: float = 0.03,
        grace_s: float = 1.0,
        attendance: Attendance = Attendance.OUTPUT,
        **options: Unpack[DeviceOptions],
    ) -> None:
        super().__init__(host, port, **options)
        self.station: Final = station
        self.attendance: Final = attendance
        self._on_change = on_change
        self._hear_every_s = hear_every_s
        self._view = StationView(station, grace_s=grace_s)
        self._all_day = AllDay()
        self._alerts = AlertsView(self.tenant, mine=frozenset({station, self.device}))
        self._attending = Attending(station, self.device, self.attendance)
        self._view_lock = threading.Lock()
        self._told = Freshness.SILENT
        self._drawn = 0  # up to here every change was given to `on_change`
        self._drawn_at: dict[UUID, int] = {}  # the sequence of each ticket as it was drawn
        # What is to be heard of each ticket: up to which sequence; 0 is that it is there.
        self._unheard: dict[UUID, int] = {}
        self._hearing: dict[UUID, int] = {}
        self._hear_at = float("-inf")
        where = {"tenant": self.tenant, "station": station}
        self._head_topic = StationHead.route.topic(**where)
        self._ended_topic = TicketEnded.route.topic(**where)
        self._ticket_filter = TicketState.route.filter(**where)

    @property
    def tickets(self) -> list[Ticket]:
        """The open tickets as a queue: what is held last, then the hurry, then the age."""
        with self._view_lock:
            return self._view.tickets

    @property
    def freshness(self) -> Freshness:
        """Whether `tickets` is the truth, at this moment."""
        with self._view_lock:
            return self._view.freshness(time.monotonic())

    @property
    def head(self) -> StationHead | None:
        """What the station last said of itself: its work, and why it is closed."""
        with self._view_lock:
            return self._view.head

    @property
    def unused(self) -> bool:
        """Whether nothing was ever made at the station, as far as is known."""
        with self._view_lock:
            return self._view.unused

    @property
    def alerts(self) -> list[Alert]:
        """What is wrong here, and nobody has mended yet: critical first."""
        with self._view_lock:
            return self._alerts.alerts

    @property
    def items(self) -> list[Count]:
        """How many of each item are still to be made here, the most first."""
        with self._view_lock:
            return self._all_day.items(self.station)

    @property
    def components(self) -> list[Count]:
        """The same by component: five double burgers are ten patties."""
        with self._view_lock:
            return self._all_day.components(self.station)

    @property
    def sequence(self) -> int:
        """Up to which of the station's changes nothing is missing."""
        with self._view_lock:
            return self._view.sequence

    def _at(self) -> str | None:
        return self.station

    def _seen(self, ticket_id: UUID) -> int | None:
        with self._view_lock:
            return self._drawn_at.get(ticket_id)

    # -- on the device's own thread ---------------------------------------------------

    def _filters(self) -> list[str]:
        return [self._ticket_filter, self._head_topic, self._ended_topic, self._alerts.filter]

    def _connected(self, now: float) -> None:
        with self._view_lock:
            self._view.connected(now)
            self._alerts.connected()
            self._note(self._view.tickets)
        if self.attends:
            self._attending.connected(self._epoch)

    def _disconnected(self, now: float) -> None:  # noqa: ARG002 - the hook's shape
        self._attending.disconnected()
        with self._view_lock:
            self._view.disconnected()

    def _receive(self, message: Received, now: float) -> None:
        if message.topic == self._head_topic:
            if message.payload:
                head: StationHead = (
                    envelope_of(StationHead).model_validate_json(message.payload).data
                )
                with self._view_lock:
                    self._view.beat(head, now, retained=message.retained)
                if not message.retained:
                    self._attending.beat(head, now)
        elif message.topic == self._ended_topic:
            ended: TicketEnded = envelope_of(TicketEnded).model_validate_json(message.payload).data
            with self._view_lock:
                self._view.end(ended.ticket, now)
        elif self._alerts.owns(message.topic):
            with self._view_lock:
                self._alerts.receive(message.topic, message.payload)
        else:
            ticket_id = UUID(TicketState.route.parse(message.topic)["ticket_id"])
            if not message.payload:
                with self._view_lock:
                    self._view.cleared(ticket_id, now)
                return
            state: TicketState = envelope_of(TicketState).model_validate_json(message.payload).data
            if state.ticket.ticket_id != ticket_id:
                raise ValueError(f"it speaks of {state.ticket.ticket_id}")
            with self._view_lock:
                self._view.show(state.ticket, now)

    def _tick(self, now: float) -> float:
        with self._view_lock:
            changes = self._view.take_changes()
            self._all_day.take(changes)
            drawn = self._view.sequence
            freshness = self._view.freshness(now)
            ask = self._view.ask(now)
            look = self._view.next_look(now)
        if changes or freshness is not self._told:
            self._told = freshness
            if self._on_change is not None:
                self._call(self._on_change, changes, freshness)
            with self._view_lock:
                for ticket_id in changes.ended:
                    self._drawn_at.pop(ticket_id, None)
                self._drawn_at.update((each.ticket_id, each.sequence) for each in changes.shown)
            for ticket_id in changes.ended:
                self._unheard.pop(ticket_id, None)
            self._note(changes.shown)
        self._drawn = drawn
        if ask is not None:
            self._read(ask)
        return min(look, self._attend(now), self._hear(now))

    def _attend(self, now: float) -> float:
        """Say that it attends its station, where that is not known; returns when to look again."""
        request = self._attending.due(now)
        if request is not None:
            asked: Pending[StationReceipt] = self._ask(request, expires_s=ATTEND_S)

            def answered(pending: Pending[StationReceipt]) -> None:
                refused = pending.error is not None and not isinstance(pending.error, Unanswered)
                self._attending.answered(
                    request, time.monotonic(), accepted=pending.error is None, refused=refused
                )
                if refused:
                    self._report(f"{self.station} cannot be attended: {pending.error}")

            asked.then(answered)
        return self._attending.next_due()

    def _note(self, tickets: Iterable[Ticket]) -> None:
        for ticket in tickets:
            wanted = _to_hear(ticket, self.device)
            if wanted is None:
                self._unheard.pop(ticket.ticket_id, None)
            elif self._hearing.get(ticket.ticket_id, -1) < wanted:
                self._unheard[ticket.ticket_id] = wanted

    def _hear(self, now: float) -> float:
        """Say which tickets stand on the screen, and up to which change; returns when next."""
        # What lies beyond a hole waits for the hole: one number speaks for all tickets.
        drawn = self._drawn
        ready = (id_ for id_, wanted in self._unheard.items() if wanted <= drawn)
        ids = tuple(islice(ready, MAX_HEARD_AT_ONCE))
        if not ids:
            return float("inf")
        if now < self._hear_at:
            return self._hear_at
        for ticket_id in ids:
            del self._unheard[ticket_id]
        self._hearing.update(dict.fromkeys(ids, drawn))
        self._hear_at = now + self._hear_every_s
        heard: Pending[HeardReceipt] = self._ask(HearTickets(ticket_ids=ids, sequence=drawn))

        def answered(pending: Pending[HeardReceipt]) -> None:
            for ticket_id in ids:
                if self._hearing.get(ticket_id) == drawn:
                    del self._hearing[ticket_id]
            if pending.error is not None and not isinstance(pending.error, Unanswered):
                self._report(f"tickets could not be heard: {pending.error}")

        heard.then(answered)
        return self._hear_at if self._unheard else float("inf")

    def _read(self, ask: Ask) -> None:
        """Ask for a page of a snapshot."""
        question = ReadStation(station=self.station, after=ask.after)
        pending: Pending[StationPage] = self._ask(question, expires_s=_PAGE_S)

        def answered(pending: Pending[StationPage]) -> None:
            now = time.monotonic()
            page = None if pending.error is not None else pending.result(0)
            # Whatever else came as an answer is none: the question must be asked again.
            if isinstance(page, StationPage) and page.station == self.station:
                with self._view_lock:
                    self._view.page(ask, page, now)
                return
            if not isinstance(pending.error, Unanswered):
                why = pending.error or "the answer is to another question"
                self._report(f"no snapshot of {self.station}: {why}")
            with self._view_lock:
                self._view.failed(ask, now)

        pending.then(answered)


def _to_hear(ticket: Ticket, device: str) -> int | None:
    """Up to which sequence a ticket is to be heard; 0 is that it is there, None is nothing."""
    if ticket.changed_sequence is not None and ticket.change_heard_at is None:
        return ticket.changed_sequence
    if ticket.status is TicketStatus.SENT:
        return 0
    # Another display was quicker: this one was sent it too, and says so for itself.
    on_the_line = ticket.status in ON_THE_LINE
    mine = on_the_line and any(
        each.device == device and each.heard_at is None for each in ticket.displays
    )
    return 0 if mine else None
