"""Lots that do not keep much longer: somebody is told, once, until they are used up."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

from schemas.alerts import Alert, AlertKind, Audience, Severity
from schemas.inventory import StockItem
from services.inventory.books import book_of
from services.inventory.expiry_store import OldLot, old_lots, standing_alerts
from services.inventory.inside import ReviewLots
from services.inventory.units import rounded, text
from services.runtime import alerts, house_rules
from services.runtime.context import Context
from services.runtime.router import Router
from services.runtime.wall_clock import zone_of

router: Final = Router()


@router.on(ReviewLots)
async def review_lots(request: ReviewLots, context: Context) -> None:
    """Bring the alerts of some items' lots to how these stand now."""
    book = await book_of(context.draft, context.tenant)
    if book is None:
        return
    rules = await house_rules.stock_rules(context.draft, context.tenant)
    orders = await house_rules.order_rules(context.draft, context.tenant)
    today = context.now.astimezone(zone_of(orders.time_zone)).date()
    connection = context.draft.work.connection
    until = today + timedelta(days=rules.expiry_warning_days)
    old = await old_lots(connection, context.tenant, until, request.items)
    wanted = names_of(old, today)
    for alert in await standing_alerts(connection, context.tenant, request.items):
        if alert.alert not in wanted:
            await alerts.clear(context, alert.alert)
    for name, lot in wanted.items():
        item = book.items.get(lot.item)
        if item is not None and await alerts.standing(context.draft, context.tenant, name) is None:
            await alerts.raise_(context, _made(context, name, item, lot, today))


def names_of(lots: Iterable[OldLot], today: date) -> dict[str, OldLot]:
    """The alerts that should stand of lots, by name; a lot keeps until the end of its day."""
    found = {}
    for lot in lots:
        kind = AlertKind.EXPIRED if lot.expires_on < today else AlertKind.EXPIRING
        found[f"{kind}-{lot.lot_id.hex}"] = lot
    return found


def _made(context: Context, name: str, item: StockItem, lot: OldLot, today: date) -> Alert:
    left = text(rounded(lot.left), item.unit)
    gone = lot.expires_on < today
    if gone:
        said = f"{item.name}: {left} at {lot.place} expired on {lot.expires_on}. Throw it away."
    else:
        when = "today" if lot.expires_on == today else f"on {lot.expires_on}"
        said = f"{item.name}: {left} at {lot.place} expires {when}. Use it first."
    return Alert(
        alert=name,
        kind=AlertKind.EXPIRED if gone else AlertKind.EXPIRING,
        severity=Severity.CRITICAL if gone else Severity.LOW,
        audience=Audience.MANAGERS,
        to="managers",
        about=item.item,
        text=said,
        raised_at=context.now,
    )
