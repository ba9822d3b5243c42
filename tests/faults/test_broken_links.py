"""Connections that break at odd moments."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from broker_config.settings import BrokerAddress, BrokerLogin, BrokerSettings
from services.runtime.bus import ConnectionLost, MqttBus

LOGIN = BrokerLogin(username="heard-services", secret="nobody asks")


@pytest.fixture
def dying_broker() -> Iterator[int]:
    """The port of a broker that takes connections, and dies before it answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]

        def take() -> None:
            try:
                while True:
                    connection, _ = listener.accept()
                    connection.recv(1)
                    connection.close()
            except OSError:
                return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield port
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5.0)


async def test_services_try_again_at_once_when_a_broker_dies_before_it_answers(
    dying_broker: int,
) -> None:
    address = BrokerAddress(port=dying_broker)
    bus = MqttBus(BrokerSettings(address=address, login=LOGIN))
    began = time.monotonic()
    with pytest.raises(ConnectionLost, match="before the broker answered"):
        async with bus.session():
            pass
    assert time.monotonic() - began < 2.0, "not after ten seconds of waiting for an answer"


class AlwaysThere(MqttBus):
    """A bus whose sessions are nothing at all."""

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        yield None


async def test_who_is_told_to_end_ends_though_the_connection_breaks_at_that_moment() -> None:
    begun = asyncio.Event()

    async def break_when_cancelled() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ConnectionLost("it broke, too")

    async def use(_session: object) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(break_when_cancelled())
        except* ConnectionLost as lost:
            raise lost.exceptions[0] from None

    bus = AlwaysThere(BrokerSettings(login=LOGIN))
    keeping = asyncio.create_task(bus.keep(use))
    await begun.wait()
    keeping.cancel()
    done, _ = await asyncio.wait([keeping], timeout=5.0)
    assert done, "it goes on as if nobody had told it"
    assert keeping.cancelled()
