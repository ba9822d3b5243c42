"""Who attends a station, and the alert that stands while nobody does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from schemas.alerts import Alert, AlertKind, Audience, Severity
from schemas.kitchen_requests import Attendance
from services.kitchen import hearing, store, unheard
from services.kitchen.store import Attending, StationNow
from services.runtime import alerts
from services.runtime.context import Context

_REMEMBERED: Final = timedelta(hours=2)
"""What was sent to a display before it left is looked at within this: no patience is as long."""


async def attend(
    context: Context, station: str, attendance: Attendance, epoch: UUID | None
) -> StationNow:
    """Let a device attend; what an older session of its says late changes nothing."""
    now = await store.station_now(context.draft, context.tenant, station)
    known = now.displays.get(context.device) or now.printers.get(context.device)
    before = None if known is None else known["epoch"]
    if epoch is not None and before is not None and epoch < UUID(before):
        return now
    attending = {
        "since": context.now.isoformat(),
        "epoch": None if epoch is None else str(epoch),
        "as": attendance.value,
    }
    displays, printers = dict(now.displays), dict(now.printers)
    displays.pop(context.device, None)
    printers.pop(context.device, None)
    last = attendance is Attendance.LAST_RESORT
    (printers if last else displays)[context.device] = attending
    left = {name: at for name, at in now.left_at.items() if name != context.device}
    return await _keep(context, replace(now, left_at=left), displays, printers)


def that_print(now: StationNow) -> tuple[str, ...]:
    """Who prints what is asked for on paper: a station's own printers, and its last resort."""
    own = {name for name, each in now.displays.items() if each.get("as") == Attendance.PAPER}
    return tuple(sorted(own | now.printers.keys()))


async def leave(context: Context, station: str, device: str) -> StationNow:
    """Take a device off a station, if it attends it."""
    now = await store.station_now(context.draft, context.tenant, station)
    if device not in {*now.displays, *now.printers}:
        return now
    displays = {name: each for name, each in now.displays.items() if name != device}
    printers = {name: each for name, each in now.printers.items() if name != device}
    return await _keep(context, now, displays, printers)


async def close(context: Context, station: str, why: str | None) -> StationNow:
    """Say why a station takes nothing new; None opens it."""
    now = await store.station_now(context.draft, context.tenant, station)
    if now.closed == why:
        return now
    after = replace(now, closed=why)
    store.put_station(context.draft, context.tenant, after)
    await _tell(context, now, after, "the last one")
    return after


async def attending_of(context: Context, station: str, device: str) -> Attending | None:
    """Since when a device attends a station; None where it does not."""
    now = await store.station_now(context.draft, context.tenant, station)
    return now.displays.get(device) or now.printers.get(device)


async def _keep(
    context: Context,
    now: StationNow,
    displays: Mapping[str, Attending],
    printers: Mapping[str, Attending],
) -> StationNow:
    after = replace(
        now, displays=displays, printers=printers, attended=now.attended or bool(displays)
    )
    store.put_station(context.draft, context.tenant, after)
    gone = sorted(now.displays.keys() - displays.keys())
    await _tell(context, now, after, *gone[:1])
    return after


async def _tell(context: Context, before: StationNow, after: StationNow, last: str = "") -> None:
    """Raise or clear the alert that nobody shows the station."""
    was, is_ = _alarming(before), _alarming(after)
    if was == is_:
        return
    name = hearing.alert_name("display-gone", after.station)
    if not is_:
        await alerts.clear(context, name)
        return
    await alerts.raise_(
        context,
        Alert(
            alert=name,
            kind=AlertKind.DISPLAY_GONE,
            severity=Severity.CRITICAL,
            audience=Audience.MANAGERS,
            to=hearing.MANAGERS,
            about=after.station,
            text=hearing.gone_text(after.station, last),
            raised_at=context.now,
        ),
    )


def _alarming(now: StationNow) -> bool:
    """Orders come to it, and nobody would see them."""
    return now.deserted and now.closed is None


async def forget_silence(context: Context, station: str, device: str) -> None:
    """Whoever has left, or was removed, owes nobody a sign; nor of what is looked at later."""
    await unheard.display_heard(context, station, device)
    now = await store.station_now(context.draft, context.tenant, station)
    if now.attended:
        lately = (context.now - _REMEMBERED).isoformat()
        left = {name: at for name, at in now.left_at.items() if at > lately}
        left[device] = context.now.isoformat()
        store.put_station(context.draft, context.tenant, replace(now, left_at=left))
