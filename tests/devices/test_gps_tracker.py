"""A tracker loses no position that it kept, and tells as often as it is asked to."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from devices import gps_tracker
from devices.backlog import Backlog
from devices.gps_tracker import GpsTracker
from devices.outbox import OutboxBroken, OutboxInUse
from devices.reporting import Bounds, Reporting, is_due
from schemas.positions import (
    Complained,
    Complaint,
    Fix,
    Fixes,
    OneFix,
    ReportingTaken,
    ReportingWish,
    TrackerAdvice,
)
from tests.devices.stage import HASTY, TENANT, Broker, Responder, until
from tests.faults.cut import Link
from tests.patience import PATIENCE_S
from tests.ports import quiet_port

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
BIKE = "bike-1"


def fix(second: float, *, speed_mps: float | None = 5.0, north_m: float | None = None) -> OneFix:
    """Where it is after so many seconds, by default at five metres a second to the north."""
    north = 5.0 * second if north_m is None else north_m
    at = NOON + timedelta(seconds=second)
    return OneFix(at=at, lat=60.17 + north / 111_195, lon=24.94, speed_mps=speed_mps)


def tracker(broker: Broker, **options: Any) -> GpsTracker:
    chosen: dict[str, Any] = {
        "tenant": TENANT,
        "device": BIKE,
        "secret": "open-sesame",
        "patience": HASTY,
        **options,
    }
    return GpsTracker("127.0.0.1", broker.port, **chosen)


def heard(responder: Responder) -> list[datetime]:
    """The times of all positions that arrived, as they arrived."""
    found: list[datetime] = []
    for each in list(responder.heard):
        if isinstance(each.message, Fix):
            found.append(each.message.at)
        elif isinstance(each.message, Fixes):
            found += [one.at for one in each.message.fixes]
    return found


def times(count: int) -> list[datetime]:
    return [fix(second).at for second in range(count)]


def test_a_position_is_told_and_leaves_the_backlog(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    with tracker(broker, backlog=tmp_path / "b") as bike:
        assert bike.report(Fix.model_validate(fix(0).model_dump()))
        assert bike.wait_told(PATIENCE_S)
        assert bike.untold == 0
    until(lambda: heard(responder) == times(1), "the position")
    with Backlog(tmp_path / "b", most=10) as left:
        assert len(left) == 0


def test_what_waited_offline_is_told_in_its_order_and_in_few_messages(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    bike = tracker(broker, backlog=tmp_path / "b")
    assert bike.report_many([fix(second) for second in range(950)]) == 950
    assert bike.untold == 950
    with bike:
        assert bike.wait_told(PATIENCE_S)
    until(lambda: len(heard(responder)) >= 950, "the backlog")
    assert heard(responder) == times(950)
    assert len(responder.said(Fixes)) <= 10


def test_a_phones_long_figures_fit_into_what_it_may_send_at_once(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    """A phone has floats of 32 bits, which are written out as doubles: twice as long."""
    phone = np.random.default_rng(7)

    def long(low: float, high: float) -> float:
        return float(np.float32(phone.uniform(low, high)))

    told = [
        OneFix(
            at=NOON + timedelta(seconds=second, microseconds=123_457),
            lat=60.0 + long(0, 1) / 7,
            lon=24.0 + long(0, 1) / 7,
            accuracy_m=long(3, 50),
            speed_mps=long(0, 20),
            heading_deg=359.9999 if second == 0 else long(0, 359),
            battery=long(0, 1),
        )
        for second in range(600)
    ]
    plain = Fixes(fixes=tuple(told[:100])).model_dump_json()
    assert len(plain) > 16 * 1024, "so many at once were too large"
    bike = tracker(broker, backlog=tmp_path / "b")
    bike.report_many(told)
    with bike:
        assert bike.wait_told(PATIENCE_S)
    until(lambda: len(heard(responder)) == 600, "the backlog")
    sizes = [len(each.model_dump_json()) for each in responder.said(Fixes)]
    assert max(sizes) <= 16 * 1024
    assert min(sizes[:-1]) > 10_000, "and not many small ones"
    came = [one for each in responder.said(Fixes) for one in each.fixes]
    assert [each.at for each in came] == [each.at for each in told]
    assert came[0].heading_deg == 0.0
    for one, as_told in zip(came, told, strict=True):
        assert one.lat == pytest.approx(as_told.lat, abs=1e-7)
        assert one.speed_mps == pytest.approx(as_told.speed_mps, abs=0.01)


def test_a_backlog_goes_no_faster_than_it_may(
    broker: Broker, responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gps_tracker, "_BURST_BYTES", 60_000)
    monkeypatch.setattr(gps_tracker, "_BYTES_PER_S", 50_000)
    bike = tracker(broker)
    bike.report_many([fix(second) for second in range(3_000)])
    began = time.monotonic()
    with bike:
        assert bike.wait_told(PATIENCE_S)
    took = time.monotonic() - began
    sent = sum(len(each.model_dump_json()) for each in responder.said(Fixes))
    # The last two messages may go beyond what was let: one at the burst's end, one at its own.
    assert took > (sent - 60_000 - 2 * 12_000) / 50_000 > 1.0
    assert heard(responder) == times(3_000)


def test_a_killed_tracker_tells_what_it_had_kept(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    script = (
        "import sys, time; from pathlib import Path; from devices.gps_tracker import GpsTracker\n"
        "from tests.devices.test_gps_tracker import fix\n"
        "bike = GpsTracker('127.0.0.1', int(sys.argv[1]), tenant='demo', device='bike-1',"
        " secret='x', backlog=Path(sys.argv[2])).start()\n"
        "for second in range(5): bike.report(fix(second))\n"
        "print('kept', flush=True)\ntime.sleep(600)\n"
    )
    nowhere = str(quiet_port())
    command = [sys.executable, "-c", script, nowhere, str(tmp_path / "b")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"kept\n"
        with pytest.raises(OutboxInUse):
            tracker(broker, backlog=tmp_path / "b")
        process.send_signal(signal.SIGKILL)
    with tracker(broker, backlog=tmp_path / "b") as bike:
        assert bike.wait_told(PATIENCE_S)
    until(lambda: heard(responder) == times(5), "what the killed one had kept")


@pytest.mark.parametrize("there", [True, False], ids=["lost-on-the-way", "taken-unconfirmed"])
def test_what_the_broker_did_not_confirm_is_told_again(
    broker: Broker, responder: Responder, tmp_path: Path, *, there: bool
) -> None:
    with Link(broker.port) as link:
        linked = SimpleNamespace(port=link.port)
        with tracker(linked, backlog=tmp_path / "b") as bike:  # type: ignore[arg-type]  # a link that can be cut
            assert bike.wait_online(PATIENCE_S)
            link.hold(there=there, back=True)
            bike.report_many([fix(second) for second in range(250)])
            if not there:
                until(lambda: len(heard(responder)) == 250, "the first telling")
            assert not bike.wait_told(0.3)
            link.cut()
            link.release()
            assert bike.wait_told(PATIENCE_S)
    again = 1 if there else 2
    until(lambda: len(heard(responder)) >= 250 * again, "the second telling")
    assert heard(responder) == times(250) * again


def test_of_too_many_the_oldest_go_and_are_counted(broker: Broker, responder: Responder) -> None:
    problems: list[str] = []
    bike = tracker(broker, held=100, on_problem=problems.append)
    bike.report_many([fix(second) for second in range(90)])
    bike.report_many([fix(second) for second in range(90, 150)])
    assert (bike.untold, bike.lost) == (100, 50)
    with bike:
        assert bike.wait_told(PATIENCE_S)
    until(lambda: heard(responder) == times(150)[50:], "the newest hundred")
    assert any("the oldest are lost" in problem for problem in problems)


def test_a_wish_is_followed_and_what_is_made_of_it_told_back(
    broker: Broker, responder: Responder
) -> None:
    wish = ReportingWish(device=BIKE, number=3, every_s=10, still_s=60, together=9, why="near")
    responder.say(wish)
    with tracker(broker, bounds=Bounds(fastest_s=15, together=4)) as bike:
        until(lambda: bike.reporting.number == 3, "the wish")
        assert bike.reporting == Reporting(3, every_s=15, still_s=60, together=4)
        until(lambda: responder.said(ReportingTaken), "the answer")
        assert responder.said(ReportingTaken)[-1] == ReportingTaken(
            number=3, every_s=15, still_s=60, together=4
        )
        assert bike.report_many([fix(second) for second in range(61)]) == 5
        assert bike.wait_told(PATIENCE_S)
    until(lambda: len(heard(responder)) == 5, "the positions")
    told = [(at - NOON).total_seconds() for at in heard(responder)]
    # Nearly due is due: a receiver's second is not exactly one.
    assert told == [0, 14, 28, 42, 56]


def test_positions_that_go_together_wait_for_each_other_and_no_longer_than_they_should(
    broker: Broker, responder: Responder
) -> None:
    responder.say(ReportingWish(device=BIKE, number=1, every_s=0.1, still_s=1, together=3))
    with tracker(broker) as bike:
        until(lambda: bike.reporting.number == 1, "the wish")
        for second in range(5):
            bike.report(fix(second))
        assert bike.wait_told(PATIENCE_S)
    until(lambda: len(heard(responder)) == 5, "the positions")
    assert all(len(each.fixes) >= 2 for each in responder.said(Fixes))
    assert heard(responder) == times(5)


def test_a_tracker_that_starts_offline_follows_the_wish_that_it_was_told_before(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    wish = ReportingWish(device=BIKE, number=5, every_s=10, still_s=60)
    responder.say(wish)
    with tracker(broker, backlog=tmp_path / "b") as bike:
        until(lambda: bike.reporting.number == 5, "the wish")
    broker.kill()
    with tracker(broker, backlog=tmp_path / "b", bounds=Bounds(fastest_s=20)) as bike:
        assert bike.reporting == Reporting(5, every_s=20, still_s=60)
        assert bike.report_many([fix(second) for second in range(41)]) == 3
    # One whose wish has ended follows none after its next start.
    with Backlog(tmp_path / "b", most=10) as kept:
        assert kept.wish == wish
        kept.keep_wish(None)
    with tracker(broker, backlog=tmp_path / "b") as bike:
        assert bike.reporting == Reporting()


def test_a_wish_asked_once_more_is_answered_once_more(broker: Broker, responder: Responder) -> None:
    wish = ReportingWish(device=BIKE, number=5, every_s=10, still_s=60)
    responder.say(wish)
    told: list[int] = []
    with tracker(broker, on_reporting=lambda now: told.append(now.number)) as bike:
        until(lambda: len(responder.said(ReportingTaken)) == 1, "the answer")
        responder.say(wish)
        until(lambda: len(responder.said(ReportingTaken)) == 2, "the second answer")
        assert bike.reporting.number == 5
    assert told == [5]


def test_a_wish_that_ends_leaves_it_to_tell_all(broker: Broker, responder: Responder) -> None:
    told: list[int] = []
    wish = ReportingWish(device=BIKE, number=1, every_s=10, still_s=60)
    responder.say(wish)
    with tracker(broker, on_reporting=lambda now: told.append(now.number)) as bike:
        until(lambda: told == [1], "the wish")
        responder.say_raw(wish.topic(tenant=TENANT), b"", retain=True)
        until(lambda: told == [1, 0], "its end")
        assert bike.report_many([fix(second) for second in range(9)]) == 9
        until(lambda: [each.number for each in responder.said(ReportingTaken)] == [1, 0], "both")


def test_what_is_wrong_with_its_positions_it_says_to_whoever_looks_after_it(
    broker: Broker, responder: Responder
) -> None:
    problems: list[str] = []
    said: list[TrackerAdvice | None] = []
    clock = Complained(what=Complaint.CLOCK, count=9, since=NOON, seconds=3600.4)
    advice = TrackerAdvice(device=BIKE, complaints=(clock,))
    responder.say(advice)
    with tracker(broker, on_problem=problems.append, on_advice=said.append) as bike:
        until(lambda: said == [advice], "the advice")
        assert bike.advice == advice
        responder.say_raw(advice.topic(tenant=TENANT), b"", retain=True)
        until(lambda: said == [advice, None], "its end")
    assert problems == ["the clock is 3600 s ahead: set it right"]


@pytest.mark.parametrize("payload", [b"{}", b"\xff", b'{"data": {"every_s": -1}}'])
def test_a_wish_that_cannot_be_read_changes_nothing(
    broker: Broker, responder: Responder, payload: bytes
) -> None:
    topic = ReportingWish.route.topic(tenant=TENANT, device=BIKE)
    responder.say_raw(topic, payload, retain=True)
    with tracker(broker) as bike:
        until(lambda: bike.counts.undecodable == 1, "the wish")
        assert bike.reporting == Reporting()
        assert bike.report(fix(0))
        assert bike.wait_told(PATIENCE_S)


# -- the backlog itself -------------------------------------------------------------------


def opened(path: Path | None) -> Callable[[], Backlog]:
    return lambda: Backlog(path, most=10)


def test_a_backlog_gives_what_was_kept_until_it_is_forgotten(tmp_path: Path) -> None:
    again = opened(tmp_path / "deep" / "b")
    with again() as backlog:
        backlog.keep([fix(second) for second in range(4)])
    with again() as backlog:
        assert len(backlog) == 4
        first = backlog.after(0, 3, 9_999)
        assert first is not None
        assert [each.at for each in first.fixes] == times(3)
        rest = backlog.after(first.last, 3, 9_999)
        assert rest is not None
        assert [each.at for each in rest.fixes] == times(4)[3:]
        backlog.forget([first])
    with again() as backlog:
        assert len(backlog) == 1
        assert backlog.after(0, 9, 9_999) == rest
        assert backlog.newest() == rest.last


def test_what_no_release_can_read_any_more_is_passed_over(tmp_path: Path) -> None:
    with opened(tmp_path / "b")() as backlog:
        backlog.keep([fix(0), fix(1)])
    with sqlite3.connect(tmp_path / "b") as database:
        database.execute("UPDATE fix SET fix = '{}' WHERE position = 1")
    database.close()
    with opened(tmp_path / "b")() as backlog:
        found = backlog.after(0, 9, 9_999)
        assert found is not None
        assert ([each.at for each in found.fixes], found.first) == (times(2)[1:], 1)


def test_what_is_taken_from_a_backlog_is_bounded_by_bytes_and_goes_on_for_ever(
    tmp_path: Path,
) -> None:
    with opened(tmp_path / "b")() as backlog:
        backlog.keep([fix(second) for second in range(10)])
        size = len(fix(9).model_dump_json(exclude_none=True)) + 1
        found = backlog.after(0, 9, 4 * size)
        assert found is not None
        assert [each.at for each in found.fixes] == times(4)
        least = backlog.after(0, 9, 1)
        assert least is not None
        assert [each.at for each in least.fixes] == times(1)


def test_a_file_that_is_no_backlog_is_named(tmp_path: Path) -> None:
    path = tmp_path / "b"
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(OutboxBroken, match=str(path)):
        opened(path)()


# -- how often ----------------------------------------------------------------------------


def due(given: list[OneFix], reporting: Reporting) -> list[float]:
    last: OneFix | None = None
    found = []
    for each in given:
        if is_due(each, last, reporting):
            last = each
            found.append((each.at - NOON).total_seconds())
    return found


STANDS = [fix(second, speed_mps=0.1, north_m=0) for second in range(121)]


def test_one_that_stands_tells_it_rarely() -> None:
    assert due(STANDS, Reporting(1, every_s=2, still_s=50)) == [0, 45, 90]


def test_one_that_sets_out_tells_it_at_once() -> None:
    sets_out = STANDS[:11] + [fix(second, north_m=second - 10) for second in range(11, 21)]
    assert due(sets_out, Reporting(1, every_s=5, still_s=60)) == [0, 11, 16]


def test_without_a_speed_how_far_it_went_tells_whether_it_moves() -> None:
    rides = [fix(second, speed_mps=None) for second in range(9)]
    stands = [fix(second, speed_mps=None, north_m=second % 2) for second in range(9)]
    assert due(rides, Reporting(1, every_s=2, still_s=60)) == [0, 2, 4, 6, 8]
    assert due(stands, Reporting(1, every_s=2, still_s=60)) == [0]


def test_what_is_near_the_last_need_not_be_told() -> None:
    assert due([fix(s) for s in range(13)], Reporting(1, 1, 60, least_m=20)) == [0, 4, 8, 12]


def test_a_clock_that_was_put_back_silences_nobody() -> None:
    back = [fix(3600), fix(3601), fix(0), fix(1)]
    assert due(back, Reporting(1, every_s=10, still_s=600)) == [3600, 0]
