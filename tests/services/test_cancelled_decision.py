"""A decision whose process lost its connection while it was written: kept, and nobody was told."""

from __future__ import annotations

import asyncio

from schemas.kitchen_pace import PauseChannel
from schemas.orders import OrderKind
from schemas.replies import Outcome
from services.kitchen.channels_store import INTAKES
from services.runtime.database import Database
from tests.services.kitchen_floor import KitchenFloor
from tests.services.order_world import TILL, Asked
from tests.spoken import order


class Interrupted(KitchenFloor):
    """A kitchen whose worker is cancelled while its next decision is written."""

    interrupted = False

    def _checkpoint(self, point: str) -> None:
        super()._checkpoint(point)
        task = asyncio.current_task()
        if self.interrupted and point == "decided" and task is not None:
            self.interrupted = False
            # The next step of the loop: the write is on its way by then.
            asyncio.get_running_loop().call_soon(task.cancel)

    async def interrupt(self, asked: Asked) -> None:
        """Have this decided by a worker that is cancelled before it learns what came of it."""
        self.interrupted = True
        deciding = asyncio.create_task(self._handle([asked]))
        await asyncio.wait({deciding})
        assert deciding.cancelled()


async def test_what_was_kept_though_its_worker_was_cancelled_is_known_to_the_next_decision(
    database: Database,
) -> None:
    floor = Interrupted(database)
    await floor.open()
    await floor.do(order("soup", kind=OrderKind.DELIVERY), TILL)  # nobody ever paused it
    await floor.interrupt(
        Asked(TILL, PauseChannel(channel=OrderKind.DELIVERY, why="no riders"), at=floor.now)
    )
    (paused,) = await floor.rows(INTAKES)
    (reply,) = await floor.say(Asked(TILL, order("soup", kind=OrderKind.DELIVERY), at=floor.now))
    refused = reply.outcome is Outcome.REJECTED
    assert refused == bool(paused), reply
    if database.is_sqlite:
        assert paused, "what the thread has begun it ends"
