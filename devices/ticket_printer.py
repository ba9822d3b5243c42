"""The ticket printer: a station's tickets on paper, each once, and heard when they came out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Unpack
from uuid import UUID

from devices.connection import Received
from devices.escpos_printer import USUAL_PROFILE, Printer, PrinterAway, PrinterUnsure, slip_bytes
from devices.kitchen_display import KitchenDisplay
from devices.options import DeviceOptions
from devices.print_memory import MemoryBroken, PrintMemory, Slip, came_out, due
from devices.receipt_paper import USUAL_COLUMNS, paper
from schemas.envelope import envelope_of
from schemas.kitchen import ON_THE_LINE, PrintTicket, Ticket, TicketEnded, TicketStatus
from schemas.kitchen_requests import Attendance, HearTickets

log = logging.getLogger("heard.devices")

RETRY_S: Final = 2.0
LONGEST_RETRY_S: Final = 15.0


class TicketPrinter(KitchenDisplay):
    """A printer at one station.

    As the station's own output it prints every ticket when it is to be made, each change of
    one, and that one is cancelled or moved. As a last resort it prints what nobody heard on a
    screen, and what is asked for on paper. It says that a ticket is heard when the printer has
    taken it, and not before: while the printer is away the ticket stays unheard, and the house
    asks somebody else.

    Args:
        host: the broker's host name or address.
        port: the broker's port.
        station: whose tickets it prints.
        printer: see `devices.escpos_printer.printer_at`.
        memory: the file of what it has printed.
        last_resort: print only what nobody heard, and what is asked for.
        columns: letters of the usual size on a line.
        profile: the printer, as python-escpos knows it.
        retry_s: how long it waits first after the printer was away.
        options: see `DeviceClient`.

    Raises:
        MemoryInUse: another process prints from this memory.
        MemoryBroken: the memory cannot be used.
        NoPrinting: python-escpos is missing, or does not know the profile.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        station: str,
        printer: Printer,
        memory: Path,
        last_resort: bool = False,
        columns: int = USUAL_COLUMNS,
        profile: str = USUAL_PROFILE,
        retry_s: float = RETRY_S,
        **options: Unpack[DeviceOptions],
    ) -> None:
        slip_bytes([], profile=profile)  # what is missing is said now, not with the first order
        self._memory: Final = PrintMemory(memory)
        try:
            super().__init__(
                host,
                port,
                station=station,
                attendance=Attendance.LAST_RESORT if last_resort else Attendance.PAPER,
                **options,
            )
        except BaseException:
            self._memory.close()
            raise
        self.slips = 0
        """How many came out since it was made."""
        self._printer: Final = printer
        self._columns: Final = columns
        self._profile: Final = profile
        self._retry_s: Final = retry_s
        self._print_topic: Final = PrintTicket.route.topic(tenant=self.tenant, station=station)
        # The newest of each ticket that is to be looked at, in the order of their coming.
        self._todo: dict[UUID, Ticket] = {}
        self._work: Final = threading.Condition()
        self._ending = False
        self._worker: Final = threading.Thread(
            target=self._print_all, name=f"printer {self.device}", daemon=True
        )
        self._worker.start()

    def close(self, timeout: float = 5.0) -> None:
        """See `DeviceClient.close`; a slip that is being printed is printed to its end."""
        with self._work:
            self._ending = True
            self._work.notify_all()
        super().close(timeout)
        self._worker.join(timeout)
        if not self._worker.is_alive():
            self._memory.close()

    # -- on the device's own thread ---------------------------------------------------

    def _filters(self) -> list[str]:
        return [*super()._filters(), self._print_topic]

    def _receive(self, message: Received, now: float) -> None:
        if message.topic == self._print_topic:
            asked: PrintTicket = envelope_of(PrintTicket).model_validate_json(message.payload).data
            self._put([asked.ticket])
            return
        super()._receive(message, now)
        if message.topic == self._ended_topic:
            ended: TicketEnded = envelope_of(TicketEnded).model_validate_json(message.payload).data
            self._put([ended.ticket])

    def _note(self, tickets: Iterable[Ticket]) -> None:
        self._put(tickets)

    def _put(self, tickets: Iterable[Ticket]) -> None:
        with self._work:
            for ticket in tickets:
                known = self._todo.get(ticket.ticket_id)
                if known is None or known.version <= ticket.version:
                    self._todo[ticket.ticket_id] = ticket
            self._work.notify_all()

    # -- on the printer's thread ------------------------------------------------------

    def _print_all(self) -> None:
        self._memory.forget(datetime.now(UTC))
        wait = self._retry_s
        while (ticket := self._next()) is not None:
            try:
                self._print(ticket)
            except (PrinterAway, PrinterUnsure, MemoryBroken) as error:
                self._report(str(error))
                self._put_back(ticket)
                self._rest(wait)
                wait = min(2 * wait, LONGEST_RETRY_S)
            except Exception:
                log.exception("%s: a ticket could not be printed", self.device)
            else:
                wait = self._retry_s

    def _next(self) -> Ticket | None:
        with self._work:
            while not self._todo and not self._ending:
                self._work.wait()
            if self._ending:
                return None
            return self._todo.pop(next(iter(self._todo)))

    def _put_back(self, ticket: Ticket) -> None:
        with self._work:
            newer = self._todo.pop(ticket.ticket_id, ticket)
            # It was the oldest: it stays so.
            self._todo = {ticket.ticket_id: newer, **self._todo}

    def _rest(self, seconds: float) -> None:
        with self._work:
            self._work.wait_for(lambda: self._ending, seconds)

    def _print(self, ticket: Ticket) -> None:
        """Print what is due of a ticket, and say that it is heard."""
        id_, before = ticket.ticket_id, self._memory.of(ticket.ticket_id)
        slip = due(ticket, before, self.attendance)
        if slip is not None:
            self._memory.begin(id_, before, slip, datetime.now(UTC))
            try:
                self._printer.send(self._bytes(ticket, slip))
            except PrinterAway:
                self._memory.undo(id_, before, datetime.now(UTC))
                raise
            self._memory.done(id_, slip, datetime.now(UTC))
            self.slips += 1
        if came_out(ticket, before if slip is None else slip.then):
            self._hear_one(ticket)

    def _bytes(self, ticket: Ticket, slip: Slip) -> bytes:
        rows = paper(ticket, slip.kind, duplicate=slip.duplicate, columns=self._columns)
        return slip_bytes(rows, profile=self._profile)

    def _hear_one(self, ticket: Ticket) -> None:
        unheard = ticket.status is TicketStatus.SENT
        mine = any(each.device == self.device and not each.heard_at for each in ticket.displays)
        changed = ticket.changed_sequence is not None and ticket.change_heard_at is None
        if ticket.status in ON_THE_LINE and (unheard or mine or changed):
            # It is asked until it is answered; after a restart the ticket still says so.
            with self._work:
                if not self._ending:
                    self._ask(HearTickets(ticket_ids=(ticket.ticket_id,), sequence=ticket.sequence))
