"""Connections that break at odd moments."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from broker_config.settings import BrokerAddress, BrokerLogin, BrokerSettings
from services.runtime.backbone import Backbone
from services.runtime.bus import ConnectionLost
from services.runtime.moment import system_clock
from services.runtime.mqtt_bus import MqttBus
from tests.patience import PATIENCE_S

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
        thread.join(PATIENCE_S)


async def test_services_wait_for_no_answer_of_a_broker_that_dies_before_it_answers(
    dying_broker: int,
) -> None:
    address = BrokerAddress(port=dying_broker)
    bus = MqttBus(BrokerSettings(address=address, login=LOGIN))
    # Who waited in vain for an answer would tell of that.
    with pytest.raises(ConnectionLost, match="before the broker answered"):
        async with bus.session():
            pass


class AlwaysThere(MqttBus):
    """A bus whose sessions are nothing at all."""

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        yield None


async def test_who_is_told_to_end_ends_though_the_connection_breaks_at_that_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = asyncio.Event()

    class Breaking:
        async def run(self, _session: object) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                raise ConnectionLost("it broke, too")

    class Watching:
        async def watch(self) -> None:
            await asyncio.Event().wait()

        def detach(self) -> None:
            """Nothing was attached."""

    nothing: Any = None
    breaking: Any = Breaking()
    watching: Any = Watching()
    bus = AlwaysThere(BrokerSettings(login=LOGIN))
    backbone = Backbone(nothing, bus, nothing, watching, breaking, clock=system_clock)

    async def put_right(_session: object) -> None:
        """The broker stands as it should."""

    monkeypatch.setattr(backbone, "_put_right", put_right)
    keeping = asyncio.create_task(bus.keep(backbone._session))
    await begun.wait()
    backbone._ending = True  # as the backbone does before it cancels what serves
    keeping.cancel()
    done, _ = await asyncio.wait([keeping], timeout=PATIENCE_S)
    assert done, "it goes on as if nobody had told it"
    assert keeping.cancelled()
