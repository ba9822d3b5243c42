"""Tells each crossing of a fence that a house has drawn, once: `heard.fence.crossed.v1`.

What stands in for a fence, around the restaurant and doors, is not told of: its crossings are
steps of deliveries, and told as those.
"""

from __future__ import annotations

from typing import Final

from schemas.fences import FenceCrossed
from schemas.identifiers import derived_id
from services.runtime.context import Context
from services.runtime.crossings import Crossing
from services.runtime.intake import Intake
from services.runtime.router import Router
from services.runtime.timers import ask
from services.tracking.inside import TellCrossing

router: Final = Router()


@router.on(TellCrossing)
async def tell_crossing(request: TellCrossing, context: Context) -> None:
    """Publish one crossing, after the commit."""
    await context.emit(
        FenceCrossed(fence=request.fence, vehicle=request.vehicle, what=request.what, at=request.at)
    )


class CrossingTeller:
    """Asks for crossings to be told. Its `follow` is a `services.runtime.crossings.Follow`.

    Args:
        intake: where it is done.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake: Final = intake

    async def follow(self, crossing: Crossing) -> None:
        """See `services.runtime.crossings.Follow`."""
        if not crossing.is_of_a_drawn_fence:
            return
        request = TellCrossing(
            fence=crossing.fence, vehicle=crossing.vehicle, what=crossing.what, at=crossing.at
        )
        id_ = derived_id(crossing.at, "crossing-told", crossing.tenant, str(crossing.crossing_id))
        await ask(self._intake, crossing.tenant, request, id_)
