"""Whatever displays and staff ask wrongly is refused by the name of what is wrong.

Each case is read as it comes from the wire, with no broker: what becomes of a refusal there is
`test_bad_input`'s to show.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.alerts import AcknowledgeAlert
from schemas.envelope import device_source
from schemas.identifiers import new_id
from schemas.kitchen_pace import PauseChannel, ResumeChannel
from schemas.kitchen_requests import (
    AttendStation,
    BumpLines,
    CloseStation,
    FireCourse,
    FireTicket,
    HoldTicket,
    LeaveStation,
    MoveTicket,
    OpenStation,
    PrioritiseOrder,
    RecallTicket,
    ReprintTicket,
)
from schemas.menu import RestoreItem, SellOut
from schemas.message import Request
from schemas.quality import RecordCheck, WaiveCheck
from schemas.refusals import RefusalCode
from schemas.staff import (
    AcknowledgeTask,
    AssignPerson,
    EndDuty,
    ReadStaff,
    SendTask,
    StartDuty,
)
from services.runtime.bus import Delivery
from services.runtime.reception import Received, Unfit, read
from tests.rules.wire import sample

NOW = datetime(2026, 3, 14, 18, 0, tzinfo=UTC)
NEW: tuple[type[Request], ...] = (
    *(BumpLines, RecallTicket, HoldTicket, FireTicket, FireCourse, MoveTicket, PrioritiseOrder),
    *(ReprintTicket, AttendStation, LeaveStation, CloseStation, OpenStation),
    *(PauseChannel, ResumeChannel, AcknowledgeAlert, RecordCheck, WaiveCheck),
    *(StartDuty, EndDuty, AssignPerson, SendTask, AcknowledgeTask, ReadStaff),
    *(SellOut, RestoreItem),
)
NUL, ESCAPE = "a\x00b", "\x1b[2J"
UUID_FIELDS = {"ticket_id", "order_id", "task_id"}
NAMES = {"item", "station", "person", "check", "alert", "to"}
WORDS = {"why", "text", "note", "reason", "photo"}
FIELDS = [
    pytest.param(message, field, id=f"{message.__name__}.{field}")
    for message in NEW
    for field in message.model_fields
]


def said(message: type[Request], data: object) -> Received | Unfit:
    """A request with this content, as reception reads it."""
    document = {
        "specversion": "1.0",
        "id": str(new_id()),
        "source": device_source("demo", "kds-1"),
        "type": message.type_name,
        "time": NOW.isoformat(),
        "data": data,
    }
    topic = message.route.topic(tenant="demo", device="kds-1")
    payload = json.dumps(document).encode()
    entry = read(Delivery(topic, payload, retain=False, qos=1, tag=1), NOW)
    assert entry is not None
    return entry


def refused(message: type[Request], data: object, saying: str) -> None:
    entry = said(message, data)
    assert isinstance(entry, Unfit), f"{message.__name__} took {data}"
    assert entry.code is RefusalCode.INVALID
    assert saying in entry.reason, entry.reason
    assert entry.request_id is not None, "whoever asked can be answered"
    assert len(entry.reason) < 500


def good(message: type[Request], **fields: Any) -> dict[str, Any]:
    return {**sample(message, ""), **fields}


@pytest.mark.parametrize("message", NEW, ids=lambda message: message.__name__)
def test_a_request_as_it_should_be_is_read(message: type[Request]) -> None:
    assert isinstance(said(message, good(message)), Received)
    refused(message, "two burgers", "data: ")
    refused(message, [good(message)], "data: ")


@pytest.mark.parametrize(("message", "field"), FIELDS)
def test_a_field_of_another_kind_is_named(message: type[Request], field: str) -> None:
    wrong: list[object] = [{"x": 1}, 10**40, ""]
    if field in UUID_FIELDS:
        wrong += ["7", NUL, "x" * 64]
    elif field in NAMES:
        wrong += ["+/#", "Grill", "a.b", "x" * 65, NUL]
    elif field in WORDS:
        wrong += [NUL, ESCAPE, "x" * 1000, "\ud800"]
    may_be_empty = {(RecordCheck, "note")}
    for value in wrong:
        if value == "" and (message, field) in may_be_empty:
            continue
        refused(message, good(message, **{field: value}), field if value != "\ud800" else "")


@pytest.mark.parametrize(("message", "field"), FIELDS)
def test_what_must_be_there_is_missed_by_name(message: type[Request], field: str) -> None:
    data = good(message)
    data.pop(field, None)
    if message.model_fields[field].is_required():
        refused(message, data, f"{field}: Field required")
    else:
        assert isinstance(said(message, data), Received)


@pytest.mark.parametrize(
    ("message", "fields", "saying"),
    [
        (BumpLines, {"lines": []}, "lines"),
        (BumpLines, {"lines": [0]}, "lines.0"),
        (BumpLines, {"lines": [1] * 1000}, "lines"),
        (BumpLines, {"sequence": -1}, "sequence"),
        (BumpLines, {"sequence": 2**53}, "sequence"),
        (RecallTicket, {"lines": []}, "lines"),
        (RecallTicket, {"restart": "soon"}, "restart"),
        (FireCourse, {"course": 0}, "course"),
        (FireCourse, {"course": 10}, "course"),
        (PrioritiseOrder, {"priority": "at once"}, "priority"),
        (PauseChannel, {"channel": "fax"}, "channel"),
        (RecordCheck, {"celsius": float("nan")}, "celsius"),
        (RecordCheck, {"celsius": float("inf")}, "celsius"),
        (RecordCheck, {"celsius": -274}, "celsius"),
        (RecordCheck, {"celsius": 501}, "celsius"),
        (RecordCheck, {"celsius": "hot"}, "celsius"),
        (RecordCheck, {"yes": "perhaps"}, "yes"),
        (RecordCheck, {"photo": "two\nlines"}, "photo"),
        (WaiveCheck, {"reason": ""}, "reason"),
        (SendTask, {"addressee": "everybody"}, "addressee"),
        (SendTask, {"text": "x" * 281}, "text"),
        (EndDuty, {"note": ""}, "note"),
    ],
)
def test_a_value_out_of_its_range_is_named(
    message: type[Request], fields: dict[str, Any], saying: str
) -> None:
    refused(message, good(message, **fields), saying)
