"""Connections that break at odd moments."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

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
