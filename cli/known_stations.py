"""Which stations a house has: a name that is none is refused, not taken for one at rest."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from cli.application import Application
from cli.failures import Failure
from services.kitchen.store import heads
from services.menu.store import menu_of
from services.people.store import find_tenant
from services.runtime import house_rules
from services.runtime.database import Database


async def check_station(connection: AsyncConnection, tenant: str, station: str) -> None:
    """See that a house has this station: by its rules, its menu, or what was made there.

    Raises:
        Failure: it has none of this name; those that it has are named.
    """
    book = (await house_rules.read(connection, tenant)).kitchen
    known = {*book.stations, *(each.station for each in await menu_of(connection, tenant))}
    known |= {now.station for _, now in await heads(connection, tenant)}
    if station not in known:
        only = ", ".join(sorted(known)) or f"none yet: heard station set NAME --tenant {tenant}"
        raise Failure(f"{tenant} has no station {station}, only {only}")


def check_asked_station(
    app: Application, tenant: str | None, credentials: Path | None, station: str | None
) -> None:
    """See that a station exists before anything is asked of it, or said to it.

    A device with credentials of its own has no database to look into: it is not held to this.
    A restaurant that is none is refused by whoever asks next.

    Raises:
        Failure: as `check_station`.
    """
    if station is None or tenant is None or credentials is not None:
        return

    async def look(database: Database) -> None:
        async with database.read() as connection:
            if await find_tenant(connection, tenant) is not None:
                await check_station(connection, tenant, station)

    app.run(look)
