"""What runs out before it can be there again, as it is used: told while something can be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from schemas.alerts import Alert, AlertKind, Audience, Severity
from schemas.suppliers import Supplier
from services.inventory.arrivals import next_two
from services.inventory.books import book_of
from services.inventory.forecast import Profile, lasts_until
from services.inventory.inside import StockOutSeen
from services.inventory.suggesting import OnItsWay
from services.inventory.units import rounded, text
from services.runtime import alerts, house_rules
from services.runtime.context import Context
from services.runtime.router import Router
from services.runtime.wall_clock import zone_of

router: Final = Router()

COMES_BY: Final = time(12)
"""Deliveries come in the morning. What has not come by noon is not relied on any more."""
SPARE: Final = 0.1
"""An alert is over only when there is so much more than is needed."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """Until when an item has to last, and whether it does.

    Attributes:
        until: when it can be there again.
        ordered: whether it was ordered; else that is so if it is ordered tomorrow at the latest.
        runs_out_at: in which hour it runs out before; None where it lasts.
    """

    until: datetime
    ordered: bool
    runs_out_at: datetime | None


def outlook(
    amount: int,
    profile: Profile,
    *,
    coming: Sequence[OnItsWay],
    supplier: Supplier,
    now: datetime,
    zone: ZoneInfo,
    stands: bool = False,
) -> Outlook:
    """Look ahead for one item.

    Args:
        amount: what is on hand and whole, in thousandths of its base unit.
        profile: how it is used.
        coming: what is ordered of it.
        supplier: who sells it.
        now: the time.
        zone: the house's clock.
        stands: whether an alert stands: then it has to last by more than a hair.
    """
    until, ordered = _relied_on(coming, supplier, now, zone)
    counts = round(amount * (1 - SPARE)) if stands else amount
    return Outlook(until, ordered, lasts_until(profile, now, max(0, counts), until))


def _relied_on(
    coming: Sequence[OnItsWay], supplier: Supplier, now: datetime, zone: ZoneInfo
) -> tuple[datetime, bool]:
    today = now.astimezone(zone).date()
    first, later = next_two(supplier, today)
    times = [_noon(each.expected_on or first, zone) for each in coming]
    ahead = [at for at in times if at > now]
    if ahead:
        return min(ahead), True
    # Who orders tomorrow gets it on the later day: what does not last so long is ordered today.
    return _noon(later, zone), False


def _noon(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, COMES_BY, zone).astimezone(UTC)


@router.on(StockOutSeen)
async def follow_outlook(request: StockOutSeen, context: Context) -> None:
    """Bring the alert of an item that runs out to what was seen."""
    name = alerts.name_of(AlertKind.STOCK_OUT.value, request.item)
    book = await book_of(context.draft, context.tenant)
    item = None if book is None else book.items.get(request.item)
    if item is None or request.runs_out_at is None:
        await alerts.clear(context, name)
        return
    if await alerts.standing(context.draft, context.tenant, name) is not None:
        return
    orders = await house_rules.order_rules(context.draft, context.tenant)
    zone = zone_of(orders.time_zone)
    left = text(rounded(request.left), item.unit)
    out = f"{request.runs_out_at.astimezone(zone):%a %H:00}"
    there = f"{request.until.astimezone(zone):%a %d %b}"
    if request.ordered:
        what = f"what is ordered comes on {there}. Ask for it earlier, or buy some"
    else:
        what = f"ordered tomorrow it comes on {there}. Order it today"
    alert = Alert(
        alert=name,
        kind=AlertKind.STOCK_OUT,
        severity=Severity.LOW,
        audience=Audience.MANAGERS,
        to="managers",
        about=item.item,
        text=f"{item.name}: {left} left, which is used up about {out}; {what}.",
        raised_at=context.now,
    )
    await alerts.raise_(context, alert)
