"""What timers ask of the services, asked of a house that a test drives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from uuid import UUID

from schemas.message import Request
from schemas.refusals import RefusalCode
from schemas.replies import Reply
from services.runtime.refusal import rejected
from tests.patience import PATIENCE_S
from tests.services.order_world import OURSELVES, Asked, OrderWorld


class AskedOfOurselves:
    """See `services.runtime.intake.Intake`.

    Args:
        house: whose worker decides it.
    """

    def __init__(self, house: OrderWorld) -> None:
        self.requests: list[Request] = []
        self.fault: Exception | None = None
        """What deciding fails by, as long as it stands here."""
        self.failed = 0
        self.refuses: type[Request] | None = None
        """What is refused whoever asks, as long as it stands here."""
        self._house = house

    async def ask_of_ourselves(self, tenant: str, message: Request, request_id: UUID) -> Reply:
        """See `Intake.ask_of_ourselves`."""
        assert tenant == self._house.tenant
        if self.fault is not None:
            self.failed += 1
            raise self.fault
        if self.refuses is not None and isinstance(message, self.refuses):
            return rejected(request_id, RefusalCode.STALE_VERSION, "refused by the test")
        self.requests.append(message)
        (reply,) = await self._house.say(Asked(OURSELVES, message, request_id, at=self._house.now))
        return reply


async def outlasts_a_fault(
    asks: AskedOfOurselves,
    watch: Coroutine[Any, Any, None],
    done: Callable[[], Awaitable[bool]],
) -> None:
    """See that a watch goes on while what it asks for fails, and has it done once it does not."""
    asks.fault = RuntimeError("a fault of ours")
    watching = asyncio.create_task(watch)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while asks.failed < 2:
                assert not watching.done(), f"it has ended: {watching.exception()!r}"
                await asyncio.sleep(0.005)
            asks.fault = None
            while not await done():
                assert not watching.done(), f"it has ended: {watching.exception()!r}"
                await asyncio.sleep(0.005)
    finally:
        watching.cancel()
        await asyncio.wait({watching})
