"""The floor under the figures: the bare path of the same broker and database.

Publish at QoS 1, receive, one committed insert, publish, receive, with the libraries as
they come: nothing of Heard's own is in its server, so whatever Heard takes above it is
Heard's. The server runs in a process of its own, as the services do.

The path uses topics that the access policy gives to managers of the bench's tenant.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from broker_config.settings import BrokerSettings
from devices.client import DeviceClient
from devices.connection import Packet, Received
from schemas.devices import Heartbeat
from schemas.identifiers import new_id
from schemas.topics import Plane
from services.runtime.bare_mqtt import bare_path
from services.runtime.database import Database

POS: Final = "floor-pos"
SERVER: Final = "floor-server"
DISPLAY: Final = "floor-display"

_TABLE: Final = "bench_floor"
_CREATE: Final = f"CREATE TABLE IF NOT EXISTS {_TABLE} (id VARCHAR(36) PRIMARY KEY, body TEXT)"
_INSERT: Final = f"INSERT INTO {_TABLE} (id, body) VALUES ({{}}, {{}})"  # noqa: S608 - our own name
_DROP: Final = f"DROP TABLE IF EXISTS {_TABLE}"


async def serve_floor(database_url: str, settings: BrokerSettings, tenant: str) -> None:
    """Run the floor's server until cancelled; says ``ready`` on standard output."""
    database = Database(database_url)
    source = Heartbeat.route.topic(tenant=tenant, device=POS)
    target = Heartbeat.route.topic(tenant=tenant, device=SERVER)
    try:
        async with database.write() as connection:
            await connection.execute(text(_CREATE))
        async with database.engine.connect() as connection:
            keep = await _keeper(database, connection)
            await bare_path(
                settings,
                source,
                target,
                keep,
                lambda: print("ready", flush=True),
            )
    finally:
        await database.close()


async def _keeper(
    database: Database, connection: AsyncConnection
) -> Callable[[bytes], Awaitable[None]]:
    """One committed insert, by the database's driver alone."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if database.is_sqlite:

        async def keep(payload: bytes) -> None:
            await driver.execute(_INSERT.format("?", "?"), (str(new_id()), payload.decode()))
            await driver.commit()
    else:

        async def keep(payload: bytes) -> None:
            await driver.execute(_INSERT.format("$1", "$2"), str(new_id()), payload.decode())

    return keep


async def remove_floor(database: Database) -> None:
    """Remove the floor's table."""
    async with database.write() as connection:
        await connection.execute(text(_DROP))


class FloorSender(DeviceClient):
    """Publishes the floor's messages."""

    def send(self, number: int, padding: str) -> None:
        """Publish one message that the server will carry through."""
        body = {
            "epoch": str(UUID(int=0)),
            "at": datetime.now(UTC).isoformat(),
            "number": number,
            "sent": time.perf_counter(),
            "padding": padding,
        }
        topic = Heartbeat.route.topic(tenant=self.tenant, device=self.device)
        self._packets.append(Packet(topic, json.dumps(body).encode()))
        self._wake()


class FloorReceiver(DeviceClient):
    """Receives them, and notes how long each was on its way."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.took: dict[int, float] = {}
        self.arrived: Final = threading.Condition()

    def _filters(self) -> list[str]:
        return [Heartbeat.route.topic(tenant=self.tenant, device=SERVER)]

    def _receive(self, message: Received, now: float) -> None:
        del now
        if f"/{Plane.TELEMETRY}/" not in message.topic:
            return
        at = time.perf_counter()
        body = json.loads(message.payload)
        if "number" not in body:
            return  # the server's own heartbeat
        with self.arrived:
            self.took[body["number"]] = at - body["sent"]
            self.arrived.notify_all()
