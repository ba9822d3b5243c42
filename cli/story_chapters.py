"""What is told of an order, each thing with its time and in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from cli.journal_text import moved, who
from cli.printing import after, counted
from cli.standing import told as told_of
from cli.story import Kind, Sources, Told, asked_at
from cli.story_kitchen import BY_TICKET, ticket_story
from cli.story_stock import stock_story
from schemas.kitchen_requests import BumpTicket
from schemas.money import to_text
from schemas.notices import NoticeStatus
from schemas.orders import Order, OrderChange
from schemas.payments import Payment
from schemas.replies import OrderReceipt, Outcome, PrintReceipt, TicketReceipt
from services.orders.journal import Entry
from services.runtime.answers import Answer

_ON_ITS_WAY: Final = timedelta(days=1)
"""An id that is older than this tells nothing of how long a request was on its way."""


_REFUNDS: Final = frozenset(
    {OrderChange.REFUNDED, OrderChange.REFUND_ASKED, OrderChange.REFUND_FAILED}
)
_RANK: Final = {kind: number for number, kind in enumerate(Kind)}


def tell(sources: Sources) -> list[Told]:
    """Everything that happened to an order, in the order of its times."""
    told = [
        *_requests(sources),
        *(_change(sources.order, entry) for entry in sources.entries),
        *(each for ticket in sources.tickets for each in ticket_story(ticket, sources)),
        *stock_story(sources),
        *(each for notice in sources.notices for each in _notice(notice)),
    ]
    # What was decided in one instant is told in this order: asked, changed, cut, told.
    return sorted(told, key=lambda each: (each.at, _RANK[each.kind]))


# -- what was asked, and what the answer was ------------------------------------------------


def _requests(sources: Sources) -> Iterator[Told]:
    stations = {ticket.ticket_id: ticket.station for ticket in sources.tickets}
    for each in sources.answers:
        reply = each.reply
        details = {
            "request_id": each.request_id,
            "type": each.kind,
            "outcome": reply.outcome.value,
            "code": reply.code,
            "asked_at": asked_at(each.request_id),
        }
        name = _short(each.kind)
        result = reply.result
        if isinstance(result, TicketReceipt | PrintReceipt) and result.ticket_id in stations:
            name = f"{name} at {stations[result.ticket_id]}"
        if reply.outcome is Outcome.REJECTED:
            standing = (
                (f"it was {result.status.value}, version {result.version}",)
                if isinstance(result, OrderReceipt | TicketReceipt)
                else ()
            )
            yield Told(
                each.at,
                Kind.REFUSED,
                f"{name} refused: {reply.code}: {reply.message}",
                each.device,
                standing,
                details,
            )
        elif each.kind not in BY_TICKET or _was_taken_back(each, sources):
            stands = "accepted" if isinstance(result, OrderReceipt | None) else told_of(result)
            yield Told(
                each.at, Kind.REQUEST, f"{name}{_way(each)}: {stands}", each.device, (), details
            )


def _was_taken_back(answer: Answer, sources: Sources) -> bool:
    """Whether it bumped a ticket that was recalled: the ticket itself knows its last end alone."""
    bumped = answer.reply.result
    return (
        answer.kind == BumpTicket.type_name
        and isinstance(bumped, TicketReceipt)
        and any(
            each.recalls and each.ended_at != answer.at
            for each in sources.tickets
            if each.ticket_id == bumped.ticket_id
        )
    )


def _short(kind: str) -> str:
    """``heard.order.add-lines.v1`` is ``order add-lines``."""
    return " ".join(kind.split(".")[1:-1])


def _way(answer: Answer) -> str:
    """How long the request was on its way, by the clock of its device."""
    made = asked_at(answer.request_id)
    if made is None or not timedelta() <= answer.at - made < _ON_ITS_WAY:
        return ""
    return f", asked {after(made, answer.at)} before"


# -- what changed ---------------------------------------------------------------------------


def _change(order: Order, entry: Entry) -> Told:
    about = [entry.change.value]
    if entry.lines:
        about.append(", ".join(_lines(order, entry.lines)))
    about += _money(order, entry)
    more = [f"because: {rule}" for rule in entry.rules]
    if entry.why:
        more.insert(0, f'why: "{entry.why}"')
    if entry.posting.moves:
        more.append(f"books: {moved(entry.posting, order.currency)}")
    return Told(
        entry.at,
        Kind.CHANGE,
        f"version {entry.version}: {': '.join(about)} ({entry.status})",
        who(entry.device, entry.person),
        tuple(more),
        {
            "version": entry.version,
            "change": entry.change.value,
            "status": entry.status,
            "device": entry.device,
            "person": entry.person,
            "request_id": entry.request_id,
            "why": entry.why,
            "rules": list(entry.rules),
            "lines": list(entry.lines),
            "payment_id": entry.payment_id,
            **entry.posting.columns(),
        },
    )


def _lines(order: Order, numbers: Iterable[int]) -> Iterator[str]:
    known = {line.line: line for line in order.lines}
    for number in numbers:
        line = known.get(number)
        yield f"line {number}" if line is None else f"line {number} {line.name}"


def _money(order: Order, entry: Entry) -> Iterator[str]:
    """The payment, or the refunds, that a change is about."""
    currency = order.currency
    if entry.change not in _REFUNDS:
        payment = next((x for x in order.payments if x.payment_id == entry.payment_id), None)
        if payment is not None:
            yield _paid(payment, currency)
        return
    for payment in order.payments:
        for refund in payment.refunds:
            if refund.refund_id == entry.request_id:
                yield f"{to_text(refund.amount_minor, currency)} in {payment.method}"


def _paid(payment: Payment, currency: str) -> str:
    tip = f" and a tip of {to_text(payment.tip_minor, currency)}" if payment.tip_minor else ""
    guest = f" by guest {payment.guest}" if payment.guest is not None else ""
    return f"{to_text(payment.amount_minor, currency)}{tip} in {payment.method}{guest}"


# -- whom the house told --------------------------------------------------------------------


def _notice(row: Mapping[str, Any]) -> Iterator[Told]:
    status = NoticeStatus(row["status"])
    details = {
        "notice_id": row["notice_id"],
        "rule": row["rule"],
        "channel": row["channel"],
        "to": row["to"],
        "change": row["change"],
        "status": status.value,
        "attempts": row["attempts"],
        "error": row["error"],
    }
    to = f" to {row['to']}" if row["to"] else ""
    name = f"notice {row['change']} over {row['channel']}{to}"
    by = f"rule {row['rule']}"
    yield Told(row["at"], Kind.NOTICE, f"{name}: to be told", by, (), details)
    tries = counted(row["attempts"], "attempt")
    error = (str(row["error"]),) if row["error"] else ()
    if row["ended_at"] is not None:
        text = f"{name}: {status.value} after {tries}"
        yield Told(row["ended_at"], Kind.NOTICE, text, by, error, details)
    elif row["next_at"] is not None and (row["attempts"] or row["next_at"] > row["at"]):
        text = f"{name}: {tries} so far, tried then"
        yield Told(row["next_at"], Kind.NOTICE, text, by, error, details)
