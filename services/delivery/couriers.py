"""The couriers' rows: who they are, and what they have to bring, in which sequence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.deliveries import (
    Courier,
    CourierRun,
    CourierState,
    DeliveryChanged,
    DeliveryState,
    RunStop,
)
from schemas.message import State
from schemas.positions import TravelMode
from schemas.refusals import RefusalCode
from schemas.replies import CourierReceipt
from services.delivery import store
from services.delivery.kept import Kept
from services.delivery.tables import COURIERS
from services.runtime.context import Context
from services.runtime.refusal import Refusal
from services.runtime.work import Row

NOBODY: Final = "no courier is called {}: `heard courier list --tenant {}` says who there is"


def courier_of(row: Row) -> Courier:
    """Read who a row is about."""
    return Courier(
        courier=row["courier"],
        name=row["name"],
        device=row["device"],
        mode=TravelMode(row["mode"]),
        carries=row["carries"],
    )


def stops_of(row: Row) -> tuple[UUID, ...]:
    """Read what they have to bring."""
    return tuple(UUID(each) for each in row["stops"])


def receipt(row: Row) -> CourierReceipt:
    """What the sender of a request is told of a courier."""
    return CourierReceipt(
        courier=courier_of(row),
        stops=stops_of(row),
        on_duty=row["on_duty"],
        until=row["until"],
    )


def state_of(row: Row) -> CourierState:
    """What stands retained of a courier."""
    courier = courier_of(row)
    return CourierState(
        courier_id=courier.courier,
        courier=courier,
        stops=stops_of(row),
        on_duty=row["on_duty"],
        until=row["until"],
    )


async def at_work(connection: AsyncConnection, tenant: str, now: datetime) -> Counter[TravelMode]:
    """How many couriers are on duty, by what they go by; always in one order."""
    of = COURIERS.c
    query = select(of.mode).where(
        of.tenant == tenant,
        of.device.is_not(None),
        of.on_duty.is_(True),
        of.until.is_(None) | (of.until > now),
    )
    return Counter(TravelMode(mode) for mode in await connection.scalars(query.order_by(of.mode)))


async def seek(context: Context, courier: str) -> Row | None:
    """Read one courier; None where there is none, or not any more."""
    row = await context.draft.get(COURIERS, context.tenant, courier)
    return None if row is None or row["device"] is None else row


async def load(context: Context, courier: str) -> Row:
    """Read the courier that a request is about.

    Raises:
        Refusal: `not-found`.
    """
    row = await seek(context, courier)
    if row is None:
        raise Refusal(RefusalCode.NOT_FOUND, NOBODY.format(courier, context.tenant))
    return row


async def put(
    context: Context,
    courier: Courier,
    stops: Sequence[UUID] = (),
    *,
    duty: tuple[bool, datetime | None] | None = None,
) -> Row:
    """Keep and show a courier, with what they have to bring.

    Args:
        context: of the decision.
        courier: who.
        stops: what they have to bring.
        duty: whether they may be asked, and until when; None is as before, at first always.
    """
    before = await context.draft.get(COURIERS, context.tenant, courier.courier)
    if duty is None:
        gone = before is None or before["device"] is None
        duty = (True, None) if before is None or gone else (before["on_duty"], before["until"])
    on_duty, until = duty
    row: dict[str, Any] = {
        "tenant": context.tenant,
        "courier": courier.courier,
        "version": 1 if before is None else before["version"] + 1,
        "name": courier.name,
        "device": courier.device,
        "mode": courier.mode.value,
        "stops": [str(each) for each in stops],
        "carries": courier.carries,
        "on_duty": on_duty,
        "until": until,
    }
    context.draft.put(COURIERS, row)
    await show(context, state_of(row))
    return row


async def set_stops(context: Context, row: Row, stops: Sequence[UUID]) -> Row:
    """Keep in which sequence a courier brings what; each delivery says which stop it is."""
    row = await put(context, courier_of(row), stops)
    for number, order_id in enumerate(stops, start=1):
        kept = await store.seek(context, order_id)
        if kept is not None and kept.delivery.stop != number:
            await _renumbered(context, kept, number)
    return row


async def numbers_of(context: Context, row: Row) -> dict[UUID, str]:
    """What a courier has to bring, each with the order's number."""
    kept = [await store.seek(context, each) for each in stops_of(row)]
    return {each.delivery.order_id: each.delivery.number for each in kept if each is not None}


async def show_run(context: Context, row: Row) -> None:
    """Show on the courier's own screen what they have to do."""
    stops = [await store.seek(context, each) for each in stops_of(row)]
    run = run_of(courier_of(row), [each for each in stops if each is not None])
    await show(context, run)


def run_of(courier: Courier, stops: Sequence[Kept]) -> CourierRun:
    """What the courier's own screen shows."""
    return CourierRun(
        device=courier.device,
        courier=courier.courier,
        stops=tuple(
            RunStop(
                order_id=each.delivery.order_id,
                number=each.delivery.number,
                status=each.delivery.status,
                stop=number,
                place=each.delivery.place,
                address=each.beside.address,
                guest=each.beside.guest,
                phone=each.beside.phone,
                needs_code=each.beside.code is not None,
            )
            for number, each in enumerate(stops, start=1)
        ),
    )


async def show(context: Context, state: State) -> None:
    """Show a state; of several in one decision only how it stands in the end is told."""
    topic = state.topic(tenant=context.tenant)
    context.emitted[:] = [each for each in context.emitted if each.topic != topic]
    await context.emit(state)


async def _renumbered(context: Context, kept: Kept, number: int) -> None:
    changes = {"stop": number, "version": kept.delivery.version + 1}
    after = replace(kept, delivery=kept.delivery.model_copy(update=changes))
    store.save(context, after)
    delivery = after.delivery
    await context.emit(DeliveryChanged(order_id=delivery.order_id, step=None, delivery=delivery))
    await show(context, DeliveryState(order_id=delivery.order_id, delivery=delivery))


# -- for whoever looks ------------------------------------------------------------------------


async def every(connection: AsyncConnection, tenant: str) -> list[Row]:
    """All couriers of a house, by name."""
    query = select(COURIERS).where(COURIERS.c.tenant == tenant, COURIERS.c.device.is_not(None))
    rows = await connection.execute(query.order_by(COURIERS.c.courier))
    return [dict(row) for row in rows.mappings()]


async def find(connection: AsyncConnection, tenant: str, courier: str) -> Row | None:
    """One courier's row; None where there is none."""
    query = select(COURIERS).where(COURIERS.c.tenant == tenant, COURIERS.c.courier == courier)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else dict(row)


async def is_taken(connection: AsyncConnection, tenant: str, device: str) -> str | None:
    """Who carries a tracker already, by the rows; None where nobody does."""
    query = select(COURIERS.c.courier).where(
        COURIERS.c.tenant == tenant, COURIERS.c.device == device
    )
    found: str | None = await connection.scalar(query)
    return found
