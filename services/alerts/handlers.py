"""What is done with alerts, whoever raised them."""

from __future__ import annotations

from typing import Final

from schemas.alerts import AcknowledgeAlert
from schemas.refusals import RefusalCode
from schemas.replies import AlertReceipt
from services.runtime import alerts
from services.runtime.context import Context
from services.runtime.refusal import Refusal
from services.runtime.router import Router

router: Final = Router()
router.state(alerts.states)


@router.on(AcknowledgeAlert)
async def acknowledge_alert(request: AcknowledgeAlert, context: Context) -> None:
    """Somebody sees to it. The first one is named; the alert stands until it is over."""
    alert = await alerts.standing(context.draft, context.tenant, request.alert)
    if alert is None:
        raise Refusal(RefusalCode.NOT_FOUND, f"no alert {request.alert} stands")
    if alert.acknowledged_at is None:
        taken = {"acknowledged_at": context.now, "acknowledged_by": context.device}
        await alerts.put(context, alert.model_copy(update=taken))
    context.answer(AlertReceipt(alert=request.alert, acknowledged=True))
