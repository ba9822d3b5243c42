"""What stands retained of devices that nobody knows: it would stand there for ever."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from broker_config.settings import BrokerAddress
from cli.application import Application
from cli.examination.finding import Finding, bad, good, why
from cli.files import services_secret
from cli.printing import counted
from services.people.sweeping import Sweeper, unowned
from services.runtime.bus import ConnectionLost
from services.runtime.database import Database

T = TypeVar("T")

WHAT: Final = "retained of devices"
LOOK_EVERY_S: Final = 0.7
ATTEMPTS: Final = 3


async def look_at_unowned(
    app: Application, database: Database, address: BrokerAddress, *, mend: bool
) -> list[Finding]:
    """Nothing may stand on the devices' planes but the presence of devices that are known."""
    sweeper = Sweeper(address, services_secret(app.settings))
    try:
        stray = await _patiently(lambda: _standing(database, sweeper))
        if stray and mend:
            await _patiently(lambda: sweeper.clear_topics(stray))
            was = "was" if len(stray) == 1 else "were"
            return [good(WHAT, f"{counted(len(stray), 'message')} that nobody owned {was} cleared")]
    except (ConnectionLost, TimeoutError) as error:
        mending = (
            "stop Mosquitto, then: heard broker render mosquitto --replace --directory DIR "
            "(it makes the account heard-warden)"
        )
        return [bad(WHAT, f"heard-warden cannot look: {why(error)}", mending)]
    if not stray:
        return [good(WHAT, "all that stands is somebody's")]
    standing = counted(len(stray), "message stands", "messages stand")
    says = f"{standing} that nobody owns, as {min(stray)}"
    return [bad(WHAT, says, "heard doctor --mend")]


async def _patiently(doing: Callable[[], Awaitable[T]]) -> T:
    """Do it again when the services have put us out: the account is connected once at a time."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await doing()
        except ConnectionLost:
            await asyncio.sleep(random.uniform(0.1, 0.5))  # noqa: S311 - jitter
    return await doing()


async def _standing(database: Database, sweeper: Sweeper) -> set[str]:
    """What stands at two looks; what differs was on its way, as of a device that just left."""
    stray = await unowned(database, sweeper)
    if stray:
        await asyncio.sleep(LOOK_EVERY_S)
        stray &= await unowned(database, sweeper)
    return stray
