"""What the dispatcher would do now, reckoned from the rows for whoever looks."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cli.failures import Failure
from cli.known_houses import the_house
from schemas.delivery_rules import DeliveryRules
from schemas.dispatch import DispatchState
from services.delivery.dispatching import showing
from services.delivery.dispatching.dispatcher import Planned, plan_of
from services.delivery.dispatching.reading import Sources, fleets_of, read_houses
from services.delivery.rulebooks import RuleBooks
from services.kitchen.ready_times import ready_times
from services.runtime import house_rules
from services.runtime.database import Database
from services.tracking.whereabouts import StoredWhereabouts


class Looked(NamedTuple):
    """A house, the fleet that it is of, and the plan as it would be now."""

    zone: ZoneInfo
    rules: DeliveryRules
    planned: Planned

    def state(self, tenant: str) -> DispatchState:
        """What of the plan concerns a house."""
        planned = self.planned
        house = next(each for each in planned.houses if each.tenant == tenant)
        return showing.state_of(
            house, planned.plan, planned.situation, planned.stops, planned.waits
        )


async def look(database: Database, tenant: str, now: datetime) -> Looked:
    """Plan a house's fleet as it is now; nobody is asked. Ways are straight lines here.

    Raises:
        Unknown: there is no such house.
        Failure: nobody has said where it is.
    """
    async with database.read() as connection:
        zone = await the_house(connection, tenant)
        mine = (await house_rules.read(connection, tenant)).delivery
        if mine.place is None:
            raise Failure(
                f"nobody has said where {tenant} is: heard delivery rules set --tenant {tenant} "
                "place=LAT,LON"
            )
        books = RuleBooks()
        await books.read(connection)
        with_us = books.rules
        # As it would be planned if it were: a plan asks nobody.
        with_us[tenant] = mine.model_copy(update={"automatic": True})
        fleets = fleets_of(with_us)
        fleet = next(houses for houses in fleets.values() if tenant in houses)
        sources = Sources(ready_times, StoredWhereabouts())
        houses = await read_houses(connection, {t: with_us[t] for t in fleet}, sources, now)
    return Looked(zone, mine, plan_of(houses, now))
