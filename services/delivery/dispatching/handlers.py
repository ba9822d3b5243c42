"""What is decided for the dispatcher, and what people say to it.

The dispatcher plans from rows that it read a moment ago. So each of its requests names the versions
that it saw, and is refused where one is another by now: of two planners, or a planner and a person,
whoever comes second does nothing, and plans again.
"""

from __future__ import annotations

from typing import Final

from schemas.alerts import Alert, AlertKind, Audience
from schemas.deliveries import OPEN_DELIVERY, WITH_COURIER, DeliveryStatus, DeliveryStep
from schemas.delivery_requests import PinDelivery, SetDuty
from schemas.refusals import RefusalCode
from schemas.replies import DeliveryReceipt
from services.delivery import couriers, moving, rules, store
from services.delivery.asking import Asker, check_house, who_asks
from services.delivery.dispatching.inside import AskAgain, AskCourier, NobodyBrings, Seen, TakeBack
from services.delivery.kept import Kept
from services.runtime import alerts
from services.runtime.context import Context
from services.runtime.facts import DeliveryMoved
from services.runtime.refusal import Refusal
from services.runtime.router import Router

router: Final = Router()
_WAITS: Final = frozenset({DeliveryStatus.WAITING, DeliveryStatus.ASSIGNED})
"""Nobody has said yet that they bring it."""
_TO_BE_BROUGHT: Final = OPEN_DELIVERY | {DeliveryStatus.RETURNED}


# -- what people say --------------------------------------------------------------------------


@router.on(PinDelivery)
async def pin_delivery(request: PinDelivery, context: Context) -> None:
    """Have this courier alone be asked, or whoever is best; twice changes nothing.

    Raises:
        Refusal: `not-found`, of the order or of the courier; `wrong-state`, where it has ended.
    """
    await check_house(context)
    kept = await store.load(context, request.order_id)
    if request.courier is not None:
        await couriers.load(context, request.courier)
    delivery = kept.delivery
    if delivery.status not in _TO_BE_BROUGHT:
        raise Refusal(
            RefusalCode.WRONG_STATE,
            f"the delivery of {delivery.number} is {delivery.status}: nobody is asked for it",
        )
    # Who pins it to somebody who has declined it has talked to them.
    declined = tuple(each for each in delivery.declined_by if each != request.courier)
    if (delivery.pinned, delivery.declined_by) == (request.courier, declined):
        context.answer(DeliveryReceipt(delivery=delivery))
        return
    changes = {
        "pinned": request.courier,
        "declined_by": declined,
        "version": delivery.version + 1,
    }
    await moving.changed(context, kept.with_(delivery.model_copy(update=changes)), None)


@router.on(SetDuty)
async def set_duty(request: SetDuty, context: Context) -> None:
    """Ask a courier from now on, or not any more.

    Raises:
        Refusal: `not-found`, `not-allowed`; `time-passed`, where the shift has ended already.
    """
    asker = await who_asks(context)
    row = await couriers.seek(context, request.courier)
    mine = asker is Asker.COURIER and row is not None and row["device"] == context.device
    if asker is not Asker.HOUSE and not mine:
        raise Refusal(RefusalCode.NOT_ALLOWED, "this is for that courier or the house to say")
    row = await couriers.load(context, request.courier)
    if request.on_duty and request.until is not None and request.until <= context.now:
        raise Refusal(
            RefusalCode.TIME_PASSED,
            f"that shift has ended already: name a time to come, or none for {request.courier} to "
            "work until they say",
        )
    until = request.until if request.on_duty else None
    if (row["on_duty"], row["until"]) != (request.on_duty, until):
        who, stops = couriers.courier_of(row), couriers.stops_of(row)
        row = await couriers.put(context, who, stops, duty=(request.on_duty, until))
    context.answer(couriers.receipt(row))


# -- what the dispatcher asks -----------------------------------------------------------------


