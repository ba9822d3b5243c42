"""Accounts on a running Mosquitto: changed through its control topic, with no restart."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from typing import Final

from broker_config import dynamic_security
from broker_config.access import ADMIN_USERNAME
from broker_config.dynamic_security import Batch, Command, Json
from broker_config.settings import BrokerAddress, BrokerLogin, BrokerSettings
from schemas.identifiers import new_id
from services.runtime.bus import ConnectionLost, Session
from services.runtime.mqtt_bus import MqttBus

PATIENCE_S: Final = 10.0
"""For the first answer of a Mosquitto that has nothing to do."""
EACH_S: Final = 0.5
"""More for each command: it writes all its accounts anew after each, of which there may be
thousands on a slow disk."""
ATTEMPTS: Final = 5


async def command(
    address: BrokerAddress, admin_secret: str, commands: Iterable[Command]
) -> list[Json]:
    """Have Mosquitto do these, in their order; returns its answers.

    The account of the administrator may be connected once: who comes second puts the
    first out. So whoever is put out comes again, after a moment; every command of
    `broker_config.dynamic_security` may be done twice.

    Raises:
        ConnectionLost: Mosquitto cannot be reached, refuses us, or does not answer.
        DynamicSecurityRefused: it refuses a command.
    """
    wanted = tuple(commands)
    login = BrokerLogin(username=ADMIN_USERNAME, secret=admin_secret)
    bus = MqttBus(
        BrokerSettings(address=address, login=login),
        [dynamic_security.RESPONSE_TOPIC],
        clean=True,
    )
    attempt = 1
    while True:
        connected = False
        try:
            async with bus.session() as session:
                connected = True
                return await _all(session, wanted)
        except ConnectionLost:
            if not connected or attempt >= ATTEMPTS:
                raise
            await asyncio.sleep(random.uniform(0.05, 0.1 * 2**attempt))  # noqa: S311 - jitter
            attempt += 1


async def _all(session: Session, commands: tuple[Command, ...]) -> list[Json]:
    found: list[Json] = []
    for batch in dynamic_security.batches(commands, correlation=str(new_id())):
        session.publish(dynamic_security.REQUEST_TOPIC, batch.payload, qos=1, retain=False)
        session.send_now()
        patience_s = PATIENCE_S + EACH_S * len(batch.commands)
        try:
            async with asyncio.timeout(patience_s):
                found += await _answers(session, batch)
        except TimeoutError:
            raise ConnectionLost(
                f"Mosquitto has not answered within {patience_s:.0f} s: is its dynamic "
                "security plugin loaded?"
            ) from None
    return found


async def _answers(session: Session, batch: Batch) -> list[Json]:
    while True:
        for delivery in await session.receive(100):
            session.acknowledge([delivery])
            answers = dynamic_security.answers(batch, delivery.payload)
            if answers is not None:
                return answers
