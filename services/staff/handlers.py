"""What staff do with messages: they come and go, are given work, and tell each other things."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.kitchen import SNAPSHOT_BYTES, Ticket, TicketEnded
from schemas.refusals import RefusalCode
from schemas.replies import DutyReceipt, StaffPage, TaskReceipt
from schemas.staff import (
    AcknowledgeTask,
    Addressee,
    AssignPerson,
    DutyState,
    EndDuty,
    OnDuty,
    ReadStaff,
    SendTask,
    StartDuty,
    Task,
    TaskSent,
    TaskState,
)
from services.runtime.context import Context, Outgoing, outgoing
from services.runtime.facts import TicketGiven
from services.runtime.refusal import Refusal
from services.runtime.rights import whose_screen
from services.runtime.router import Asking, Router
from services.staff import rules, store

router: Final = Router()


@router.on(StartDuty)
async def start_duty(request: StartDuty, context: Context) -> None:
    """Somebody comes: what stands to be read at their station waits for them too."""
    await _check_own(context, request.person)
    before = await _duty(context, request.person)
    others = await store.on_duty(context.draft, context.tenant)
    duty = rules.begin(request.person, request.station, before, len(others), at=context.now)
    await _keep(context, duty)
    await _look_at_tasks(context)
    context.answer(_receipt(duty))


@router.on(EndDuty)
async def end_duty(request: EndDuty, context: Context) -> None:
    """Somebody goes: nothing waits for them any more, but for what was sent to them alone."""
    await _check_own(context, request.person)
    duty = await _on_duty(context, request.person)
    await _take(context, duty, duty.tickets)
    await store.put_duty(context.draft, context.tenant, duty, until=context.now)
    context.clear(DutyState, person=duty.person)
    await _look_at_tasks(context)
    if request.note is not None:
        note = rules.hand_over(
            duty, request.note, task_id=context.request_id, device=context.device, at=context.now
        )
        await _send(context, note)
    context.answer(DutyReceipt(person=duty.person, on_duty=False))


@router.on(AssignPerson)
async def assign_person(request: AssignPerson, context: Context) -> None:
    """Somebody goes to a station, or sees to a ticket, or both."""
    if request.station is None and request.ticket_id is None:
        raise Refusal(RefusalCode.INVALID, "name the station, the ticket_id, or both")
    before = duty = await _on_duty(context, request.person)
    if request.station is not None and request.station != duty.station:
        duty = await _go_to(context, duty, request.station)
    if request.ticket_id is not None:
        duty = await _give(context, duty, request.ticket_id)
    if duty != before:
        await _keep(context, duty)
    if duty.station != before.station:
        await _look_at_tasks(context)
    context.answer(_receipt(duty).model_copy(update={"ticket_id": request.ticket_id}))


@router.during(TicketEnded)
async def leave_ended_ticket(ended: TicketEnded, context: Context) -> None:
    """A ticket that ends leaves whoever saw to it. Its own names say who: nothing is searched."""
    for person in ended.ticket.given_to:
        duty = await store.duty_of(context.draft, context.tenant, person)
        if duty is not None and ended.ticket.ticket_id in duty.tickets:
            await _keep(context, rules.without_tickets(duty, {ended.ticket.ticket_id}))


@router.on(SendTask)
async def send_task(request: SendTask, context: Context) -> None:
    """Tell one, a station, or all."""
    task = rules.task_of(request, task_id=context.request_id, device=context.device, at=context.now)
    if task.addressee is Addressee.PERSON:
        await _check_known(context, task.to)
    task = await _send(context, task)
    context.answer(TaskReceipt(task_id=task.task_id, waits_for=task.waits_for))


@router.on(AcknowledgeTask)
async def acknowledge_task(request: AcknowledgeTask, context: Context) -> None:
    """Somebody has read it; with the last of them it is over."""
    await _check_own(context, request.person)
    task = await store.task_of(context.draft, context.tenant, request.task_id)
    if task is None:
        raise Refusal(RefusalCode.NOT_FOUND, f"there is no task {request.task_id}")
    context.standing = TaskReceipt(task_id=task.task_id, waits_for=task.waits_for)
    after = rules.read(task, request.person, at=context.now)
    if after != task:
        await _show(context, after)
    context.answer(TaskReceipt(task_id=after.task_id, waits_for=after.waits_for))


@router.answer(ReadStaff)
async def read_staff(_query: ReadStaff, asking: Asking) -> StaffPage:
    """Who is on duty, and what is still to be read."""
    duties = await store.read_on_duty(asking.connection, asking.tenant)
    tasks = await store.read_tasks(asking.connection, asking.tenant)
    told = tuple(_of_one_message(tasks))
    return StaffPage(on_duty=tuple(duties), tasks=told, more=len(tasks) - len(told))


@router.state
async def staff_now(connection: AsyncConnection, tenant: str, now: datetime) -> list[Outgoing]:
    """What stands retained on the broker: who is on duty, and what is still to be read."""
    duties = [
        outgoing(DutyState(person=each.person, duty=each), tenant=tenant, now=now)
        for each in await store.read_on_duty(connection, tenant)
    ]
    tasks = [
        outgoing(TaskState(task_id=each.task_id, task=each), tenant=tenant, now=now)
        for each in await store.read_tasks(connection, tenant)
    ]
    return duties + tasks


# -- inside -----------------------------------------------------------------------------------


async def _check_own(context: Context, person: str) -> None:
    """Nobody speaks for others at a screen of their own; a device of the house is everybody's."""
    own = await whose_screen(context)
    if own is not None and own != person:
        raise Refusal(
            RefusalCode.NOT_ALLOWED,
            f"this is the screen of {own}: {person} says so at their own, or at a device of "
            "the house",
        )


