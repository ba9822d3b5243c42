"""Alerts of thermometers: raised once for each time that it lasts, and cleared by what ends it."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from schemas.alerts import Alert, AlertKind, Audience, Severity
from schemas.sensors import SensorRules
from services.inventory.inside import SensorFound
from services.runtime import alerts, house_rules
from services.runtime.context import Context
from services.runtime.router import Router
from services.runtime.wall_clock import zone_of

router: Final = Router()


@router.on(SensorFound)
async def follow_sensor(request: SensorFound, context: Context) -> None:
    """Bring one alert of a thermometer to what was found."""
    name = alerts.name_of(request.kind.value, request.sensor)
    house = await house_rules.stock_rules(context.draft, context.tenant)
    sensor = house.sensors.get(request.sensor)
    if sensor is None or not request.stands:
        await alerts.clear(context, name)
        return
    if await alerts.standing(context.draft, context.tenant, name) is not None:
        return
    orders = await house_rules.order_rules(context.draft, context.tenant)
    said = _said(request, sensor, zone_of(orders.time_zone))
    alert = Alert(
        alert=name,
        kind=request.kind,
        severity=Severity.CRITICAL,
        audience=Audience.MANAGERS,
        to="managers",
        about=request.sensor,
        text=said,
        raised_at=context.now,
    )
    await alerts.raise_(context, alert)


def _said(found: SensorFound, sensor: SensorRules, zone: tzinfo) -> str:
    since = f"{found.since.astimezone(zone):%H:%M}"
    if found.kind is AlertKind.SENSOR_SILENT:
        return (
            f"{sensor.name}: its thermometer has said nothing since {since}. "
            "Look at one by hand, then at its battery and its network."
        )
    reads = "" if found.celsius is None else f"{found.celsius:.1f} °C, "
    limits = {"below": sensor.least, "above": sensor.most}
    named = " or ".join(f"{how} {limit:g} °C" for how, limit in limits.items() if limit is not None)
    return f"{sensor.name}: {reads}{named} since {since}. See to what is in it."
