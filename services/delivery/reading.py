"""What is asked of deliveries and changes nothing, and what of them stands retained."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.deliveries import DeliveryState
from schemas.delivery_requests import (
    MAX_DELIVERY_PAGE,
    ReadCouriers,
    ReadDeliveries,
    ShareDelivery,
)
from schemas.refusals import RefusalCode
from schemas.replies import CourierPage, DeliveryLink, DeliveryPage
from services.delivery import couriers, links, store
from services.delivery.asking import Asker, asker_of
from services.runtime import house_rules
from services.runtime.context import Outgoing, outgoing
from services.runtime.refusal import Refusal
from services.runtime.router import Asking, Router
from services.runtime.tables import DEVICES

router: Final = Router()


@router.answer(ReadDeliveries)
async def read_deliveries(query: ReadDeliveries, asking: Asking) -> DeliveryPage:
    """Open deliveries, page by page; to a courier's tracker its own alone."""
    asker = await _asker(asking)
    connection, tenant = asking.connection, asking.tenant
    device = asking.device if asker is Asker.COURIER else None
    if query.order_id is not None:
        kept = await store.find(connection, tenant, query.order_id)
        if kept is None or (device is not None and kept.delivery.device != device):
            raise Refusal(RefusalCode.NOT_FOUND, store.NONE.format(query.order_id))
        return DeliveryPage(deliveries=(kept.delivery,))
    found = await store.page(
        connection,
        tenant,
        courier=query.courier,
        device=device,
        after=query.after,
        most=MAX_DELIVERY_PAGE + 1,
    )
    return DeliveryPage(
        deliveries=tuple(each.delivery for each in found[:MAX_DELIVERY_PAGE]),
        more=len(found) > MAX_DELIVERY_PAGE,
    )


@router.answer(ReadCouriers)
async def read_couriers(_query: ReadCouriers, asking: Asking) -> CourierPage:
    """All couriers of the house."""
    if await _asker(asking) is not Asker.HOUSE:
        raise Refusal(RefusalCode.NOT_ALLOWED, "who brings what is the house's to see")
    rows = await couriers.every(asking.connection, asking.tenant)
    return CourierPage(couriers=tuple(couriers.receipt(row) for row in rows))


@router.answer(ShareDelivery)
async def share_delivery(query: ShareDelivery, asking: Asking) -> DeliveryLink:
    """The guest's link. It shows the code that the courier asks for, so it is not for couriers."""
    if await _asker(asking) is not Asker.HOUSE:
        raise Refusal(RefusalCode.NOT_ALLOWED, "the guest's link is the house's to give")
    kept = await store.find(asking.connection, asking.tenant, query.order_id)
    if kept is None:
        raise Refusal(RefusalCode.NOT_FOUND, store.NONE.format(query.order_id))
    house = (await house_rules.read(asking.connection, asking.tenant)).delivery
    until = links.until(kept, house)
    if until <= asking.now or not kept.beside.link:
        raise Refusal(RefusalCode.TIME_PASSED, "it shows nothing any more: its time is up")
    path = links.path(links.token(asking.tenant, kept, until))
    return DeliveryLink(order_id=query.order_id, path=path, until=until)


@router.state
async def open_deliveries(
    connection: AsyncConnection, tenant: str, now: datetime
) -> list[Outgoing]:
    """What stands retained: open deliveries, couriers, and what each has to do."""
    kept = {each.delivery.order_id: each for each in await store.open_ones(connection, tenant)}
    found = [
        outgoing(DeliveryState(order_id=id_, delivery=each.delivery), tenant=tenant, now=now)
        for id_, each in kept.items()
    ]
    for row in await couriers.every(connection, tenant):
        stops = [kept[each] for each in couriers.stops_of(row) if each in kept]
        run = couriers.run_of(couriers.courier_of(row), stops)
        found += [outgoing(each, tenant=tenant, now=now) for each in (couriers.state_of(row), run)]
    return found


async def _asker(asking: Asking) -> Asker:
    role = await asking.connection.scalar(
        select(DEVICES.c.role).where(
            DEVICES.c.tenant == asking.tenant, DEVICES.c.device == asking.device
        )
    )
    return asker_of(role)
