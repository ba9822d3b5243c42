"""What stands retained of devices that nobody knows: it would stand there for ever."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from broker_config.settings import BrokerAddress
from cli.application import Application
from cli.examination.finding import Finding, bad, good, why
from cli.files import services_secret
from schemas.topics import Plane, device_of, matches, plane_filter
from services.people import store
from services.people.sweeping import Sweeper, of_all
from services.runtime.bus import ConnectionLost
from services.runtime.database import Database

T = TypeVar("T")

WHAT: Final = "retained of devices"
LOOK_EVERY_S: Final = 0.7
ATTEMPTS: Final = 3
_AT_ONCE: Final = 500


async def look_at_unowned(
    app: Application, database: Database, address: BrokerAddress, *, mend: bool
) -> list[Finding]:
    """Nothing may stand on the devices' planes but the presence of devices that are known."""
    sweeper = Sweeper(address, services_secret(app.settings))
    try:
        unowned = await _patiently(lambda: _standing(database, sweeper))
        if unowned and mend:
            topics = sorted(unowned)
            for begin in range(0, len(topics), _AT_ONCE):
                some = topics[begin : begin + _AT_ONCE]
                await _patiently(partial(sweeper.clear, some))
            return [good(WHAT, f"{len(topics)} messages that nobody owned were cleared")]
    except (ConnectionLost, TimeoutError) as error:
        mending = (
            "stop Mosquitto, then: heard broker render mosquitto --replace --directory DIR "
            "(it makes the account heard-warden)"
        )
        return [bad(WHAT, f"heard-warden cannot look: {why(error)}", mending)]
    if not unowned:
        return [good(WHAT, "all that stands is somebody's")]
    says = f"{len(unowned)} messages stand that nobody owns, as {min(unowned)}"
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
    unowned = await _unowned(database, sweeper)
    if unowned:
        await asyncio.sleep(LOOK_EVERY_S)
        unowned &= await _unowned(database, sweeper)
    return unowned


async def _unowned(database: Database, sweeper: Sweeper) -> set[str]:
    standing = await sweeper.standing(of_all())
    async with database.read() as connection:
        known = {(each.tenant, each.device) for each in await store.devices(connection)}
    presence = plane_filter(Plane.PRESENCE, tail="+")
    return {
        topic for topic in standing if not matches(presence, topic) or device_of(topic) not in known
    }
