"""What couriers say of what they have to bring; the house may say it for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from schemas.deliveries import DeliveryStep, ProofKind
from schemas.delivery_requests import (
    AcceptDelivery,
    CompleteDelivery,
    DeclineDelivery,
    FailDelivery,
    ReturnDelivery,
    StepDelivery,
)
from schemas.refusals import RefusalCode
from schemas.replies import DeliveryReceipt
from services.delivery import moving, rules, store
from services.delivery.asking import Asker, check_mine
from services.delivery.inside import FollowArrival
from services.runtime import house_rules
from services.runtime.context import Context
from services.runtime.refusal import KeptRefusal
from services.runtime.router import Router

router: Final = Router()


@router.on(AcceptDelivery)
async def accept_delivery(request: AcceptDelivery, context: Context) -> None:
    """The courier will bring it."""
    kept = await store.load(context, request.order_id)
    await check_mine(context, kept.delivery)
    await moving.moved(context, kept, DeliveryStep.ACCEPT, at=request.at)


@router.on(DeclineDelivery)
async def decline_delivery(request: DeclineDelivery, context: Context) -> None:
    """The courier will not."""
    kept = await store.load(context, request.order_id)
    await check_mine(context, kept.delivery)
    courier = kept.delivery.courier
    declined = kept.delivery.declined_by if courier is None else rules.declined_too(kept, courier)
    await moving.moved(
        context, kept, DeliveryStep.DECLINE, reason=request.reason, declined_by=declined
    )


@router.on(StepDelivery)
async def step_delivery(request: StepDelivery, context: Context) -> None:
    """The courier says how far they are."""
    kept = await store.load(context, request.order_id)
    await check_mine(context, kept.delivery)
    await moving.moved(context, kept, DeliveryStep(request.step.value), at=request.at)


@router.on(CompleteDelivery)
async def complete_delivery(request: CompleteDelivery, context: Context) -> None:
    """The guest has it.

    Raises:
        Refusal: `wrong-code`, `too-many-tries`, `proof-missing`, `wrong-state`.
    """
    kept = await store.load(context, request.order_id)
    asker = await check_mine(context, kept.delivery)
    house = await house_rules.delivery_rules(context.draft, context.tenant)
    if asker is Asker.COURIER and rules.can(kept.delivery, DeliveryStep.DELIVER):
        rules.check_tries(kept, house)
        wanted = kept.beside.code is not None
        if wanted and request.code is not None and not rules.is_code(kept, request.code):
            tries = kept.beside.tries + 1
            beside = kept.beside.model_copy(update={"tries": tries})
            changes = {"version": kept.delivery.version + 1}
            kept = replace(kept, beside=beside, delivery=kept.delivery.model_copy(update=changes))
            await moving.changed(context, kept, None)
            left = max(0, house.code_tries - tries)
            raise KeptRefusal(
                RefusalCode.WRONG_CODE,
                f"this is not the code of {kept.delivery.number}; {left} more may be tried",
                state=DeliveryReceipt(delivery=kept.delivery, tries_left=left),
            )
    proof = rules.proof(kept, request, house, by_house=asker is Asker.HOUSE)
    shown = None if proof.kind is ProofKind.NOTHING else proof
    await moving.moved(context, kept, DeliveryStep.DELIVER, at=request.at, proof=shown)


@router.on(FailDelivery)
async def fail_delivery(request: FailDelivery, context: Context) -> None:
    """Nobody took it; the courier has it still, and nothing to do at that door."""
    kept = await store.load(context, request.order_id)
    await check_mine(context, kept.delivery)
    await moving.moved(context, kept, DeliveryStep.FAIL, at=request.at, reason=request.reason)


@router.on(ReturnDelivery)
async def return_delivery(request: ReturnDelivery, context: Context) -> None:
    """It is back in the house."""
    kept = await store.load(context, request.order_id)
    await check_mine(context, kept.delivery)
    await moving.moved(context, kept, DeliveryStep.RETURN, at=request.at)


@router.on(FollowArrival)
async def follow_arrival(request: FollowArrival, context: Context) -> None:
    """Move on what the courier's tracker shows; what has gone its way meanwhile stays."""
    for order_id in request.order_ids:
        kept = await store.seek(context, order_id)
        if kept is None or kept.delivery.device != request.vehicle:
            continue
        if rules.may_follow(kept, request.step, request.at):
            await moving.moved(context, kept, request.step, at=request.at)
