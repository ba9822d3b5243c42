"""When a display says that it attends its station."""

from __future__ import annotations

from devices.attending import AFTER_REFUSAL_S, SETTLING_S, Attending
from schemas.identifiers import new_id
from schemas.kitchen import StationHead
from schemas.kitchen_requests import Attendance, AttendStation


def head(*displays: str) -> StationHead:
    return StationHead(station="grill", sequence=0, open=0, every_s=2.0, displays=displays)


def connected() -> tuple[Attending, AttendStation]:
    attending = Attending("grill", "grill-1", Attendance.OUTPUT)
    assert attending.due(0.0) is None, "it is not connected"
    attending.connected(new_id())
    asked = attending.due(0.0)
    assert asked is not None
    assert attending.due(0.0) is None, "it was said"
    return attending, asked


def test_each_connection_is_said_once_with_its_session() -> None:
    attending, first = connected()
    attending.answered(first, 0.1, accepted=True, refused=False)
    assert attending.due(1_000.0) is None
    attending.disconnected()
    attending.connected(new_id())
    second = attending.due(1_001.0)
    assert second is not None
    assert second.epoch != first.epoch
    # The late answer to the older one says nothing of this session.
    attending.answered(first, 1_002.0, accepted=True, refused=False)
    attending.answered(second, 1_003.0, accepted=False, refused=False)
    assert attending.due(1_003.0) is not None, "nobody answered"


def test_a_display_that_its_station_does_not_name_says_so_again() -> None:
    attending, asked = connected()
    attending.answered(asked, 0.0, accepted=True, refused=False)
    attending.beat(head("grill-2"), SETTLING_S)
    assert attending.due(SETTLING_S) is None, "that beat may have been on its way"
    attending.beat(head("grill-1"), SETTLING_S + 1)
    assert attending.due(SETTLING_S + 1) is None
    attending.beat(head("grill-2"), SETTLING_S + 2)
    assert attending.due(SETTLING_S + 2) is not None


def test_a_refusal_is_not_asked_for_again_at_once() -> None:
    attending, asked = connected()
    attending.answered(asked, 0.0, accepted=False, refused=True)
    assert attending.due(AFTER_REFUSAL_S - 1) is None
    assert attending.next_due() == AFTER_REFUSAL_S
    assert attending.due(AFTER_REFUSAL_S) is not None