async def _check_known(context: Context, person: str) -> None:
    if not await store.is_known(context.draft, context.tenant, person):
        raise Refusal(
            RefusalCode.NOT_FOUND,
            f"nobody called {person} was ever on duty here: it would never be read",
        )


async def _duty(context: Context, person: str) -> OnDuty | None:
    """Somebody's duty; refusals say from now on how it stands."""
    duty = await store.duty_of(context.draft, context.tenant, person)
    context.standing = DutyReceipt(person=person, on_duty=False) if duty is None else _receipt(duty)
    return duty


async def _on_duty(context: Context, person: str) -> OnDuty:
    duty = await _duty(context, person)
    if duty is None:
        raise Refusal(RefusalCode.WRONG_STATE, f"{person} is not on duty")
    return duty


async def _keep(context: Context, duty: OnDuty) -> None:
    await store.put_duty(context.draft, context.tenant, duty, until=None)
    await context.emit(DutyState(person=duty.person, duty=duty))


async def _go_to(context: Context, duty: OnDuty, station: str) -> OnDuty:
    """To another station; what they had at the old one stays behind."""
    elsewhere = [
        ticket_id
        for ticket_id in duty.tickets
        if (ticket := await _ticket(context, ticket_id)) is None or ticket.station != station
    ]
    await _take(context, duty, elsewhere)
    duty = rules.without_tickets(duty, elsewhere)
    return duty.model_copy(update={"station": station})


async def _give(context: Context, duty: OnDuty, ticket_id: UUID) -> OnDuty:
    ticket = await _ticket(context, ticket_id)
    if ticket is None:
        raise Refusal(RefusalCode.NOT_FOUND, f"there is no ticket {ticket_id}")
    rules.check_ticket(duty, ticket)
    if duty.person not in ticket.given_to:
        await context.tell(TicketGiven(ticket_id, (*ticket.given_to, duty.person)))
    return rules.with_ticket(duty, ticket_id)


async def _take(context: Context, duty: OnDuty, tickets: Iterable[UUID]) -> None:
    for ticket_id in tickets:
        ticket = await _ticket(context, ticket_id)
        if ticket is not None:
            others = tuple(each for each in ticket.given_to if each != duty.person)
            await context.tell(TicketGiven(ticket_id, others))


async def _ticket(context: Context, ticket_id: UUID) -> Ticket | None:
    return await context.ports.kitchen.ticket(context.draft, context.tenant, ticket_id)


async def _send(context: Context, task: Task) -> Task:
    """Keep a new task, tell it, and let it stand if it is to be read."""
    if task.must_read:
        standing = await store.standing(context.draft, context.tenant)
        if len(standing) >= rules.MAX_STANDING:
            raise Refusal(
                RefusalCode.WRONG_STATE,
                f"{rules.MAX_STANDING} tasks are still to be read: have some of them read first",
            )
        on_duty = await store.on_duty(context.draft, context.tenant)
        task = rules.waiting(task, on_duty).model_copy(update={"version": task.version})
    over = rules.is_over(task)
    store.put_task(context.draft, context.tenant, task, ended_at=context.now if over else None)
    await context.emit(TaskSent(task_id=task.task_id, task=task))
    if not over:
        await context.emit(TaskState(task_id=task.task_id, task=task))
    return task


async def _look_at_tasks(context: Context) -> None:
    """Somebody came, went or changed places: let each task wait for whom it is for now."""
    on_duty = await store.on_duty(context.draft, context.tenant)
    for task in await store.standing(context.draft, context.tenant):
        after = rules.waiting(task, on_duty)
        if after is not task:
            await _show(context, after)


async def _show(context: Context, task: Task) -> None:
    over = rules.is_over(task)
    store.put_task(context.draft, context.tenant, task, ended_at=context.now if over else None)
    if over:
        context.clear(TaskState, task_id=str(task.task_id))
    else:
        await context.emit(TaskState(task_id=task.task_id, task=task))


def _receipt(duty: OnDuty) -> DutyReceipt:
    return DutyReceipt(person=duty.person, on_duty=True, station=duty.station)


def _of_one_message(tasks: Iterable[Task]) -> Iterator[Task]:
    left = SNAPSHOT_BYTES
    for task in tasks:
        left -= len(task.model_dump_json().encode())
        if left < 0:
            return
        yield task
