"""What a printer has printed: a file that outlives the process. Pure rules, and SQLite.

Before a slip is sent its name is written down, and again once the printer has it. A slip that
was begun and never finished may have come out: it is printed once more, and says so.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self
from uuid import UUID

from devices.receipt_paper import SlipKind
from schemas.kitchen import OPEN_TICKET, Ticket, TicketStatus
from schemas.kitchen_requests import Attendance
from schemas.kitchen_rules import EscalationTarget

FORGET_AFTER: Final = timedelta(days=7)
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS printed (
    ticket TEXT PRIMARY KEY,
    sent TEXT,
    changed INTEGER NOT NULL,
    prints INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    copies INTEGER NOT NULL,
    begun TEXT,
    at TEXT NOT NULL
) WITHOUT ROWID
"""


class MemoryInUse(Exception):
    """Another process prints from this memory already."""


class MemoryBroken(Exception):
    """The file cannot be read or written."""


@dataclass(frozen=True, slots=True)
class Printed:
    """What came out of one ticket.

    Attributes:
        sent: when the ticket was sent that was printed last; a fired one is sent anew.
        changed: up to which change of the station its lines were printed.
        prints: up to which asking for paper it was printed.
        ended: that it is not to be made was printed.
        copies: how many slips came out.
        begun: the name of a slip that was begun, and whose end nobody knows.
    """

    sent: str | None = None
    changed: int = 0
    prints: int = 0
    ended: bool = False
    copies: int = 0
    begun: str | None = None


@dataclass(frozen=True, slots=True)
class Slip:
    """A piece of paper that is due.

    Attributes:
        kind: why.
        duplicate: whether the same came out before, or may have.
        name: tells it from the ticket's other slips.
        then: what is remembered once it is printed.
    """

    kind: SlipKind
    duplicate: bool
    name: str
    then: Printed


def due(ticket: Ticket, before: Printed, attendance: Attendance) -> Slip | None:
    """The slip that is due of a ticket, as it stands; None where there is none.

    A station's own output prints what it is to make, each change of it, and that it is
    taken back. A last resort prints what it is asked for, and what becomes of that.
    """
    sent, changed = _sent(ticket), ticket.changed_sequence or 0
    known = before.copies > 0 or before.begun is not None
    then = Printed(sent, changed, ticket.prints, before.ended, before.copies + 1)
    taken_back = _TAKEN_BACK.get(ticket.status)
    if taken_back is not None:
        name = taken_back.value
        slip = Slip(taken_back, before.begun == name, name, replace(then, ended=True))
        return slip if known and not before.ended else None
    if ticket.prints > before.prints:
        first = ticket.prints == 1 and _unheard_on_screens(ticket)
        name = f"again {ticket.prints}"
        kind = SlipKind.TICKET if first and not known else SlipKind.AGAIN
        return Slip(kind, known or not first, name, then)
    if ticket.status is TicketStatus.HELD or ticket.status not in OPEN_TICKET:
        return None
    if attendance is not Attendance.LAST_RESORT and before.sent != sent:
        return Slip(SlipKind.TICKET, known, f"sent {sent}", then)
    if before.sent is not None and changed > before.changed:
        name = f"changed {changed}"
        return Slip(SlipKind.CHANGED, before.begun == name, name, then)
    return None


def came_out(ticket: Ticket, printed: Printed) -> bool:
    """Tell whether the ticket is on paper as it now stands."""
    changed = ticket.changed_sequence or 0
    return printed.copies > 0 and printed.sent == _sent(ticket) and printed.changed >= changed


_TAKEN_BACK: Final = {
    TicketStatus.CANCELLED: SlipKind.CANCELLED,
    TicketStatus.MOVED: SlipKind.MOVED,
}


def _sent(ticket: Ticket) -> str | None:
    return None if ticket.sent_at is None else ticket.sent_at.isoformat()


def _unheard_on_screens(ticket: Ticket) -> bool:
    return any(each.step is EscalationTarget.PRINTER for each in ticket.asked)


class PrintMemory:
    """What was printed, in a file; one process at a time.

    Args:
        path: the file; made where it is missing.

    Raises:
        MemoryInUse: another process has it open.
        MemoryBroken: it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise MemoryBroken(f"{path}: {error}") from error
        try:
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("BEGIN EXCLUSIVE")
            self._db.execute(_SCHEMA)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._db.close()
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise MemoryInUse(f"{path} is used by another printer's process") from error
            raise MemoryBroken(f"{path}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let it go."""
        self._db.close()

    def of(self, ticket_id: UUID) -> Printed:
        """What came out of a ticket."""
        names = ", ".join(each.name for each in fields(Printed))
        query = f"SELECT {names} FROM printed WHERE ticket = ?"  # noqa: S608 - our own names
        row = self._execute(query, str(ticket_id)).fetchone()
        if row is None:
            return Printed()
        sent, changed, prints, ended, copies, begun = row
        return Printed(sent, changed, prints, bool(ended), copies, begun)

    def begin(self, ticket_id: UUID, before: Printed, slip: Slip, at: datetime) -> None:
        """Write down that a slip is about to be sent."""
        self._put(ticket_id, replace(before, begun=slip.name), at)

    def undo(self, ticket_id: UUID, before: Printed, at: datetime) -> None:
        """Nothing of it came out."""
        self._put(ticket_id, before, at)

    def done(self, ticket_id: UUID, slip: Slip, at: datetime) -> None:
        """The printer has it."""
        self._put(ticket_id, slip.then, at)

    def forget(self, now: datetime) -> None:
        """Forget what is long over."""
        self._execute("DELETE FROM printed WHERE at < ?", (now - FORGET_AFTER).isoformat())

    def _put(self, ticket_id: UUID, printed: Printed, at: datetime) -> None:
        values = [getattr(printed, each.name) for each in fields(Printed)]
        self._execute(
            "INSERT OR REPLACE INTO printed (ticket, sent, changed, prints, ended, copies, begun, "
            "at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            str(ticket_id),
            *values,
            at.isoformat(),
        )

    def _execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise MemoryBroken(f"{self._path}: {error}") from error
