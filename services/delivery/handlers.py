"""What the house says of deliveries and couriers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from schemas.deliveries import (
    WITH_COURIER,
    CourierRun,
    CourierState,
    DeliveryStatus,
    DeliveryStep,
)
from schemas.delivery_requests import (
    AssignDelivery,
    PlaceDelivery,
    PutCourier,
    RemoveCourier,
    SequenceStops,
    UnassignDelivery,
)
from schemas.delivery_rules import DeliveryRules
from schemas.devices import Role
from schemas.orders import Order, OrderKind, OrderStatus
from schemas.positions import Place
from schemas.refusals import RefusalCode
from schemas.replies import DeliveryReceipt
from services.delivery import (
    asked_for,
    beginning,
    by_courier,
    couriers,
    doors,
    following,
    moving,
    pause_timer,
    reading,
    rules,
    store,
)
from services.delivery.asking import Asker, check_house, who_asks
from services.delivery.dispatching import handlers as dispatching
from services.delivery.kept import Kept
from services.delivery.tables import COURIERS
from services.runtime import house_rules
from services.runtime.context import Context
from services.runtime.refusal import Refusal
from services.runtime.router import Router
from services.runtime.tables import DEVICES

router: Final = Router()


@router.on(PutCourier)
async def put_courier(request: PutCourier, context: Context) -> None:
    """Keep who a courier is; what they have to bring stays, and goes with another tracker."""
    await check_house(context)
    courier = request.courier
    await _check_tracker(context, courier.device)
    holder = await _holder_of(context, courier.device)
    if holder is not None and holder != courier.courier:
        raise Refusal(
            RefusalCode.WRONG_STATE,
            f"{courier.device} is carried by {holder}: give that courier another tracker, or "
            "remove them",
        )
    before = await couriers.seek(context, courier.courier)
    stops = () if before is None else couriers.stops_of(before)
    row = await couriers.put(context, courier, stops)
    if before is not None and before["device"] != courier.device:
        context.clear(CourierRun, device=before["device"])
        for order_id in stops:
            kept = await store.seek(context, order_id)
            if kept is not None:
                changes = {"device": courier.device, "version": kept.delivery.version + 1}
                kept = replace(kept, delivery=kept.delivery.model_copy(update=changes))
                await moving.changed(context, kept, None)
    await couriers.show_run(context, row)
    context.answer(couriers.receipt(row))


@router.on(RemoveCourier)
async def remove_courier(request: RemoveCourier, context: Context) -> None:
    """Let a courier go who has nothing to bring.

    The row stays without a tracker: past deliveries name them.
    """
    await check_house(context)
    row = await couriers.load(context, request.courier)
    if stops := couriers.stops_of(row):
        numbers = ", ".join((await couriers.numbers_of(context, row)).values())
        raise Refusal(
            RefusalCode.WRONG_STATE,
            f"{request.courier} has {'an order' if len(stops) == 1 else f'{len(stops)} orders'} "
            f"to bring ({numbers}): assign what they have to others first",
            state=couriers.receipt(row),
        )
    context.draft.put(COURIERS, {**row, "version": row["version"] + 1, "device": None})
    context.clear(CourierState, courier_id=request.courier)
    context.clear(CourierRun, device=row["device"])
    context.answer(couriers.receipt(row))


@router.on(PlaceDelivery)
async def place_delivery(request: PlaceDelivery, context: Context) -> None:
    """Say where the door of an order is; the delivery begins, where there is none yet.

    Raises:
        Refusal: `not-found`; `wrong-state`, where it is none that is brought, or was picked up;
            `too-far`, and `no-place`, where nobody has said where the restaurant is.
    """
    await check_house(context)
    kept = await store.seek(context, request.order_id)
    if kept is not None:
        context.standing = DeliveryReceipt(delivery=kept.delivery)
        if kept.delivery.status is DeliveryStatus.RETURNED:
            await _to_be_brought(context, request.order_id)
        elif not rules.can(kept.delivery, DeliveryStep.CANCEL):
            raise Refusal(
                RefusalCode.WRONG_STATE,
                f"the delivery of {kept.delivery.number} is {kept.delivery.status}: "
                "its door cannot be another",
            )
        house = await house_rules.delivery_rules(context.draft, context.tenant)
        _check_near(context, request.place, house)
        moved = rules.put_at(kept, request.place, request.address)
        moved = replace(moved, distance_m=beginning.about_m(request.place, house))
        await moving.changed(context, moved, None)
        return
    order = await _to_be_brought(context, request.order_id)
    house = await house_rules.delivery_rules(context.draft, context.tenant)
    if house.place is None:
        raise Refusal(RefusalCode.NO_PLACE, doors.no_place(context.tenant))
    _check_near(context, request.place, house)
    await beginning.begin(context, order, request.place, house, address=request.address)


def _check_near(context: Context, place: Place, house: DeliveryRules) -> None:
    """See that a door is no farther than the house delivers.

    Raises:
        Refusal: `too-far`.
    """
    if (why := doors.why_too_far(place, house, context.tenant)) is not None:
        raise Refusal(RefusalCode.TOO_FAR, why)


async def _to_be_brought(context: Context, order_id: UUID) -> Order:
    """The order of which a delivery is to begin, or to begin anew.

    Raises:
        Refusal: `not-found`; `wrong-state`, where nothing of it is to be brought.
    """
    order = await context.ports.orders.order(context.draft, context.tenant, order_id)
    if order is None:
        raise Refusal(RefusalCode.NOT_FOUND, f"there is no order {order_id}")
    if context.standing is None:
        context.standing = context.ports.orders.receipt(order)
    if order.kind is not OrderKind.DELIVERY or order.status not in doors.CAN_BEGIN:
        raise Refusal(
            RefusalCode.WRONG_STATE,
            f"{order.number} is {order.kind} and {order.status}: nothing of it is to be brought",
        )
    return order


@router.on(AssignDelivery)
async def assign_delivery(request: AssignDelivery, context: Context) -> None:
    """Ask a courier to bring it; whoever was asked before need not any more."""
    await check_house(context)
    kept = await store.load(context, request.order_id)
    row = await couriers.load(context, request.courier)
    if kept.delivery.courier == request.courier and kept.delivery.status in WITH_COURIER:
        stops = rules.with_stop(couriers.stops_of(row), request.order_id, request.stop)
        if request.stop is not None:
            row = await couriers.set_stops(context, row, stops)
            await couriers.show_run(context, row)
            kept = await store.load(context, request.order_id)
        context.answer(DeliveryReceipt(delivery=kept.delivery))
        return
    if rules.can(kept.delivery, DeliveryStep.UNASSIGN):
        kept = await moving.moved(context, kept, DeliveryStep.UNASSIGN)
    elif kept.delivery.status is DeliveryStatus.RETURNED:
        kept = _as_now(kept, await _to_be_brought(context, request.order_id), context.now)
    stops = rules.with_stop(couriers.stops_of(row), request.order_id, request.stop)
    kept = await moving.moved(
        context,
        kept,
        DeliveryStep.ASSIGN,
        courier=request.courier,
        device=row["device"],
        stop=stops.index(request.order_id) + 1,
    )
    row = await couriers.set_stops(context, row, stops)
    await couriers.show_run(context, row)


def _as_now(kept: Kept, order: Order, now: datetime) -> Kept:
    """What came back, as its order stands by now: nobody followed that while it had ended."""
    ready_at = None
    if order.status is OrderStatus.READY:
        ready_at = kept.ready_at or now
    return replace(kept, items=rules.items(order), ready_at=ready_at, begun_at=now)


@router.on(UnassignDelivery)
async def unassign_delivery(request: UnassignDelivery, context: Context) -> None:
    """Let it wait for another courier: the dispatcher does not ask the same one again."""
    await check_house(context)
    kept = await store.load(context, request.order_id)
    courier = kept.delivery.courier
    declined = kept.delivery.declined_by if courier is None else rules.declined_too(kept, courier)
    await moving.moved(context, kept, DeliveryStep.UNASSIGN, declined_by=declined)


@router.on(SequenceStops)
async def sequence_stops(request: SequenceStops, context: Context) -> None:
    """Bring the same in another sequence."""
    asker = await who_asks(context)
    row = await couriers.seek(context, request.courier)
    mine = asker is Asker.COURIER and row is not None and row["device"] == context.device
    if asker is not Asker.HOUSE and not mine:
        raise Refusal(RefusalCode.NOT_ALLOWED, "these are not your stops")
    row = await couriers.load(context, request.courier)
    numbers = await couriers.numbers_of(context, row)
    stops = rules.sequence(request.courier, numbers, request.stops)
    row = await couriers.set_stops(context, row, stops)
    await couriers.show_run(context, row)
    context.answer(couriers.receipt(row))


async def _check_tracker(context: Context, device: str) -> None:
    """See that positions come under this name.

    Raises:
        Refusal: `not-found`.
    """
    row = await context.draft.get(DEVICES, context.tenant, device)
    if row is not None and row["role"] == Role.TRACKER.value:
        return
    house = await house_rules.delivery_rules(context.draft, context.tenant)
    if device not in house.vehicles:
        raise Refusal(
            RefusalCode.NOT_FOUND,
            f"{device} is no tracker of this house: heard device add {device} --tenant "
            f"{context.tenant} --role tracker lets it in; one that a bridge speaks for is named "
            f"with heard delivery rules set --tenant {context.tenant} "
            f"vehicles.{device}=BRIDGE/ITS-NAME-THERE",
        )


async def _holder_of(context: Context, device: str) -> str | None:
    written = await couriers.is_taken(context.draft.work.connection, context.tenant, device)
    holders = {written} if written is not None else set()
    for row in context.draft.unwritten(COURIERS):
        if row["tenant"] == context.tenant:
            holders.discard(row["courier"])
            if row["device"] == device:
                holders.add(row["courier"])
    return min(holders, default=None)


for _room in (asked_for, by_courier, following, pause_timer, reading, dispatching):
    router.include(_room.router)
