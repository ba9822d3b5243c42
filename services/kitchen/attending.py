"""Displays and printers come to a station and leave it; stations close and open."""

from __future__ import annotations

from typing import Final

from schemas.devices import Role
from schemas.kitchen_requests import AttendStation, CloseStation, LeaveStation, OpenStation
from schemas.refusals import RefusalCode
from schemas.replies import StationReceipt
from services.kitchen import stations
from services.kitchen.inside import LoseDisplay
from services.kitchen.store import StationNow
from services.runtime.context import Context
from services.runtime.refusal import Refusal
from services.runtime.router import Router
from services.runtime.tables import DEVICES

router: Final = Router()

_MAY_ATTEND: Final = frozenset({Role.KITCHEN_DISPLAY.value, Role.MANAGER.value})
"""Printers are let in as kitchen displays: they show tickets too, on paper."""
_UNSAID: Final = "closed"


@router.on(AttendStation)
async def attend_station(request: AttendStation, context: Context) -> None:
    """From now on the device is one of those that tickets of the station are sent to."""
    device = await context.draft.get(DEVICES, context.tenant, context.device)
    if device is None or device["role"] not in _MAY_ATTEND:
        raise Refusal(
            RefusalCode.NOT_ALLOWED,
            f"{context.device} is no kitchen display: nobody would see the tickets there",
        )
    now = await stations.attend(context, request.station, request.attendance, request.epoch)
    context.answer(_receipt(now))


@router.on(LeaveStation)
async def leave_station(request: LeaveStation, context: Context) -> None:
    """The device shows the station no longer; who attends it not has left it already."""
    now = await stations.leave(context, request.station, context.device)
    await stations.forget_silence(context, request.station, context.device)
    context.answer(_receipt(now))


@router.on(CloseStation)
async def close_station(request: CloseStation, context: Context) -> None:
    """It takes nothing new; what it has it may finish. Closing again changes the reason."""
    now = await stations.close(context, request.station, request.why or _UNSAID)
    context.answer(_receipt(now))


@router.on(OpenStation)
async def open_station(request: OpenStation, context: Context) -> None:
    """It takes orders again."""
    context.answer(_receipt(await stations.close(context, request.station, None)))


@router.on(LoseDisplay)
async def lose_display(request: LoseDisplay, context: Context) -> None:
    """A device that attends is offline or silent: it attends no more, until it says so again."""
    now = await stations.attending_of(context, request.station, request.device)
    if now is not None and now["since"] == request.since:
        await stations.leave(context, request.station, request.device)
    if request.removed:
        await stations.forget_silence(context, request.station, request.device)


def _receipt(now: StationNow) -> StationReceipt:
    return StationReceipt(
        station=now.station,
        closed=now.closed,
        displays=tuple(sorted(now.displays)),
        printers=tuple(sorted(now.printers)),
    )
