"""The bus on one MQTT 3.1.1 broker: opens connections, and opens the next when one is lost."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import aiomqtt
import structlog

from broker_config.settings import BrokerSettings
from services.runtime.bus import ConnectionLost, Use
from services.runtime.mqtt_session import MqttSession

log = structlog.get_logger(__name__)

NODELAY: Final = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class MqttBus:
    """A `Bus` over one MQTT 3.1.1 broker.

    Args:
        settings: where the broker is, and who we are.
        subscriptions: what every session subscribes to, at QoS 1.
        clean: True forgets the session at its end: for a tool, not for the services.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        subscriptions: Sequence[str] = (),
        *,
        clean: bool = False,
    ) -> None:
        self.settings: Final = settings
        self.subscriptions: Final = tuple(subscriptions)
        self.clean: Final = clean

    @asynccontextmanager
    async def session(self) -> AsyncIterator[MqttSession]:
        """Connect once; disconnect cleanly at the end.

        Raises:
            ConnectionLost: the broker cannot be reached, or refuses us.
        """
        to = self.settings
        client = aiomqtt.Client(
            to.address.host,
            to.address.port,
            username=to.login.username,
            password=to.login.secret,
            identifier=to.login.client_id,
            clean_session=self.clean,
            keepalive=to.keepalive_s,
            socket_options=[NODELAY],
            tls_context=to.address.tls_context(),
            timeout=10,
        )
        session = MqttSession(client)
        try:
            await session.answered(client.__aenter__())
        except aiomqtt.MqttError as error:
            session.abandon()
            raise ConnectionLost(f"{to.address}: {error}") from error
        except BaseException:
            session.abandon()
            raise
        try:
            session.opened()
            if self.subscriptions:
                await session.subscribe(*self.subscriptions)
            yield session
        except aiomqtt.MqttError as error:
            raise ConnectionLost(str(error)) from error
        finally:
            session.send_now()
            with suppress(aiomqtt.MqttError):
                await client.__aexit__(None, None, None)

    async def keep(self, use: Use) -> None:
        """See `Bus.keep`; the patience between attempts grows, and is jittered."""
        attempt = 0
        while True:
            try:
                async with self.session() as session:
                    attempt = 0
                    await use(session)
            except ConnectionLost as lost:
                attempt += 1
                pause = min(5.0, 0.1 * 2 ** min(attempt, 6)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
                log.warning("broker away; trying again", why=str(lost), in_s=round(pause, 2))
                await asyncio.sleep(pause)
