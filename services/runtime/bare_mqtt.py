"""The library with nothing of ours: the floors that benchmarks compare with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import aiomqtt

from broker_config.settings import BrokerSettings
from services.runtime.mqtt_bus import NODELAY


async def bare_path(
    settings: BrokerSettings,
    source: str,
    target: str,
    keep: Callable[[bytes], Awaitable[None]],
    ready: Callable[[], None],
) -> None:
    """Carry messages from one topic to another with the library alone: the benchmarks' floor.

    Nothing of ours stands in this path: aiomqtt as its documentation uses it, with
    TCPNODELAY. Runs until it is cancelled or the connection is lost.

    Args:
        settings: where the broker is, and who we are.
        source: the topic to receive from.
        target: the topic to publish to.
        keep: keeps one payload, committed.
        ready: called once messages are received.
    """
    async with _client(settings) as client:
        await client.subscribe(source, qos=1)
        ready()
        async for message in client.messages:
            payload = bytes(message.payload)
            await keep(payload)
            await client.publish(target, payload, qos=1)


async def bare_drain(
    settings: BrokerSettings,
    filters: Sequence[str],
    note: Callable[[], None],
    ready: Callable[[], None],
) -> None:
    """Take messages with the library alone, and do nothing with them: a benchmark's floor.

    Args:
        settings: where the broker is, and who we are.
        filters: what to subscribe to, at QoS 1.
        note: called for each message.
        ready: called once messages are received.
    """
    async with _client(settings) as client:
        await client.subscribe([(each, 1) for each in filters])
        ready()
        async for _ in client.messages:
            note()


def _client(settings: BrokerSettings) -> aiomqtt.Client:
    return aiomqtt.Client(
        settings.address.host,
        settings.address.port,
        username=settings.login.username,
        password=settings.login.secret,
        identifier=settings.login.client_id,
        keepalive=settings.keepalive_s,
        socket_options=[NODELAY],
        tls_context=settings.address.tls_context(),
    )
