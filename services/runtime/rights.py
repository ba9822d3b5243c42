"""What a device may do beyond what the broker lets it say."""

from __future__ import annotations

from schemas.devices import Role
from services.runtime.context import Context
from services.runtime.names import SCREEN
from services.runtime.tables import DEVICES


async def is_manager(context: Context) -> bool:
    """Tell whether a manager's device asks.

    No name gives that right: before there were reserved ones, a till may have been given any.
    """
    row = await context.draft.get(DEVICES, context.tenant, context.device)
    return row is not None and row["role"] == Role.MANAGER.value


async def whose_screen(context: Context) -> str | None:
    """Whose screen asks; looked up for screens alone, for only they are anybody's."""
    if not context.device.startswith(SCREEN):
        return None
    row = await context.draft.get(DEVICES, context.tenant, context.device)
    return None if row is None else row["person"]
