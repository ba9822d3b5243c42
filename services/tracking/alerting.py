"""Alerts of vehicles and their trackers: raised once for each time that it lasts."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from schemas.alerts import Alert, AlertKind, Audience, Severity
from services.runtime import alerts, house_rules
from services.runtime.context import Context
from services.runtime.router import Router
from services.runtime.wall_clock import zone_of
from services.tracking.inside import TrackerFound

router: Final = Router()

_KMH: Final = 3.6


@router.on(TrackerFound)
async def follow_tracker(request: TrackerFound, context: Context) -> None:
    """Bring one alert of a vehicle to what was found."""
    name = alerts.name_of(request.kind.value, request.vehicle)
    if not request.stands:
        await alerts.clear(context, name)
        return
    if await alerts.standing(context.draft, context.tenant, name) is not None:
        return
    orders = await house_rules.order_rules(context.draft, context.tenant)
    alert = Alert(
        alert=name,
        kind=request.kind,
        severity=Severity.LOW,
        audience=Audience.MANAGERS,
        to="managers",
        about=request.vehicle,
        text=said(request, zone_of(orders.time_zone)),
        raised_at=context.now,
    )
    await alerts.raise_(context, alert)


def said(found: TrackerFound, zone: tzinfo) -> str:  # noqa: PLR0911 - one for each kind
    """What stands there for people: what is wrong, and what to do."""
    who, since = found.vehicle, f"{found.since.astimezone(zone):%H:%M}"
    amount = found.amount
    match found.kind:
        case AlertKind.TRACKER_SILENT:
            left = "" if amount is None else f" Its battery had {amount:.0%} left."
            said = "has said nothing that shows where it is"
            return f"{who} {said} since {since}.{left} Call whoever carries it."
        case AlertKind.LOW_BATTERY:
            return f"{who} has {amount or 0:.0%} of its battery left. It needs power."
        case AlertKind.OFF_ROUTE:
            away = "" if amount is None else f", {amount / 1000:.1f} km from its next door"
            return f"{who} goes away from where it has to{away}. Ask its courier."
        case AlertKind.LONG_DWELL:
            return f"{who} has food in the bag and stands since {since}, at no door. Ask."
        case AlertKind.SPEEDING:
            return f"{who} rode at {(amount or 0) * _KMH:.0f} km/h at {since}. Faster than it may."
        case AlertKind.ZONE_LEFT:
            return f"{who} left {found.where or 'its area'} at {since}. It should stay there."
        case _:
            return f"{who}: {found.kind.value} since {since}."
