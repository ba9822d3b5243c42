"""How long it takes to let devices in on a running Mosquitto, and to put one out.

    python -m benchmarks.provisioning --devices 1000

Prints JSON. The devices come in as `heard device import` lets them in: rows, audit and
accounts. The floor is the same accounts by Mosquitto's control topic alone, in as few
messages as it takes. Revoking is timed from the call to the moment when the device's
connection is closed, as the device sees it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from broker_config import dynamic_security
from broker_config.access import Identity
from broker_config.secret import new_secret
from broker_config.settings import BrokerLogin
from cli.commands.importing import AT_ONCE
from schemas.devices import Role
from services.migrations.upgrade import upgrade
from services.people import store
from services.people.accounts import Account, MosquittoAccounts
from services.people.admission import Admission
from services.people.control import command
from services.people.store import Device, Tenant
from services.people.sweeping import Sweeper
from services.runtime.database import Database
from tests.brokers import PrivateMosquitto
from tests.mqtt_client import MqttClient

_ROLES: Final = [Role.POS, Role.KITCHEN_DISPLAY, Role.TRACKER]


def main() -> int:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--revoked", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="heard-provisioning-") as folder:
        found = asyncio.run(measure(Path(folder), arguments.devices, arguments.revoked))
    print(json.dumps(found, indent=1))
    return 0


async def measure(folder: Path, count: int, revoked: int) -> dict[str, Any]:
    """Provision `count` devices, then put `revoked` of them out while they are connected."""
    now = datetime.now(UTC)
    async with AsyncExitStack() as stack:
        floor_s = await _floor(folder / "floor", count)
        broker = PrivateMosquitto(folder / "mosquitto")
        stack.callback(broker.kill)
        database = Database(f"sqlite:///{folder / 'heard.db'}")
        stack.push_async_callback(database.close)
        await upgrade(database)
        async with database.write() as connection:
            await store.add_tenant(connection, Tenant("roma", "Roma", "EUR", now))
        accounts = MosquittoAccounts(broker.address, broker.admin.secret)
        sweeper = Sweeper(broker.address, broker.services.secret)
        admission = Admission(database, accounts, "benchmark", sweeper=sweeper)
        devices = [
            Device("roma", f"device-{number}", _ROLES[number % 3], None, now)
            for number in range(count)
        ]
        admitted: list[Account] = []
        began = time.perf_counter()
        for start in range(0, count, AT_ONCE):
            admitted += await admission.admit(devices[start : start + AT_ONCE])
        provisioned_s = time.perf_counter() - began
        took = [await _revoke(broker, admission, each) for each in admitted[:revoked]]
    return {
        "devices": count,
        "provisioned_s": round(provisioned_s, 2),
        "floor_s": round(floor_s, 2),
        "ratio": round(provisioned_s / floor_s, 2),
        "revoked": len(took),
        "revoke_to_closed_p50_ms": round(statistics.median(took) * 1000, 1),
        "revoke_to_closed_max_ms": round(max(took) * 1000, 1),
    }


async def _floor(folder: Path, count: int) -> float:
    broker = PrivateMosquitto(folder)
    try:
        commands = [
            one
            for number in range(count)
            for one in dynamic_security.add(
                Identity("roma", f"device-{number}", _ROLES[number % 3]), new_secret()
            )
        ]
        began = time.perf_counter()
        await command(broker.address, broker.admin.secret, commands)
        return time.perf_counter() - began
    finally:
        broker.kill()


async def _revoke(broker: PrivateMosquitto, admission: Admission, account: Account) -> float:
    login = BrokerLogin(username=account.username, secret=account.secret)
    client = MqttClient(broker.address, login, clean=False)
    await asyncio.to_thread(client.connect)
    began = time.perf_counter()
    gone = asyncio.create_task(asyncio.to_thread(client.wait_until_gone))
    await admission.revoke("roma", [account.identity.device])
    await gone
    took = time.perf_counter() - began
    client.thaw()
    return took


if __name__ == "__main__":
    sys.exit(main())