@router.on(AskCourier)
async def ask_courier(request: AskCourier, context: Context) -> None:
    """Ask a courier to bring a trip's orders.

    Raises:
        Refusal: `stale-version`, where anything is another than the plan saw it, or an order of
            it is not to be brought by anybody.
    """
    row = await couriers.load(context, request.courier)
    if row["version"] != request.courier_version or not row["on_duty"]:
        raise Refusal(RefusalCode.STALE_VERSION, f"{request.courier} has other things to do by now")
    stops = couriers.stops_of(row)
    for seen in request.orders:
        kept = await _as_seen(context, seen)
        if kept.delivery.status is not DeliveryStatus.WAITING:
            raise Refusal(
                RefusalCode.STALE_VERSION,
                f"{kept.delivery.number} is {kept.delivery.status}: it waits for nobody",
            )
        stops = rules.with_stop(stops, seen.order_id, None)
        await moving.moved(
            context,
            kept,
            DeliveryStep.ASSIGN,
            courier=request.courier,
            device=row["device"],
            stop=len(stops),
            why=request.why,
        )
    row = await couriers.set_stops(context, row, stops)
    await couriers.show_run(context, row)


@router.on(TakeBack)
async def take_back(request: TakeBack, context: Context) -> None:
    """Let orders wait for another courier.

    Raises:
        Refusal: `stale-version`: they have answered meanwhile, or it is somebody else's.
    """
    for seen in request.orders:
        delivery = (await _as_seen(context, seen)).delivery
        if delivery.courier != request.courier:
            raise Refusal(RefusalCode.STALE_VERSION, f"{delivery.number} is somebody else's by now")
    for seen in request.orders:
        # As it stands now: who loses one stop has the others numbered anew.
        kept = await store.load(context, seen.order_id)
        if not request.declined:
            await moving.moved(context, kept, DeliveryStep.UNASSIGN, reason=request.why)
            continue
        declined = rules.declined_too(kept, request.courier)
        await moving.moved(
            context, kept, DeliveryStep.DECLINE, reason=request.why, declined_by=declined
        )


@router.on(AskAgain)
async def ask_again(request: AskAgain, context: Context) -> None:
    """Forget who has declined it."""
    kept = await _as_seen(context, request.seen)
    changes = {"declined_by": (), "version": kept.delivery.version + 1}
    await moving.changed(context, kept.with_(kept.delivery.model_copy(update=changes)), None)


async def _as_seen(context: Context, seen: Seen) -> Kept:
    kept = await store.load(context, seen.order_id)
    if kept.delivery.version != seen.version:
        raise Refusal(
            RefusalCode.STALE_VERSION, f"{kept.delivery.number} is another than it was a moment ago"
        )
    return kept


@router.on(NobodyBrings)
async def tell_that_nobody_brings_it(request: NobodyBrings, context: Context) -> None:
    """Raise the alert that somebody has to do something, or end it."""
    name = _alert(request)
    kept = await store.seek(context, request.order_id)
    waits = kept is not None and kept.delivery.status in _WAITS
    if kept is None or request.why is None or not waits:
        await alerts.clear(context, name)
        return
    await alerts.raise_(
        context,
        Alert(
            alert=name,
            kind=AlertKind.NOBODY_BRINGS,
            audience=Audience.MANAGERS,
            to="managers",
            about=str(request.order_id),
            text=(
                f"Nobody brings order {kept.delivery.number}: {request.why}. Say who does, bring "
                "it yourself, or call the guest."
            ),
            raised_at=context.now,
        ),
    )


@router.during(DeliveryMoved)
async def somebody_brings_it(moved: DeliveryMoved, context: Context) -> None:
    """Whoever has a courier, or has ended, is no trouble any more."""
    kept = await store.seek(context, moved.order_id)
    if kept is not None and (
        kept.delivery.status in WITH_COURIER or kept.delivery.ended_at is not None
    ):
        await alerts.clear(context, alerts.name_of("nobody", str(moved.order_id)))


def _alert(request: NobodyBrings) -> str:
    return alerts.name_of("nobody", str(request.order_id))
