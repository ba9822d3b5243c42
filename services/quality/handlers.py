"""What is done with checks: recorded, waived, and missed when nobody makes them."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from schemas.alerts import Alert, AlertKind
from schemas.kitchen import Ticket, TicketEnded, TicketStatus
from schemas.kitchen_rules import CheckRules, KitchenRules
from schemas.quality import CheckRecorded, Finding, RecordCheck, WaiveCheck
from schemas.refusals import RefusalCode
from schemas.replies import FindingReceipt
from services.quality import rules, store
from services.quality.inside import CheckIsDue, ReviewChecks
from services.runtime import alerts, house_rules
from services.runtime.context import Context
from services.runtime.refusal import Refusal
from services.runtime.rights import is_manager, whose_screen
from services.runtime.router import Router
from services.runtime.wall_clock import zone_of

router: Final = Router()


@router.on(RecordCheck)
async def record_check(request: RecordCheck, context: Context) -> None:
    """Keep what was found; one that fails raises an alert, which a later pass ends."""
    check = rules.find(await _house(context), request.check)
    ticket = None if request.ticket_id is None else await _ticket(context, request.ticket_id)
    finding = rules.record(
        request,
        check,
        ticket,
        finding_id=context.request_id,
        device=context.device,
        person=request.person or await whose_screen(context),
        at=context.now,
    )
    await _keep(context, finding)
    if finding.passed:
        await alerts.clear(context, rules.failed_name(finding))
    else:
        await alerts.raise_(context, rules.failed(finding, check))
    if check.every_s is not None and finding.station is not None:
        await alerts.clear(context, rules.overdue_name(finding.check, finding.station))


@router.on(WaiveCheck)
async def waive_check(request: WaiveCheck, context: Context) -> None:
    """A manager lets a ticket go without a check."""
    if not await is_manager(context):
        raise Refusal(RefusalCode.NOT_ALLOWED, "to waive a check is a manager's right")
    check = rules.find(await _house(context), request.check)
    ticket = await _ticket(context, request.ticket_id)
    found = await store.of_ticket(context.draft, context.tenant, ticket.ticket_id)
    last = next((each for each in reversed(found) if each.check == request.check), None)
    if last is not None:
        context.standing = _receipt(last)
    finding = rules.waive(
        request,
        check,
        ticket,
        last,
        finding_id=context.request_id,
        device=context.device,
        person=request.person or await whose_screen(context),
        at=context.now,
    )
    await _keep(context, finding)
    await alerts.clear(context, rules.failed_name(finding))


@router.during(TicketEnded)
async def forget_gone_food(ended: TicketEnded, context: Context) -> None:
    """Nobody has to see to food that is not made: its alerts are over.

    What was bumped was served, and its alert stands until it passes or is waived.
    """
    ticket = ended.ticket
    if ticket.status is TicketStatus.BUMPED:
        return
    for name, check in (await _house(context)).checks.items():
        if rules.may_have_failed(check, ticket):
            alert = rules.ticket_alert(name, ticket.ticket_id)
            await alerts.clear(context, alert)


@router.on(CheckIsDue)
async def miss_check(request: CheckIsDue, context: Context) -> None:
    """Tell the station, unless it was made meanwhile or is not asked for any more."""
    check = (await _house(context)).checks.get(request.check)
    if check is None or not _is_asked(check, request.station):
        return
    # A clock that was set back must not make this the only answer that it ever gets.
    now = context.now if request.due_at is None else max(context.now, request.due_at)
    alert = await _overdue(context, request.check, check, request.station, now)
    if alert is not None:
        await alerts.raise_(context, alert)


@router.on(ReviewChecks)
async def review_checks(_request: ReviewChecks, context: Context) -> None:
    """End the alerts of checks that are gone, or that are due later by the new rules."""
    house = await _house(context)
    for alert in await store.standing_alerts(context.draft, context.tenant):
        if not await _is_right(context, alert, house):
            await alerts.clear(context, alert.alert)


# -- inside -----------------------------------------------------------------------------------


async def _house(context: Context) -> KitchenRules:
    return await house_rules.kitchen_rules(context.draft, context.tenant)


async def _ticket(context: Context, ticket_id: UUID) -> Ticket:
    ticket = await context.ports.kitchen.ticket(context.draft, context.tenant, ticket_id)
    if ticket is None:
        raise Refusal(RefusalCode.NOT_FOUND, f"there is no ticket {ticket_id}")
    return ticket


async def _keep(context: Context, finding: Finding) -> None:
    store.add(context.draft, context.tenant, finding)
    await context.emit(CheckRecorded(finding_id=finding.finding_id, finding=finding))
    context.answer(_receipt(finding))


def _receipt(finding: Finding) -> FindingReceipt:
    return FindingReceipt(
        finding_id=finding.finding_id,
        check=finding.check,
        passed=finding.passed,
        waived=finding.waived,
        limits=finding.limits,
    )


def _is_asked(check: CheckRules, station: str) -> bool:
    return check.every_s is not None and station in check.stations


async def _overdue(
    context: Context, name: str, check: CheckRules, station: str, now: datetime
) -> Alert | None:
    """The alert of a check whose time has passed; None where it is not so."""
    last = await store.last_of(context.draft, context.tenant, name, station)
    due = rules.due_at(check, None if last is None else last.at)
    if due is not None and due > now:
        return None
    zone = zone_of((await house_rules.order_rules(context.draft, context.tenant)).time_zone)
    return rules.overdue(name, check, station, due, zone=zone, now=now)


async def _is_right(context: Context, alert: Alert, house: KitchenRules) -> bool:
    """Tell whether the rules still ask for what an alert is about."""
    check = house.checks.get(alert.about)
    if check is None:
        return False
    if alert.kind is AlertKind.CHECK_FAILED and alert.tickets:
        return check.every_s is None and await _is_for(context, check, alert.tickets[0])
    if alert.kind is AlertKind.CHECK_FAILED:
        # Where it is not made any more, nothing could ever end it.
        names = {rules.alert_name(alert.kind, alert.about, each) for each in check.stations}
        return check.every_s is not None and alert.alert in names
    return _is_asked(check, alert.to) and bool(
        await _overdue(context, alert.about, check, alert.to, context.now)
    )


async def _is_for(context: Context, check: CheckRules, ticket_id: UUID) -> bool:
    ticket = await context.ports.kitchen.ticket(context.draft, context.tenant, ticket_id)
    return ticket is not None and rules.may_have_failed(check, ticket)
