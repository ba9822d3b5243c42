"""How an order, a ticket, a station stands, in a few words."""

from __future__ import annotations

from datetime import tzinfo

from cli.house_clock import on_screen
from cli.printing import counted
from schemas.money import to_text
from schemas.replies import (
    AlertReceipt,
    ChannelReceipt,
    CourseReceipt,
    DutyReceipt,
    FindingReceipt,
    ItemReceipt,
    OrderReceipt,
    PrintReceipt,
    Result,
    StationReceipt,
    TaskReceipt,
    TicketReceipt,
)
from services.runtime.moment import system_clock


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


def told(result: Result, zone: tzinfo | None = None) -> str:  # noqa: PLR0911 - one for each kind of answer
    """What an answer says, on one line; the name of its kind where people need no more.

    Args:
        result: the answer.
        zone: by whose clock times are told; None is this machine's.
    """
    match result:
        case OrderReceipt():
            return standing(result)
        case TicketReceipt():
            return f"{result.status.value}, version {result.version}"
        case CourseReceipt():
            return f"course {result.course}: {counted(len(result.ticket_ids), 'ticket')} fired"
        case PrintReceipt():
            return _printed(result)
        case StationReceipt():
            return f"closed: {result.closed}" if result.closed else "open"
        case ChannelReceipt():
            return _taken(result, zone)
        case AlertReceipt():
            return "acknowledged" if result.acknowledged else "stands"
        case DutyReceipt():
            return _duty(result)
        case TaskReceipt():
            return f"waits for {', '.join(result.waits_for)}" if result.waits_for else "told"
        case FindingReceipt():
            how = "waived" if result.waived else "passed" if result.passed else "FAILED"
            return f"{how} ({result.limits})"
        case ItemReceipt():
            return _had(result, zone)
        case _:
            return result.kind


def _printed(result: PrintReceipt) -> str:
    if not result.printers:
        return f"no printer attends {result.station}: nothing comes out (heard printer run)"
    return f"to be printed by {', '.join(result.printers)}"


def _taken(result: ChannelReceipt, zone: tzinfo | None) -> str:
    until = ""
    if result.until is not None:
        until = f" until {on_screen(result.until, system_clock(), zone)}"
    return f"{result.intake.value}{until}, quoted {result.quoted_s // 60} min: {result.why}"


def _duty(result: DutyReceipt) -> str:
    where = f" at {result.station}" if result.station else ""
    where += ", and sees to the ticket" if result.ticket_id is not None else ""
    return f"on duty{where}" if result.on_duty else "off duty"


def _had(result: ItemReceipt, zone: tzinfo | None) -> str:
    """How an item of the menu can be had."""
    told = "can be had" if result.available else f"sold out: {result.why}".rstrip(": ")
    if result.back_at is not None:
        told += f", back at {on_screen(result.back_at, system_clock(), zone)}"
    return told if result.left is None else f"{told}, {result.left} left"
