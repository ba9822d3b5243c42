"""Which stations a house has: a name that is none is refused, not taken for one at rest."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from cli.failures import Failure
from services.kitchen.store import heads
from services.menu.store import menu_of
from services.runtime import house_rules


async def check_station(connection: AsyncConnection, tenant: str, station: str) -> None:
    """See that a house has this station: by its rules, its menu, or what was made there.

    Raises:
        Failure: it has none of this name; those that it has are named.
    """
    book = (await house_rules.read(connection, tenant)).kitchen
    known = {*book.stations, *(each.station for each in await menu_of(connection, tenant))}
    known |= {now.station for _, now in await heads(connection, tenant)}
    if station not in known:
        only = ", ".join(sorted(known)) or "none yet: heard menu import, or heard station set"
        raise Failure(f"{tenant} has no station {station}, only {only}")
