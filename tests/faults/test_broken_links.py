"""Connections that break at odd moments."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import uvloop

from broker_config.settings import BrokerAddress, BrokerLogin, BrokerSettings
from services.runtime.backbone import Backbone
from services.runtime.bus import ConnectionLost
from services.runtime.moment import system_clock
from services.runtime.mqtt_bus import MqttBus
from services.runtime.mqtt_session import MqttSession
from tests.abuse.packets import CONNACK, PUBLISH
from tests.patience import PATIENCE_S

LOGIN = BrokerLogin(username="heard-services", secret="nobody asks")


@contextmanager
def broker_that_dies(take: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a broker that deals with a connection in this way, and ends it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]

        def serve() -> None:
            try:
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        take(connection)
            except OSError:
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield port
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE_S)


def _silent(connection: socket.socket) -> None:
    connection.recv(1)


def _let_in(connection: socket.socket) -> None:
    connection.recv(1024)
    connection.sendall(bytes([CONNACK << 4, 2, 0, 0]))


async def test_services_wait_for_no_answer_of_a_broker_that_dies_before_it_answers() -> None:
    with broker_that_dies(_silent) as port:
        bus = MqttBus(BrokerSettings(address=BrokerAddress(port=port), login=LOGIN))
        # Who waited in vain for an answer would tell of that.
        with pytest.raises(ConnectionLost, match="before the broker answered"):
            async with bus.session():
                pass


async def test_services_that_are_put_out_as_they_are_let_in_have_lost_a_connection() -> None:
    with broker_that_dies(_let_in) as port:
        bus = MqttBus(BrokerSettings(address=BrokerAddress(port=port), login=LOGIN))
        # The end comes in the turn of the loop in which they are let in, or soon after.
        for _ in range(20):
            with pytest.raises(ConnectionLost):
                async with bus.session() as session:
                    await session.receive(1)


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


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_reset_that_comes_with_other_words_is_heard_at_once(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    busy, was_reset = threading.Event(), threading.Event()

    def reset(connection: socket.socket) -> None:
        _let_in(connection)
        busy.wait(PATIENCE_S)
        connection.sendall(bytes([PUBLISH << 4, 4, 0, 1]) + b"at")
        # Thrown away, and not ended, as is a connection that has something unread.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        was_reset.set()

    async def listen(port: int) -> None:
        settings = BrokerSettings(address=BrokerAddress(port=port), login=LOGIN, keepalive_s=3600)
        async with MqttBus(settings).session() as session:
            await asyncio.sleep(0)  # a turn of the loop: then it is read as it will be
            busy.set()
            # The loop has other things to do: both come in one and the same turn of it.
            assert was_reset.wait(PATIENCE_S)
            with pytest.raises(ConnectionLost):
                await asyncio.wait_for(until_lost(session), PATIENCE_S)

    async def until_lost(session: MqttSession) -> None:
        while True:
            await session.receive(1)

    with broker_that_dies(reset) as port, asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(listen(port))
