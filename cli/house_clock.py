"""Times as they stand on screens: by the house's own clock, and as short as they can be."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from cli.application import Application
from services.runtime import house_rules
from services.runtime.database import Database

_WEEK: Final = timedelta(days=6)


def on_screen(at: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """A moment near now: ``19:40``, ``Sun 08:15`` on another day, ``14 Mar 08:15`` far away.

    Args:
        at: the moment, aware.
        now: the time, aware.
        zone: the house's; None is this machine's.
    """
    local, today = at.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{local:%a %H:%M}" if abs(at - now) < _WEEK else f"{local.day} {local:%b %H:%M}"


def zone_of_house(app: Application, tenant: str) -> ZoneInfo:
    """By which clock a house lives; what it says is a zone that is known here."""

    async def read(database: Database) -> str:
        async with database.read() as connection:
            return (await house_rules.read(connection, tenant)).orders.time_zone

    return ZoneInfo(app.run(read))
