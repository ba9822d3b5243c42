"""What timers ask of the services, asked of a house that a test drives."""

from __future__ import annotations

from uuid import UUID

from schemas.message import Request
from schemas.replies import Reply
from tests.services.order_world import OURSELVES, Asked, OrderWorld


class AskedOfOurselves:
    """See `services.runtime.intake.Intake`.

    Args:
        house: whose worker decides it.
    """

    def __init__(self, house: OrderWorld) -> None:
        self.requests: list[Request] = []
        self._house = house

    async def ask_of_ourselves(self, tenant: str, message: Request, request_id: UUID) -> Reply:
        """See `Intake.ask_of_ourselves`."""
        assert tenant == self._house.tenant
        self.requests.append(message)
        (reply,) = await self._house.say(Asked(OURSELVES, message, request_id, at=self._house.now))
        return reply
