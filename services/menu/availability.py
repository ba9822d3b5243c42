"""86: what cannot be had now is off every screen, and comes back by itself.

What the stock says, what somebody says and what the clock says are decided on here, in the
transaction of what caused it; every item that stands differently afterwards is told anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from schemas.menu import MenuItem, RestoreItem, SellOut
from schemas.refusals import RefusalCode
from schemas.replies import ItemReceipt
from services.menu.inside import EndSellOut, ShowItems
from services.menu.offering import Standing, gone_of, modifiers_of, offered
from services.menu.offers import Offers, offers_of
from services.menu.store import MENU_AVAILABILITY, standing_of, to_standing, zone_of_house
from services.runtime.context import Context
from services.runtime.facts import WITH, PortionsLeft
from services.runtime.refusal import Refusal
from services.runtime.rights import whose_screen
from services.runtime.router import Router
from services.runtime.work import Row

router: Final = Router()

_LONGEST: Final = 120


@router.during(PortionsLeft)
async def count_down(fact: PortionsLeft, context: Context) -> None:
    """Say how many are left; what cannot be made any more cannot be ordered."""
    tenant, draft = context.tenant, context.draft
    left: dict[str, int | None] = dict(fact.left)
    if fact.known is not None:
        kept = MENU_AVAILABILITY.c
        query = select(kept.item).where(kept.tenant == tenant, kept.left.is_not(None))
        scarce = await draft.work.connection.scalars(query)
        left = dict.fromkeys(set(scarce) - set(fact.known)) | left
    await draft.work.fetch(MENU_AVAILABILITY, [(tenant, name) for name in left])
    before: dict[str, Standing] = {}
    for name, n in left.items():
        row = await draft.get(MENU_AVAILABILITY, tenant, name)
        runs_out = fact.runs_out.get(name, "")[:_LONGEST] or None if n == 0 else None
        was = (None, None) if row is None else (row["left"], row["runs_out"])
        if was != (n, runs_out):
            before[name] = to_standing(row)
            _keep(context, name, row, left=n, runs_out=runs_out)
    if before:
        await _tell(context, before, *before)


@router.on(SellOut)
async def sell_out(request: SellOut, context: Context) -> None:
    """Somebody takes it off: it cannot be ordered, until a time or until it is restored."""
    name = _name(request)
    offers = await _on_the_menu(context, name)
    if request.until is not None and request.until <= context.now:
        raise Refusal(
            RefusalCode.INVALID, f"{request.until.isoformat()} is over: name a later time"
        )
    row = await context.draft.get(MENU_AVAILABILITY, context.tenant, name)
    by = request.person or await whose_screen(context) or context.device
    _keep(context, name, row, reason=request.reason, back_at=request.until, by=by)
    await _tell(context, {name: to_standing(row)}, name, offers=offers)
    context.answer(await _receipt(context, name, offers))


@router.on(RestoreItem)
async def restore(request: RestoreItem, context: Context) -> None:
    """It can be had again, as far as the stock and the hours allow; that it could is no fault."""
    name = _name(request)
    offers = await _on_the_menu(context, name)
    await _end(context, name, offers)
    context.answer(await _receipt(context, name, offers))


@router.on(EndSellOut)
async def end_sell_out(request: EndSellOut, context: Context) -> None:
    """The time is up; where somebody has named another since, that one holds."""
    row = await context.draft.get(MENU_AVAILABILITY, context.tenant, request.name)
    if row is not None and row["back_at"] == request.back_at <= context.now:
        await _end(context, request.name)


@router.on(ShowItems)
async def show_items(request: ShowItems, context: Context) -> None:
    """Tell how items can be had, whatever was told before."""
    offers = await offers_of(context.draft, context.tenant)
    names: Iterable[str] = request.items
    if not names:
        mine = MENU_AVAILABILITY.c.tenant == context.tenant
        query = select(MENU_AVAILABILITY.c.item).where(mine)
        standing = await context.draft.work.connection.scalars(query)
        concerned = {item for name in standing for item in offers.concerned(name)}
        names = concerned | set(offers.by_hours)
    items = [offers.items[name] for name in sorted(names) if name in offers.items]
    await _read_ahead(context, items)
    for item in items:
        await context.emit(await _shown(context, item))


# -- inside -----------------------------------------------------------------------------------


def _name(request: SellOut | RestoreItem) -> str:
    return WITH + request.item if request.modifier else request.item


async def _on_the_menu(context: Context, name: str) -> Offers:
    offers = await offers_of(context.draft, context.tenant)
    if not offers.has(name):
        what = name.removeprefix(WITH)
        kind = "nothing on the menu has a modifier" if what != name else "not on the menu:"
        raise Refusal(RefusalCode.UNKNOWN_ITEM, f"{kind} {what}")
    return offers


def _keep(context: Context, name: str, before: Row | None, **changes: Any) -> None:
    row = {
        "tenant": context.tenant,
        "item": name,
        "left": None,
        "runs_out": None,
        "reason": None,
        "back_at": None,
        "by": None,
        **(before or {}),
        "version": 1 if before is None else before["version"] + 1,
        "changed_at": context.now,
        **changes,
    }
    context.draft.put(MENU_AVAILABILITY, row)


async def _end(context: Context, name: str, offers: Offers | None = None) -> None:
    row = await context.draft.get(MENU_AVAILABILITY, context.tenant, name)
    if row is None or row["reason"] is None:
        return
    _keep(context, name, row, reason=None, back_at=None, by=None)
    # Told whatever it is: by the clock it may be over already, and the screens do not know.
    await _tell(context, None, name, offers=offers)


async def _tell(
    context: Context,
    before: Mapping[str, Standing] | None,
    *names: str,
    offers: Offers | None = None,
) -> None:
    """Tell of every item that is shown differently now.

    Args:
        context: of the decision.
        before: how those stood that stand differently now; None tells all that are concerned.
        names: of those.
        offers: the menu, where it was read already.
    """
    if offers is None:
        offers = await offers_of(context.draft, context.tenant)
    told = [name for name in names if await _is_shown(context, name, before)]
    concerned = sorted({item for name in told for item in offers.concerned(name)})
    items = [offers.items[name] for name in concerned]
    await _read_ahead(context, items)
    for item in items:
        now = await _shown(context, item)
        if before is None or now != await _shown(context, item, before):
            await context.emit(now)


async def _is_shown(context: Context, name: str, before: Mapping[str, Standing] | None) -> bool:
    """Whether it shows that this stands differently: of a modifier, only whether it is gone.

    It may go with every dish of a large menu, and is counted down with every order.
    """
    if before is None or not name.startswith(WITH):
        return True
    now = await standing_of(context.draft, context.tenant, name)
    return now.is_gone(context.now) != before[name].is_gone(context.now)


async def _read_ahead(context: Context, items: Collection[MenuItem]) -> None:
    names = {item.item for item in items}
    names |= {WITH + each for item in items for each in modifiers_of(item.groups)}
    keys = [(context.tenant, name) for name in sorted(names)]
    await context.draft.work.fetch(MENU_AVAILABILITY, keys)


async def _shown(
    context: Context, item: MenuItem, before: Mapping[str, Standing] | None = None
) -> MenuItem:
    """How an item can be had now; or could be, before some stood differently."""
    standings: dict[str, Standing] = {}
    for name in {item.item, *(WITH + each for each in modifiers_of(item.groups))}:
        known = None if before is None else before.get(name)
        standings[name] = (
            await standing_of(context.draft, context.tenant, name) if known is None else known
        )
    at: datetime = context.now
    gone = gone_of(item, standings, at)
    zone = await zone_of_house(context.draft, context.tenant)
    return offered(item, standings[item.item], gone, at=at, zone=zone)


async def _receipt(context: Context, name: str, offers: Offers) -> ItemReceipt:
    if name in offers.items:
        item = await _shown(context, offers.items[name])
        return ItemReceipt(
            item=item.item,
            available=item.available,
            left=item.left,
            why=item.why,
            back_at=item.back_at,
        )
    standing = await standing_of(context.draft, context.tenant, name)
    off = standing.is_off(context.now)
    return ItemReceipt(
        item=name.removeprefix(WITH),
        available=not standing.is_gone(context.now),
        left=standing.left,
        why=(standing.reason or "") if off else "",
        back_at=standing.back_at if off else None,
    )
