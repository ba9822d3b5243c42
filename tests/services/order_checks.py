"""What must be true of every order at every moment, whatever was asked: told from raw rows."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from cli.recount import Bill
from schemas.kitchen import OPEN_TICKET, LineMark, Ticket, TicketStatus
from schemas.orders import OPEN_ORDER, ORDER_STEPS, WITH_KITCHEN, Order, OrderStatus
from schemas.payments import PAYMENT_STEPS, TAKEN, PaymentStatus
from services.kitchen.store import to_ticket
from services.orders.store import to_order

Row = Mapping[str, Any]

ACCOUNTS: Final = ("guest", "cash", "provider", "sales", "tax", "tips", "refunds")
ANNULLED: Final = {OrderStatus.REJECTED, OrderStatus.CANCELLED, OrderStatus.VOIDED}
ENDED: Final = set(OrderStatus) - OPEN_ORDER
_MOVES: Final = {(before, after) for (before, _), after in ORDER_STEPS.items()}
_CONTENT: Final = ("item", "name", "quantity", "note", "modifiers", "allergens", "avoid", "seat")


def _reachable() -> dict[PaymentStatus, set[PaymentStatus]]:
    found = {status: {status} for status in PaymentStatus}
    for _ in PaymentStatus:
        for (before, _step), after in PAYMENT_STEPS.items():
            for reached in found.values():
                if before in reached:
                    reached.add(after)
    return found


_LATER: Final = _reachable()


def wrongs(
    order_row: Row, entries: Sequence[Row], tickets: Sequence[Row], before: Row | None, bill: Bill
) -> Iterator[str]:
    """Everything about one order that cannot be.

    Args:
        order_row: its row.
        entries: its journal, by version.
        tickets: its tickets.
        before: its row when it was looked at last.
        bill: its money, recounted from the messages alone.
    """
    order = to_order(order_row)  # every figure within the contract's bounds
    yield from history(order, entries, before)
    yield from money(order, entries, bill)
    yield from _payments(order, before)
    yield from on_tickets(order, [to_ticket(row) for row in tickets])


def history(order: Order, entries: Sequence[Row], before: Row | None) -> Iterator[str]:
    """Its statuses and versions, by its journal and by how it stood `before`."""
    if [entry["version"] for entry in entries] != list(range(1, order.version + 1)):
        yield f"version {order.version}, entries {[entry['version'] for entry in entries]}"
        return
    statuses = [OrderStatus(entry["status"]) for entry in entries]
    if statuses[-1] is not order.status:
        yield f"it is {order.status}, the journal ends with {statuses[-1]}"
    for one, other in itertools.pairwise(statuses):
        if one is not other and (one, other) not in _MOVES:
            yield f"it went from {one} to {other}"
    if statuses[0] not in {OrderStatus.PLACED, OrderStatus.ACCEPTED}:
        yield f"it began as {statuses[0]}"
    turned = [n for n in range(2, len(statuses) + 1) if statuses[n - 1] is not statuses[n - 2]]
    if order.status_version != (turned[-1] if turned else 1):
        yield f"its status is of version {order.status_version}, the journal says {turned}"
    if before is not None and (
        order.version < before["version"] or order.status_version < before["status_version"]
    ):
        yield f"its version went from {before['version']} to {order.version}"
    if (order.status is OrderStatus.PLACED) is not bool(order.waits_for):
        yield f"it is {order.status} and waits for {order.waits_for}"
    if (order.status in OPEN_ORDER) is not (order.closed_at is None):
        yield f"it is {order.status}, closed at {order.closed_at}"
    newest = max(line.version for line in order.lines)
    if newest > order.version:
        yield f"a line is of version {newest}, the order of {order.version}"


def money(order: Order, entries: Sequence[Row], bill: Bill) -> Iterator[str]:
    """Its figures, its journal and its recounted bill say the same."""
    for entry in entries:
        if sum(entry[f"{name}_minor"] for name in ACCOUNTS):
            yield f"entry {entry['version']} does not sum to zero"
    books = {name: sum(entry[f"{name}_minor"] for entry in entries) for name in ACCOUNTS}
    kept = [line for line in order.lines if not line.voided]
    if order.total_minor != sum(line.total_minor for line in kept):
        yield f"its total is {order.total_minor}, its lines are {kept}"
    if order.tax_minor != sum(line.tax_minor for line in kept):
        yield f"its tax is {order.tax_minor}, its lines are {kept}"
    if order.due_minor != books["guest"]:
        yield f"{order.due_minor} are due, by the journal {books['guest']}"
    held = order.paid_minor + order.tips_minor - order.refunded_minor
    if books["cash"] + books["provider"] != held or held < 0:
        yield f"{held} are held, by the journal {books}"
    back = sum(min(each.refunded_minor, each.amount_minor) for each in order.payments)
    if -order.due_minor > order.paid_minor - back:
        yield f"{-order.due_minor} are owed to the guests, of {order.paid_minor - back} held"
    if order.status in ANNULLED and (books["sales"] or books["tax"] or books["refunds"]):
        yield f"it is {order.status}, and something of it is earned: {books}"
    mine = (
        order.total_minor,
        order.tax_minor,
        order.paid_minor,
        order.tips_minor,
        order.refunded_minor,
        order.due_minor,
    )
    theirs = (bill.total, bill.tax, bill.paid, bill.tips, bill.refunded, bill.due)
    if mine != theirs:
        yield f"total, tax, paid, tips, refunded, due: {mine}, recounted {theirs}"
    if books != bill.books():
        yield f"the journal says {books}, recounted {bill.books()}"


def _payments(order: Order, before: Row | None) -> Iterator[str]:
    was = {} if before is None else {each.payment_id: each for each in to_order(before).payments}
    ids = [each.payment_id for each in order.payments]
    if len(set(ids)) != len(ids) or not was.keys() <= set(ids):
        yield f"its payments are {ids}, were {list(was)}"
    for each in order.payments:
        if each.payment_id in was and each.status not in _LATER[was[each.payment_id].status]:
            yield f"a payment went from {was[each.payment_id].status} to {each.status}"
        done = sum(refund.amount_minor for refund in each.refunds if refund.status == "done")
        asked = sum(refund.amount_minor for refund in each.refunds if refund.status == "asked")
        if done != each.refunded_minor or done + asked > each.amount_minor + each.tip_minor:
            yield f"{each.refunded_minor} of a payment went back: {each}"
        status = {
            0: PaymentStatus.PAID,
            each.amount_minor + each.tip_minor: PaymentStatus.REFUNDED,
        }.get(done, PaymentStatus.PARTLY_REFUNDED)
        if each.status in TAKEN and each.status is not status:
            yield f"{done} of a payment went back, and it is {each.status}"
        if each.status not in TAKEN and each.refunds:
            yield f"a payment that is {each.status} has refunds"
    for line in order.lines:
        if line.refunded_minor > line.total_minor:
            yield f"{line.refunded_minor} were given back of a line of {line.total_minor}"


def on_tickets(order: Order, tickets: Sequence[Ticket]) -> Iterator[str]:
    """The kitchen has just what it is to make, and no word of it is another."""
    if order.status in {OrderStatus.PLACED, OrderStatus.REJECTED}:
        if tickets:
            yield f"it is {order.status}, and the kitchen has {len(tickets)} tickets of it"
        return
    open_ = [ticket for ticket in tickets if ticket.status in OPEN_TICKET]
    if bool(open_) is not (order.status in WITH_KITCHEN):
        yield f"it is {order.status} with {len(open_)} open tickets"
    if any(ticket.status is TicketStatus.STARTED for ticket in open_) and (
        order.status is not OrderStatus.PREPARING
    ):
        yield f"it is {order.status}, and a ticket of it is started"
    shown = [line.line for ticket in tickets for line in ticket.lines]
    if repeated := [number for number, times in Counter(shown).items() if times > 1]:
        yield f"lines {repeated} stand on several tickets"
    if not tickets:  # it ended before the kitchen had it
        if order.status not in ANNULLED:
            yield f"it is {order.status} without a ticket"
        return
    missing = {line.line for line in order.lines if not line.voided} - set(shown)
    if missing or not set(shown) <= {line.line for line in order.lines}:
        yield f"lines {sorted(missing)} are on no ticket; on tickets are {sorted(shown)}"
        return
    yield from _truthful(order, tickets)


def _truthful(order: Order, tickets: Sequence[Ticket]) -> Iterator[str]:
    lines = {line.line: line for line in order.lines}
    for ticket in tickets:
        for on_ticket in ticket.lines:
            line = lines[on_ticket.line]
            if line.station != ticket.station:
                yield f"line {line.line} is for {line.station}, and stands at {ticket.station}"
            struck = on_ticket.mark is LineMark.CANCELLED
            if ticket.status in OPEN_TICKET and struck is not line.voided:
                yield f"line {line.line}: voided {line.voided}, on the ticket {on_ticket.mark}"
            said = {name: getattr(on_ticket, name) for name in _CONTENT}
            meant = {name: getattr(line, name) for name in _CONTENT}
            if order.status in OPEN_ORDER and not line.voided and said != meant:
                yield f"line {line.line} is {meant}, the ticket says {said}"


def by_order(rows: Sequence[Row]) -> dict[UUID, list[Row]]:
    """Rows of several orders, by order and version."""
    found: dict[UUID, list[Row]] = {}
    for row in sorted(rows, key=lambda row: int(row["version"])):
        found.setdefault(row["order_id"], []).append(row)
    return found
