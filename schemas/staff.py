"""Staff: who is on duty where, and what they tell each other."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.identifiers import Slug
from schemas.message import Event, Part, Query, Request, State
from schemas.text import Remark


class Addressee(StrEnum):
    """Whom a task is for."""

    PERSON = "person"
    STATION = "station"
    ALL = "all"


class OnDuty(Part):
    """Somebody who works now."""

    person: Slug
    station: Slug | None = None
    since: AwareDatetime
    tickets: tuple[UUID, ...] = ()
    """Tickets that were given to this person by name."""


class DutyState(State, type="heard.staff.duty.v1", topic="staff/{person}", about="person"):
    """Somebody who is on duty: retained, and cleared when they leave."""

    person: Slug
    duty: OnDuty


class StartDuty(Request, type="heard.staff.start-duty.v1", topic="staff/start-duty"):
    """Somebody begins to work."""

    person: Slug
    station: Slug | None = None


class EndDuty(Request, type="heard.staff.end-duty.v1", topic="staff/end-duty"):
    """Somebody goes; a note for who comes next may be left."""

    person: Slug
    note: Annotated[Remark, Field(min_length=1)] | None = None


class AssignPerson(Request, type="heard.staff.assign.v1", topic="staff/assign"):
    """Somebody on duty goes to a station, or sees to a ticket.

    Who goes to another station leaves the tickets of the old one behind.
    """

    person: Slug
    station: Slug | None = None
    ticket_id: UUID | None = None


class Acknowledgement(Part):
    """Somebody has read a task."""

    person: Slug
    at: AwareDatetime


class Task(Part):
    """A message to staff."""

    task_id: UUID
    addressee: Addressee
    to: Slug
    """The person or the station; ``all``."""
    text: Remark
    must_read: bool = False
    """It stands on screens until everybody it is for has read it."""
    sent_by: Slug
    """The device."""
    sent_at: AwareDatetime
    hand_over: bool = False
    """Left by somebody who went off duty."""
    waits_for: tuple[Slug, ...] = ()
    """Who has not read it yet, of those on duty whom it is for. Where none of them is on duty, it
    waits for whoever comes."""
    read_by: tuple[Acknowledgement, ...] = ()
    version: Annotated[int, Field(ge=1)] = 1


class TaskState(State, type="heard.staff.task.v1", topic="staff-tasks/{task_id}", about="task_id"):
    """A must-read task or a hand-over note that somebody has still to read."""

    task_id: UUID
    task: Task


class TaskSent(Event, type="heard.staff.task-sent.v1", topic="staff/task-sent", about="task_id"):
    """Somebody is told something."""

    task_id: UUID
    task: Task


class SendTask(Request, type="heard.staff.send-task.v1", topic="staff/send-task"):
    """Tell one, a station, or all. Its envelope's id becomes the task's id.

    What need not be read is said once, to whoever is there.
    """

    addressee: Addressee
    to: Slug = "all"
    text: Annotated[Remark, Field(min_length=1)]
    must_read: bool = False


class AcknowledgeTask(Request, type="heard.staff.acknowledge.v1", topic="staff/acknowledge"):
    """Somebody has read it."""

    task_id: UUID
    person: Slug


class ReadStaff(Query, type="heard.staff.read.v1", topic="staff/read"):
    """Who is on duty, and what is still to be read."""
