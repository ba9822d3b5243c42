"""How an order, a ticket, a station stands, in a few words."""

from __future__ import annotations

from schemas.money import to_text
from schemas.replies import (
    AlertReceipt,
    ChannelReceipt,
    CourseReceipt,
    DutyReceipt,
    FindingReceipt,
    OrderReceipt,
    Result,
    StationReceipt,
    TaskReceipt,
    TicketReceipt,
)


def standing(receipt: OrderReceipt) -> str:
    """How an order stands, on one line."""
    told = [receipt.status.value]
    if receipt.waits_for:
        told.append(f"waits for {' and '.join(receipt.waits_for)}")
    told.append(f"version {receipt.version}")
    told.append(to_text(receipt.total_minor, receipt.currency))
    if receipt.payment is not None:
        told.append(f"payment {receipt.payment.value}")
    if receipt.due_minor > 0:
        told.append(f"{to_text(receipt.due_minor, receipt.currency)} due")
    elif receipt.due_minor < 0:
        told.append(f"{to_text(-receipt.due_minor, receipt.currency)} owed to the guests")
    return ", ".join(told)


def told(result: Result) -> str:  # noqa: PLR0911 - one for each kind of answer
    """What an answer says, on one line; the name of its kind where people need no more."""
    match result:
        case OrderReceipt():
            return standing(result)
        case TicketReceipt():
            return f"{result.status.value}, version {result.version}"
        case CourseReceipt():
            number = len(result.ticket_ids)
            return f"course {result.course}: {number} ticket{'' if number == 1 else 's'} fired"
        case StationReceipt():
            return f"closed: {result.closed}" if result.closed else "open"
        case ChannelReceipt():
            return f"{result.intake.value}, quoted {result.quoted_s // 60} min: {result.why}"
        case AlertReceipt():
            return "acknowledged" if result.acknowledged else "stands"
        case DutyReceipt():
            where = f" at {result.station}" if result.station else ""
            return f"on duty{where}" if result.on_duty else "off duty"
        case TaskReceipt():
            return f"waits for {', '.join(result.waits_for)}" if result.waits_for else "told"
        case FindingReceipt():
            how = "waived" if result.waived else "passed" if result.passed else "FAILED"
            return f"{how} ({result.limits})"
        case _:
            return result.kind
