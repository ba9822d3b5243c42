"""How each kind of order is taken: by hand, by the load, and back by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.devices import Role
from schemas.kitchen_pace import ChannelState, Intake, PauseChannel, ResumeChannel
from schemas.kitchen_rules import KitchenRules
from schemas.orders import Order, OrderKind, OrderPlaced, OrderStatus
from schemas.refusals import RefusalCode
from schemas.replies import ChannelReceipt
from services.kitchen import channels_store, store, throttling
from services.kitchen.inside import AdjustIntakes
from services.kitchen.throttling import Load, Standing
from services.runtime.context import Context, Outgoing, outgoing
from services.runtime.facts import ChannelHeld
from services.runtime.house_rules import kitchen_rules
from services.runtime.ports import ChannelClosed
from services.runtime.refusal import Refusal
from services.runtime.router import Router
from services.runtime.tables import DEVICES
from services.runtime.work import Draft

MOST_WORDS: Final = 240
"""So long a refusal's words are."""
router: Final = Router()

_MAY_PAUSE: Final = frozenset({Role.MANAGER.value, Role.POS.value})


@router.during(OrderPlaced)
async def refuse_what_is_paused(placed: OrderPlaced, context: Context) -> None:
    """Take no order of a kind that is paused; one for later is another time's matter.

    Raises:
        Refusal: `channel-paused`, with why and until when.
    """
    order = placed.order
    if _is_for_later(order):
        return
    why = await closed(context.draft, context.tenant, order.kind, context.now)
    if why is not None:
        raise Refusal(RefusalCode.CHANNEL_PAUSED, why.text)


async def closed(
    draft: Draft, tenant: str, channel: OrderKind, at: datetime
) -> ChannelClosed | None:
    """See `services.runtime.ports.KitchenPort.closed`."""
    now = await channels_store.standing(draft, tenant, channel)
    if now is None or now.intake is not Intake.PAUSED:
        return None
    by_hand = now.by_hand and (now.until is None or at < now.until)
    if now.by_hand and not by_hand and now.held is None:
        return None  # it is over: only the timer has not said so yet
    rules = (await kitchen_rules(draft, tenant)).throttle
    if by_hand:
        ends = "until it is resumed" if now.until is None else f"until {_clock(now.until)}"
    elif now.held is not None:
        return ChannelClosed(now.held[:MOST_WORDS], now.held)
    elif rules is None:
        return None
    else:
        ends = f"until there is room (below {throttling.percent(rules.resume_at)})"
    text = f"{channel} orders are paused {ends}: {now.why}"
    return ChannelClosed(text[:MOST_WORDS], now.held)


@router.during(ChannelHeld)
async def hold_channel(fact: ChannelHeld, context: Context) -> None:
    """Another area holds a kind of order, or lets go of it."""
    before = await channels_store.standing(context.draft, context.tenant, fact.channel)
    if (None if before is None else before.held) == fact.why:
        return
    rules = (await kitchen_rules(context.draft, context.tenant)).throttle
    after = throttling.hold(fact.channel, fact.why, before, rules, context.now)
    await _keep(context, fact.channel, after)


async def fill(context: Context, book: KitchenRules, station: str, work_s: int) -> None:
    """A station has come to so much work in this quarter: say what channels take from now on."""
    load = Load(throttling.share_of(book, station, work_s), station)
    for channel in OrderKind:
        known = await channels_store.standing(context.draft, context.tenant, channel)
        # What is emptier than the fullest says nothing of that; the timer looks at all.
        if known is None or load.share > known.load.share:
            await _tell(context, channel, book, load, known)


@router.on(PauseChannel)
async def pause_channel(request: PauseChannel, context: Context) -> None:
    """Take no more of a kind of order, for a while or until it is resumed."""
    before = await _asked_of(request.channel, context)
    book = await kitchen_rules(context.draft, context.tenant)
    until = None if request.for_s is None else context.now + timedelta(seconds=request.for_s)
    after = throttling.pause(request.why, until, before, book.throttle, context.now)
    await _keep(context, request.channel, after)
    context.answer(_receipt(request.channel, after))


@router.on(ResumeChannel)
async def resume_channel(request: ResumeChannel, context: Context) -> None:
    """Take orders of a kind again; what the load says holds from then on.

    Raises:
        Refusal: `wrong-state`, where nobody has paused it by hand.
    """
    before = await _asked_of(request.channel, context)
    if before is None or not before.by_hand:
        stands = "open" if before is None else f"{before.intake} ({before.why})"
        raise Refusal(
            RefusalCode.WRONG_STATE, f"{request.channel} was not paused by hand: it is {stands}"
        )
    book = await kitchen_rules(context.draft, context.tenant)
    after = throttling.resume(request.channel, before, book.throttle, context.now)
    await _keep(context, request.channel, after)
    context.answer(_receipt(request.channel, after))


@router.on(AdjustIntakes)
async def adjust_intakes(request: AdjustIntakes, context: Context) -> None:
    """Say anew how orders are taken, by the load of all stations."""
    draft, tenant = context.draft, context.tenant
    book = await kitchen_rules(draft, tenant)
    work_s = {}
    await store.prepare_stations(draft, {(tenant, each) for each in request.stations})
    for station in request.stations:
        booked = await channels_store.booked(draft, tenant, station, context.now)
        on_the_line = (await store.station_now(draft, tenant, station)).work_s
        work_s[station] = max(on_the_line, booked or 0)
    load = throttling.fullest(book, work_s)
    for channel in OrderKind:
        before = await channels_store.standing(draft, tenant, channel)
        await _tell(context, channel, book, load, before)


@router.state
async def channel_states(connection: AsyncConnection, tenant: str, now: datetime) -> list[Outgoing]:
    """What stands retained on the broker: each kind of order of which anything was said."""
    return [
        outgoing(_state(channel, each), tenant=tenant, now=now)
        for channel, each in (await channels_store.standings(connection, tenant)).items()
    ]


async def _tell(
    context: Context, channel: OrderKind, book: KitchenRules, load: Load, before: Standing | None
) -> None:
    after = throttling.decide(channel, book.throttle, load, before, context.now)
    if throttling.differs(before, after):
        await _keep(context, channel, after)


async def _keep(context: Context, channel: OrderKind, now: Standing) -> None:
    await channels_store.put(context.draft, context.tenant, channel, now)
    await context.emit(_state(channel, now))


def _receipt(channel: OrderKind, now: Standing) -> ChannelReceipt:
    return ChannelReceipt(
        channel=channel, intake=now.intake, quoted_s=now.quoted_s, why=now.why, until=now.until
    )


async def _asked_of(channel: OrderKind, context: Context) -> Standing | None:
    """How the channel stands that somebody asks to pause or resume.

    Raises:
        Refusal: `not-allowed`, where it is not the asker's to say.
    """
    device = await context.draft.get(DEVICES, context.tenant, context.device)
    if device is None or device["role"] not in _MAY_PAUSE:
        raise Refusal(
            RefusalCode.NOT_ALLOWED, "to pause and resume orders is for tills and managers"
        )
    return await channels_store.standing(context.draft, context.tenant, channel)


def _is_for_later(order: Order) -> bool:
    return order.due_at is not None and order.status is OrderStatus.PLACED


def _state(channel: OrderKind, now: Standing) -> ChannelState:
    return ChannelState(
        channel=channel,
        intake=now.intake,
        quoted_s=now.quoted_s,
        load=round(now.load.share, 3),
        station=now.load.station,
        why=now.why,
        by_hand=now.by_hand,
        until=now.until,
        since=now.since,
    )


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}Z"
