"""A tracker that was away tells all that it kept: none of it is lost on the way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devices import gps_tracker
from devices.gps_tracker import GpsTracker
from schemas.devices import Role
from schemas.positions import OneFix
from services.tracking.tables import FIXES
from tests.patience import PATIENCE_S
from tests.services.limited import hold
from tests.system import RunningTenant, until

MOST = 5_000
"""A tenth of what a tracker holds, at limits that are lower to fit."""
LIMITS = {"bytes_per_s": 50_000.0, "bytes_burst": 100_000}


def half_a_day(count: int) -> list[OneFix]:
    """A ride that ends now, with figures as long as a phone has them."""
    now = datetime.now(UTC)
    return [
        OneFix(
            at=now - timedelta(seconds=count - number),
            lat=60.17 + 1e-5 * number + 1 / 3e6,
            lon=24.94 + 1 / 3e6,
            accuracy_m=12.345000267028809,
            speed_mps=1.1100000143051147,
            heading_deg=0.3333333432674408,
            battery=0.8199999928474426,
        )
        for number in range(count)
    ]


def told_whole(tenant: RunningTenant, held: Path, fixes: Sequence[OneFix]) -> dict[str, int]:
    """Have a tracker that was away tell these; what the line counted meanwhile, by its name."""
    options = tenant.options(Role.TRACKER)
    hold(tenant, options["device"], Role.TRACKER, **LIMITS)
    line = tenant.system.served.line
    before = line.counts.copy()
    address = tenant.system.broker.address
    phone = GpsTracker(address.host, address.port, backlog=held, **options)
    phone.report_many(fixes)
    with phone:
        assert phone.wait_told(3 * PATIENCE_S)
        until(lambda: tenant.count(FIXES) >= len(fixes), "every position", 3 * PATIENCE_S)
    assert [row["at"] for row in tenant.rows(FIXES)] == [each.at for each in fixes]
    return {name: line.counts[name] - before[name] for name in ("held back", "limited")}


def test_a_backlog_that_comes_faster_than_it_may_is_kept_whole(
    tenant: RunningTenant, tmp_path: Path
) -> None:
    """Whatever makes a tracker is of: all of it at once, many times what it may send."""
    counts = told_whole(tenant, tmp_path / "b", half_a_day(MOST))
    assert counts["held back"] > 0
    assert counts["limited"] == 0


def test_a_tracker_of_ours_sends_no_faster_than_it_may(
    tenant: RunningTenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gps_tracker, "_BURST_BYTES", LIMITS["bytes_burst"] // 2)
    monkeypatch.setattr(gps_tracker, "_BYTES_PER_S", int(LIMITS["bytes_per_s"] * 0.75))
    counts = told_whole(tenant, tmp_path / "b", half_a_day(MOST // 2))
    assert counts == {"held back": 0, "limited": 0}
