"""Who has still to read what. Pure.

Whom a task waits for follows from who is on duty where, and who has read it: it is worked out
anew whenever either changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from schemas.kitchen import OPEN_TICKET, Ticket
from schemas.refusals import RefusalCode
from schemas.staff import Acknowledgement, Addressee, OnDuty, SendTask, Task
from services.runtime.refusal import Refusal

MAX_ON_DUTY: Final = 200
MAX_STANDING: Final = 100
"""Tasks of a house that somebody has still to read."""
MAX_TICKETS: Final = 20
"""Given to one person."""


# -- tasks ------------------------------------------------------------------------------------


def task_of(request: SendTask, *, task_id: UUID, device: str, at: datetime) -> Task:
    """The task that a request makes.

    Raises:
        Refusal: `invalid`, where it names a person or station and is for all, or the reverse.
    """
    if (request.addressee is Addressee.ALL) != (request.to == "all"):
        raise Refusal(
            RefusalCode.INVALID,
            "to: `all` goes with addressee `all`; else it names the person or the station",
        )
    return Task(
        task_id=task_id,
        addressee=request.addressee,
        to=request.to,
        text=request.text,
        must_read=request.must_read,
        sent_by=device,
        sent_at=at,
    )


def hand_over(duty: OnDuty, note: str, *, task_id: UUID, device: str, at: datetime) -> Task:
    """The note of somebody who goes: for who comes next at the station, or for all."""
    return Task(
        task_id=task_id,
        addressee=Addressee.ALL if duty.station is None else Addressee.STATION,
        to=duty.station or "all",
        text=note,
        must_read=True,
        sent_by=device,
        sent_at=at,
        hand_over=True,
    )


def concerns(task: Task, duty: OnDuty) -> bool:
    """Tell whether a task is for somebody who is on duty."""
    if task.addressee is Addressee.PERSON:
        return task.to == duty.person
    return task.addressee is Addressee.ALL or task.to == duty.station


def waiting(task: Task, on_duty: Iterable[OnDuty]) -> Task:
    """The task, waiting for whom it has to wait for by now; the same one where nothing changed."""
    read = {each.person for each in task.read_by}
    waits_for = tuple(
        sorted(each.person for each in on_duty if concerns(task, each) and each.person not in read)
    )
    if waits_for == task.waits_for:
        return task
    return task.model_copy(update={"waits_for": waits_for, "version": task.version + 1})


def is_over(task: Task) -> bool:
    """Tell whether nobody has to read it any more.

    One that nobody has read stands, though nobody whom it is for is on duty: somebody will come.
    """
    return not task.must_read or (bool(task.read_by) and not task.waits_for)


def read(task: Task, person: str, *, at: datetime) -> Task:
    """Somebody has read it; reading twice changes nothing.

    Raises:
        Refusal: `not-allowed` for one it is not for, `wrong-state` where nobody is to read it.
    """
    if any(each.person == person for each in task.read_by):
        return task
    if is_over(task):
        raise Refusal(
            RefusalCode.WRONG_STATE,
            "everybody has read it" if task.must_read else "it need not be answered",
        )
    alone = task.addressee is Addressee.PERSON and task.to == person  # off duty, on their phone
    if person not in task.waits_for and not alone:
        whom = ", ".join(task.waits_for) or f"whoever comes on duty for {task.to}"
        raise Refusal(RefusalCode.NOT_ALLOWED, f"it does not wait for {person}, but for {whom}")
    return task.model_copy(
        update={
            "read_by": (*task.read_by, Acknowledgement(person=person, at=at)),
            "waits_for": tuple(each for each in task.waits_for if each != person),
            "version": task.version + 1,
        }
    )


# -- duties -----------------------------------------------------------------------------------


def begin(
    person: str, station: str | None, before: OnDuty | None, others: int, *, at: datetime
) -> OnDuty:
    """Somebody comes.

    Raises:
        Refusal: `wrong-state` where they are on duty already, or far too many are.
    """
    if before is not None:
        where = f" at {before.station}" if before.station else ""
        raise Refusal(
            RefusalCode.WRONG_STATE,
            f"{person} is on duty{where} already: assign them to another station instead",
        )
    if others >= MAX_ON_DUTY:
        raise Refusal(RefusalCode.WRONG_STATE, f"{MAX_ON_DUTY} are on duty: take some off first")
    return OnDuty(person=person, station=station, since=at)


def check_ticket(duty: OnDuty, ticket: Ticket) -> None:
    """Refuse to give somebody a ticket that they cannot see to.

    Raises:
        Refusal: `wrong-state` when it has ended or they have too many, `wrong-station` when
            they work at another one.
    """
    if ticket.status not in OPEN_TICKET:
        raise Refusal(
            RefusalCode.WRONG_STATE,
            f"the ticket of {ticket.order_number} at {ticket.station} is {ticket.status.value}",
        )
    if duty.station not in {None, ticket.station}:
        raise Refusal(
            RefusalCode.WRONG_STATION,
            f"{duty.person} is at {duty.station}, and the ticket of {ticket.order_number} at "
            f"{ticket.station}: assign them there too",
        )
    if ticket.ticket_id not in duty.tickets and len(duty.tickets) >= MAX_TICKETS:
        raise Refusal(
            RefusalCode.WRONG_STATE, f"{duty.person} has {MAX_TICKETS} tickets: give it to another"
        )


def with_ticket(duty: OnDuty, ticket_id: UUID) -> OnDuty:
    """Give somebody a ticket; one that they have, they keep."""
    if ticket_id in duty.tickets:
        return duty
    return duty.model_copy(update={"tickets": (*duty.tickets, ticket_id)})


def without_tickets(duty: OnDuty, gone: Collection[UUID]) -> OnDuty:
    """Take tickets from somebody."""
    left = tuple(each for each in duty.tickets if each not in gone)
    return duty if left == duty.tickets else duty.model_copy(update={"tickets": left})
