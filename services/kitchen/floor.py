"""How the stations stand, for whoever has to choose between them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from schemas.kitchen import TicketStatus
from schemas.kitchen_rules import KitchenRules
from schemas.orders import Order
from services.kitchen import routing, store
from services.kitchen.routing import Floor, Standing
from services.kitchen.store import StationNow
from services.runtime.house_rules import order_rules
from services.runtime.wall_clock import zone_of
from services.runtime.work import Draft

_LEFT = frozenset({TicketStatus.CANCELLED.value, TicketStatus.MOVED.value})


async def floor_of(
    draft: Draft,
    tenant: str,
    book: KitchenRules,
    order: Order,
    chosen: Collection[int] | None = None,
    *,
    now: datetime,
) -> Floor | None:
    """What the choice of stations for an order's lines rests on.

    None where the rules of the house leave no choice: then nothing is read for it.

    Args:
        draft: what decides, or looks.
        tenant: whose kitchen.
        book: the kitchen's rules.
        order: whose lines are to be shared out.
        chosen: the numbers of the lines, where they came later than the others.
        now: when they come to the kitchen.
    """
    if routing.is_plain(book):
        return None
    wanted = routing.in_question(book, {line.station for line in order.lines})
    await store.prepare_stations(draft, {(tenant, each) for each in wanted})
    stations = {}
    for name in wanted:
        station = await store.station_now(draft, tenant, name)
        stations[name] = Standing(station.work_s, away(station))
    at: set[str] = set()
    if chosen is not None and routing.has_groups(book):
        rows = await store.rows_of(draft, tenant, order.order_id)
        at = {row["station"] for row in rows if row["status"] not in _LEFT}
    local = now
    if routing.asks_the_time(book):
        local = on_the_wall(local, (await order_rules(draft, tenant)).time_zone)
    return Floor(book, local, stations, at)


def away(now: StationNow) -> str | None:
    """Why a station takes nothing new; None where it does."""
    return now.closed or ("its displays are gone" if now.deserted else None)


def on_the_wall(at: datetime, time_zone: str) -> datetime:
    """The time that the house's own clock shows; UTC where its zone is not known here."""
    return at.astimezone(zone_of(time_zone))
