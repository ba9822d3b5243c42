"""Whatever comes in is answered clearly, counted, and disturbs no one else.

Each case is said while another till orders and a display hears: they must not notice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from schemas.devices import DevicePresence, PresenceStatus, Role
from schemas.identifiers import new_id
from schemas.kitchen_requests import BumpTicket, HearTickets, ReadStation
from schemas.message import Request
from schemas.orders import AddLines, CancelOrder, PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply
from services.orders.store import ORDERS
from services.runtime.tables import INBOX, QUARANTINE
from tests.spoken import Speaker, order
from tests.system import RunningTenant, until

Document = dict[str, Any]


@pytest.fixture
def pos(tenant: RunningTenant) -> Iterator[Speaker]:
    with tenant.speaker() as speaking:
        yield speaking


@pytest.fixture
def witness(tenant: RunningTenant) -> Iterator[Callable[[], None]]:
    """Another till and a display of the same restaurant: whoever calls sees that both work."""
    with (
        tenant.speaker(name="witness-pos") as till,
        tenant.speaker(Role.KITCHEN_DISPLAY, "witness-kds") as screen,
    ):

        def works() -> None:
            receipt = till.accepted(order(("burger", 1)))
            assert receipt.total_minor == 995
            page = screen.accepted(ReadStation(station="grill"))
            tickets = [t.ticket_id for t in page.tickets if t.order_id == receipt.order_id]
            heard = screen.accepted(HearTickets(ticket_ids=tuple(tickets)))
            assert len(heard.ticket_ids) == 1

        works()
        yield works


def rejected(reply: Reply, code: RefusalCode, *, id_: UUID | None, saying: str = "") -> None:
    assert reply.outcome is Outcome.REJECTED
    assert reply.code is code, reply.message
    assert reply.request == id_
    assert reply.message
    assert re.search(saying, reply.message), reply.message
    assert len(reply.message) < 500


@dataclass(frozen=True)
class Case:
    """A payload made from the document of a good order, and what is said of it."""

    name: str
    spoil: Callable[[Document], object]
    code: RefusalCode
    saying: str = ""
    has_id: bool = True


def put(**fields: Any) -> Callable[[Document], object]:
    return lambda document: document | fields


def line(**fields: Any) -> Callable[[Document], object]:
    whole = {"item": "burger", "quantity": 1}
    return lambda document: document | {"data": {"lines": [whole | fields]}}


def data(**fields: Any) -> Callable[[Document], object]:
    return lambda document: document | {"data": document["data"] | fields}


def without(name: str) -> Callable[[Document], object]:
    return lambda document: {key: value for key, value in document.items() if key != name}


def nested(document: Document, depth: int) -> bytes:
    text = json.dumps(document)
    return (text[:-1] + ', "deep": ' + "[" * depth + "]" * depth + "}").encode()


def twice(document: Document) -> bytes:
    return (json.dumps(document)[:-1] + ', "type": "heard.nonsense.v1"}').encode()


def twice_deep(document: Document) -> bytes:
    text = json.dumps(document)
    return text.replace('"quantity": 1', '"quantity" : 1, "quantity":3').encode()


def twice_unknown(document: Document) -> bytes:
    return (json.dumps(document)[:-1] + ', "x": [{"é": 1, "\\u00e9": 2}]}').encode()


def huge(document: Document) -> bytes:
    whole = json.dumps(document | {"data": {"lines": [{"item": "ale", "quantity": 777_777}]}})
    return whole.replace("777777", "1" + "0" * 5000).encode()


INVALID, UNREADABLE = RefusalCode.INVALID, RefusalCode.UNREADABLE
MISMATCH, CLOCK = RefusalCode.TOPIC_MISMATCH, RefusalCode.TIME_OUT_OF_RANGE
NUL, ESCAPE = "a\x00b", "\x1b[2J"

CASES = [
    Case("empty", lambda _: b"", UNREADABLE, has_id=False),
    Case("broken UTF-8", lambda d: json.dumps(d).encode()[:-2] + b"\xff\xfe}}", UNREADABLE),
    Case("no UTF-8 at all", lambda _: bytes(range(128, 256)), UNREADABLE, has_id=False),
    Case("no JSON", lambda _: b"two burgers, one fries", UNREADABLE, has_id=False),
    Case("half a JSON", lambda d: json.dumps(d).encode()[:-20], UNREADABLE),
    Case("a list", lambda d: [d], UNREADABLE),
    Case("a number", lambda _: 7, UNREADABLE, has_id=False),
    Case("nested 100,000 deep", lambda _: b"[" * 100_000, UNREADABLE, has_id=False),
    Case("nested inside an envelope", lambda d: nested(d, 50_000), UNREADABLE),
    Case("1 MiB", data(reference="x" * 2**20), RefusalCode.TOO_LARGE, "1048"),
    Case("1 MiB of nothing", lambda _: b"\0" * 2**20, RefusalCode.TOO_LARGE, has_id=False),
    Case("no id", without("id"), UNREADABLE, "id: Field required", has_id=False),
    Case("an id that is none", put(id="7"), UNREADABLE, "id: ", has_id=False),
    Case("an unknown type", put(type="heard.nonsense.v1"), RefusalCode.UNKNOWN_TYPE, "nonsense"),
    Case("a type twice", twice, INVALID, "'type' stands twice"),
    Case("a quantity twice", twice_deep, INVALID, "'quantity' stands twice"),
    Case("an unknown field twice", twice_unknown, INVALID, "'é' stands twice"),
    Case("a type with a NUL", put(type=f"heard{NUL}"), RefusalCode.UNKNOWN_TYPE),
    Case("a lone surrogate as type", put(type="\ud800"), RefusalCode.UNKNOWN_TYPE),
    Case("another type", put(type="heard.order.cancel.v1"), MISMATCH, "does not belong"),
    Case("another device as source", put(source="/x/devices/pos-9"), MISMATCH, "source"),
    Case("no source", without("source"), INVALID, "source: Field required"),
    Case("no time", without("time"), INVALID, "time: Field required"),
    Case("a time without a zone", put(time="2026-03-14T12:00:00"), INVALID, "time: "),
    Case("1970", put(time="1970-01-01T00:00:00Z"), CLOCK, "check the device's clock"),
    Case("2100", put(time="2100-01-01T00:00:00Z"), CLOCK, "check the device's clock"),
    Case("the year 1, far east", put(time="0001-01-01T00:00:00+14:00"), CLOCK),
    Case("the year 9999, far west", put(time="9999-12-31T23:59:59-12:00"), CLOCK),
    Case("no data", without("data"), INVALID, "data: Field required"),
    Case("data of another kind", put(data="two burgers"), INVALID, "data: "),
    Case("no lines", put(data={}), INVALID, "lines: Field required"),
    Case("empty lines", data(lines=[]), INVALID, "lines: .*at least 1"),
    Case("201 lines", data(lines=[{"item": "ale", "quantity": 1}] * 201), INVALID, "at most 200"),
    Case("quantity 0", line(quantity=0), INVALID, r"lines\.0\.quantity: .*greater than"),
    Case("quantity -1", line(quantity=-1), INVALID, "quantity"),
    Case("quantity 10^9", line(quantity=10**9), INVALID, r"lines\.0\.quantity: .*less than"),
    Case("quantity 10^5000", huge, INVALID, "number out of range"),
    Case("quantity 1.5", line(quantity=1.5), INVALID, "quantity"),
    Case("quantity as text", line(quantity="2"), INVALID, "quantity"),
    Case("quantity true", line(quantity=True), INVALID, "quantity"),
    Case("quantity NaN", line(quantity=float("nan")), INVALID, "quantity"),
    Case("quantity Infinity", line(quantity=float("inf")), INVALID, "quantity"),
    Case("an item that is no name", line(item="+/#"), INVALID, "item"),
    Case("an item of 65 letters", line(item="x" * 65), INVALID, "item"),
    Case("an unknown item", line(item="soup"), RefusalCode.UNKNOWN_ITEM, "menu: soup"),
    Case("a very long note", line(note="x" * 281), INVALID, r"note: .*280"),
    Case("a NUL in the note", line(note=NUL), INVALID, "note"),
    Case("an escape in the note", line(note=ESCAPE), INVALID, "note"),
    Case("a lone surrogate in the note", line(note="\ud800"), INVALID),
    Case("a NUL in the table", data(table=NUL), INVALID, "table"),
    Case("an empty table", data(table=""), INVALID, "table"),
    Case("a long table", data(table="x" * 33), INVALID, "table"),
    Case("a NUL in the reference", data(reference=NUL), INVALID, "reference"),
    Case("an empty reference", data(reference=""), INVALID, "reference"),
    Case("a long reference", data(reference="x" * 65), INVALID, "reference"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_answered_with_the_reason_and_disturbs_no_one(
    case: Case, tenant: RunningTenant, pos: Speaker, witness: Callable[[], None]
) -> None:
    counts = tenant.system.counts
    names = [f"unfit:{case.code}", f"refused:{case.code}"]
    counted = sum(counts[name] for name in names)
    id_ = new_id()
    spoilt = case.spoil(pos.document(order("burger", table="4"), id_))
    payload = spoilt if isinstance(spoilt, bytes) else json.dumps(spoilt).encode()
    reply = pos.ask_raw(pos.topic(PlaceOrder), payload)
    rejected(reply, case.code, id_=id_ if case.has_id else None, saying=case.saying)
    witness()
    assert pos.accepted(order("ale")).total_minor == 480, "the same till goes on"
    assert tenant.count(ORDERS) == 3
    assert tenant.count(QUARANTINE) == 0, "whoever can be answered needs no quarantine"
    assert sum(counts[name] for name in names) > counted


def test_free_text_of_any_language_is_kept_as_it_came(tenant: RunningTenant, pos: Speaker) -> None:
    text = "crème brûlée \N{HAMBURGER} 寿司 \u202e\"'\\ % {} $1"
    request = order("burger", table=text[:32], reference=text)
    request = request.model_copy(
        update={"lines": (request.lines[0].model_copy(update={"note": text + "\n\tno onions"}),)}
    )
    receipt = pos.accepted(request)
    (row,) = [row for row in tenant.rows(ORDERS) if row["order_id"] == receipt.order_id]
    assert (row["table"], row["reference"]) == (text[:32], text)
    assert row["lines"][0]["note"] == text + "\n\tno onions"


@pytest.mark.parametrize("reason", ["", NUL, ESCAPE, "x" * 281])
def test_a_reason_that_is_none_is_refused_and_the_order_stands(
    reason: str, tenant: RunningTenant, pos: Speaker
) -> None:
    order_id = pos.accepted(order("burger")).order_id
    id_ = new_id()
    document = pos.document(CancelOrder(order_id=order_id, reason="x"), id_)
    document["data"]["reason"] = reason
    reply = pos.ask_raw(pos.topic(CancelOrder), json.dumps(document).encode())
    rejected(reply, INVALID, id_=id_, saying="reason")
    assert [row["status"] for row in tenant.rows(ORDERS)] == ["accepted"]


@pytest.mark.parametrize("after", [-1, 2**53, 10**30, "x"])
def test_a_question_that_is_none_is_answered_too(after: object, tenant: RunningTenant) -> None:
    with tenant.speaker(Role.KITCHEN_DISPLAY) as screen:
        id_ = new_id()
        document = screen.document(ReadStation(station="grill"), id_)
        document["data"]["after"] = after
        reply = screen.ask_raw(screen.topic(ReadStation), json.dumps(document).encode())
        rejected(reply, INVALID, id_=id_, saying="after")


def test_two_hundred_and_one_tickets_at_once_are_too_many(tenant: RunningTenant) -> None:
    with tenant.speaker(Role.KITCHEN_DISPLAY) as screen:
        id_ = new_id()
        document = screen.document(HearTickets(ticket_ids=(new_id(),)), id_)
        document["data"]["ticket_ids"] = [str(new_id()) for _ in range(201)]
        reply = screen.ask_raw(screen.topic(HearTickets), json.dumps(document).encode())
        rejected(reply, INVALID, id_=id_, saying="ticket_ids")


@pytest.mark.parametrize(
    "request_",
    [
        AddLines(order_id=new_id(), lines=order("ale").lines),
        CancelOrder(order_id=new_id(), reason="x"),
        BumpTicket(ticket_id=new_id()),
        HearTickets(ticket_ids=(new_id(),)),
    ],
    ids=lambda request: type(request).__name__,
)
def test_what_does_not_exist_is_not_found(request_: Request, tenant: RunningTenant) -> None:
    with tenant.speaker(Role.MANAGER) as manager:
        reply = manager.ask(request_)
        assert (reply.code, reply.outcome) == (RefusalCode.NOT_FOUND, Outcome.REJECTED)


def test_a_request_of_an_unknown_area_is_answered(
    pos: Speaker, tenant: RunningTenant, witness: Callable[[], None]
) -> None:
    topic = pos.topic(PlaceOrder).replace("orders/place", "orders/teleport")
    id_ = new_id()
    reply = pos.ask_raw(topic, pos.wire(order("burger"), id_))
    rejected(reply, RefusalCode.UNKNOWN_TYPE, id_=id_, saying="orders/teleport")
    witness()
    assert tenant.count(QUARANTINE) == 0


def test_the_same_id_with_another_body_is_refused_and_the_first_stands(
    tenant: RunningTenant, pos: Speaker
) -> None:
    id_ = new_id()
    first = pos.ask(order("burger"), id_)
    again = pos.ask(order(("burger", 2)), id_)
    assert first.outcome is Outcome.ACCEPTED
    rejected(again, RefusalCode.REQUEST_ID_REUSED, id_=id_, saying="make a new one")
    assert [row["total_minor"] for row in tenant.rows(ORDERS)] == [995]
    assert pos.ask(order("burger"), id_) == first


def test_a_retained_request_is_done_once_and_does_no_harm(
    tenant: RunningTenant, pos: Speaker, witness: Callable[[], None]
) -> None:
    id_ = new_id()
    reply = pos.ask_raw(pos.topic(PlaceOrder), pos.wire(order("burger"), id_), retain=True)
    assert (reply.request, reply.outcome) == (id_, Outcome.ACCEPTED)
    pos.mqtt.publish(pos.topic(PlaceOrder), b"", retain=True)
    rejected(pos.next_reply(), UNREADABLE, id_=None)
    witness()
    assert tenant.count(ORDERS) == 3


NOTICES = [b"nonsense", b"\xff", b"{}", b"[" * 100_000, b'{"epoch": "\\u0000"}', b"x" * 2**17]


@pytest.mark.parametrize("stream", ["presence", "heartbeat", "of-no-kind"])
@pytest.mark.parametrize("payload", NOTICES, ids=range(len(NOTICES)))
def test_what_nobody_waits_for_an_answer_to_goes_into_quarantine_whole(
    stream: str,
    payload: bytes,
    tenant: RunningTenant,
    pos: Speaker,
    witness: Callable[[], None],
) -> None:
    tail = {"presence": f"presence/{pos.device}"}.get(stream, f"telemetry/{pos.device}/{stream}")
    topic = f"heard/v1/{tenant.name}/{tail}"
    pos.mqtt.publish(topic, payload)
    witness()
    until(lambda: tenant.rows(QUARANTINE), "it is kept whole")
    (row,) = tenant.rows(QUARANTINE)
    assert (row["topic"], row["payload"]) == (topic, payload)
    assert row["reason"]


@pytest.mark.parametrize("stream", ["heartbeat", "of-no-kind"])
def test_what_is_larger_than_a_device_may_send_is_counted_and_kept_nowhere(
    stream: str, tenant: RunningTenant, pos: Speaker, witness: Callable[[], None]
) -> None:
    counted = tenant.system.counts[f"unfit:{RefusalCode.TOO_LARGE}"]
    pos.mqtt.publish(f"heard/v1/{tenant.name}/telemetry/{pos.device}/{stream}", b"x" * 2**20)
    witness()
    too_large = f"unfit:{RefusalCode.TOO_LARGE}"
    until(lambda: tenant.system.counts[too_large] > counted, "it is counted")
    assert tenant.rows(QUARANTINE) == []


def test_presence_that_disagrees_with_its_topic_is_not_believed(
    tenant: RunningTenant, pos: Speaker, witness: Callable[[], None]
) -> None:
    said = DevicePresence(status=PresenceStatus.ONLINE, epoch=new_id())
    for spoilt in ({"source": "/x/devices/y"}, {"type": "heard.order.place.v1"}):
        payload = json.dumps(pos.document(said) | spoilt).encode()
        pos.mqtt.publish(pos.topic(DevicePresence), payload, retain=True)
    witness()
    assert len(tenant.rows(QUARANTINE)) == 2
    assert all("topic-mismatch" in row["reason"] for row in tenant.rows(QUARANTINE))


def test_a_request_that_waited_a_week_is_refused_and_one_of_six_days_is_done(
    tenant: RunningTenant, pos: Speaker
) -> None:
    now = datetime.now(UTC)
    assert pos.ask(order("ale"), at=now - timedelta(days=6)).outcome is Outcome.ACCEPTED
    assert pos.ask(order("ale"), at=now + timedelta(minutes=9)).outcome is Outcome.ACCEPTED
    for at in (now - timedelta(days=8), now + timedelta(minutes=11)):
        assert pos.ask(order("ale"), at=at).code is CLOCK
    assert tenant.count(INBOX) == 2
