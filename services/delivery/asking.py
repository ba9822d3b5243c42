"""Who may ask what of deliveries: the house everything, a courier what they have to bring."""

from __future__ import annotations

from enum import StrEnum

from schemas.deliveries import Delivery
from schemas.devices import Role
from schemas.refusals import RefusalCode
from services.runtime.context import Context
from services.runtime.names import OURSELVES
from services.runtime.refusal import Refusal
from services.runtime.tables import DEVICES

_HOUSE = frozenset({Role.POS.value, Role.MANAGER.value})


class Asker(StrEnum):
    """In whose name something is asked."""

    HOUSE = "house"
    COURIER = "courier"
    NOBODY = "nobody"


async def who_asks(context: Context) -> Asker:
    """Tell in whose name a device asks."""
    if context.device == OURSELVES:
        return Asker.HOUSE
    row = await context.draft.get(DEVICES, context.tenant, context.device)
    return asker_of(None if row is None else row["role"])


def asker_of(role: str | None) -> Asker:
    """Tell in whose name a device of this role asks."""
    if role in _HOUSE:
        return Asker.HOUSE
    return Asker.COURIER if role == Role.TRACKER.value else Asker.NOBODY


async def check_house(context: Context) -> None:
    """See that the house asks.

    Raises:
        Refusal: `not-allowed`.
    """
    if await who_asks(context) is not Asker.HOUSE:
        raise Refusal(RefusalCode.NOT_ALLOWED, "this is for a till or a manager to say")


async def check_mine(context: Context, delivery: Delivery) -> Asker:
    """See that the house asks, or the courier who has it to bring; tell which.

    Raises:
        Refusal: `not-allowed`. It says nothing of somebody else's delivery.
    """
    asker = await who_asks(context)
    mine = asker is Asker.COURIER and delivery.device == context.device
    if asker is Asker.HOUSE or mine:
        return asker
    context.standing = None
    raise Refusal(RefusalCode.NOT_ALLOWED, "it is not yours to bring: the house says who brings it")
