"""The embedded broker puts out whom the database no longer knows, however short they were in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from broker_config.access import Identity
from broker_config.secret import SecretHash
from schemas.devices import Role
from services.people import credentials, store, watch
from services.people.credentials import DatabaseDirectory
from services.people.store import Device, Tenant
from services.people.watch import Seen, put_out_changed
from services.runtime.database import Database
from tests.patience import PATIENCE_S

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


class NotingBroker:
    def __init__(self) -> None:
        self.put: list[str] = []
        self.left: set[str] = set()
        """Who went by itself, and is not there to be put out."""
        self.known: set[Identity] = set()
        """Who came in already."""

    async def put_out(self, client_id: str) -> bool:
        self.put.append(client_id)
        return client_id not in self.left

    async def knows(self, identity: Identity) -> bool:
        return identity in self.known

    async def withdraw(self, username: str) -> bool:
        self.put.append(f"account {username}")
        return username not in self.left


@pytest.fixture
async def broker(database: Database) -> AsyncIterator[tuple[Database, Seen, NotingBroker]]:
    """A broker that is watched, and the directory that it asks."""
    async with database.write() as connection:
        await store.add_tenant(connection, Tenant("roma", "Roma", "EUR", NOW))
    seen, noting = Seen(DatabaseDirectory(database, [], lambda: NOW)), NotingBroker()
    watching = asyncio.create_task(put_out_changed(database, noting, lambda: NOW, seen))
    yield database, seen, noting
    watching.cancel()
    await asyncio.wait({watching}, timeout=PATIENCE_S)
    assert watching.cancelled()


async def admit(database: Database, name: str, since: datetime = NOW) -> None:
    async with database.write() as connection:
        device = Device("roma", name, Role.POS, None, since)
        await credentials.place(connection, device, SecretHash.of("a secret"), NOW)


async def remove(database: Database, name: str) -> None:
    async with database.write() as connection:
        await store.remove_device(connection, "roma", name)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is in another's hands
            await asyncio.sleep(0.01)


async def test_who_came_in_and_was_revoked_between_two_looks_is_put_out(
    broker: tuple[Database, Seen, NotingBroker], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, seen, noting = broker
    waits, goes_on = asyncio.Event(), asyncio.Event()
    look = watch._look

    async def looking(*arguments: Any) -> Any:
        """Stand still before a look, so that a device can come, be named and go."""
        if arguments[0] is not database:  # another broker of this same process looks too
            return await look(*arguments)
        waits.set()
        await goes_on.wait()
        return await look(*arguments)

    monkeypatch.setattr(watch, "_look", looking)
    async with asyncio.timeout(PATIENCE_S):
        await waits.wait()
    await admit(database, "short")
    assert await seen.find("roma:short") is not None
    await remove(database, "short")
    goes_on.set()
    await until(lambda: "roma:short" in noting.put)
    assert noting.put == ["roma:short"]


async def test_who_stays_is_left_alone_and_who_leaves_later_is_put_out(
    broker: tuple[Database, Seen, NotingBroker],
) -> None:
    database, seen, noting = broker
    for name in ("pos-1", "pos-2"):
        await admit(database, name)
        assert await seen.find(f"roma:{name}") is not None
    assert await seen.find("roma:nobody") is None
    await until(lambda: not seen._named)
    await remove(database, "pos-1")
    await until(lambda: noting.put != [])
    assert noting.put == ["roma:pos-1"]


async def test_only_who_was_still_connected_is_told_of_as_put_out(
    broker: tuple[Database, Seen, NotingBroker],
) -> None:
    database, seen, noting = broker
    noting.left = {"roma:cli-1"}
    for name in ("cli-1", "pos-1"):
        await admit(database, name)
        assert await seen.find(f"roma:{name}") is not None
    await until(lambda: not seen._named)
    with capture_logs() as logs:
        for name in ("cli-1", "pos-1"):
            await remove(database, name)
        await until(lambda: len(noting.put) == 2)
        await until(lambda: len(_of_clients(logs)) == 2)
    told = {each["client"]: (each["log_level"], each["event"]) for each in _of_clients(logs)}
    assert told == {
        "roma:cli-1": ("debug", "had left already"),
        "roma:pos-1": ("info", "put out"),
    }


async def test_who_bears_the_name_of_one_that_is_gone_and_is_in_already_stays(
    broker: tuple[Database, Seen, NotingBroker],
) -> None:
    database, seen, noting = broker
    later = NOW + timedelta(seconds=1)
    for name in ("pos-1", "pos-2", "pos-3"):
        await admit(database, name)
        assert await seen.find(f"roma:{name}") is not None
    await until(lambda: not seen._named)
    noting.known = {Identity("roma", "pos-1", Role.POS, later)}
    for name in ("pos-1", "pos-2"):
        await admit(database, name, later)
    await remove(database, "pos-3")
    await until(lambda: "roma:pos-3" in noting.put)
    await until(lambda: "roma:pos-2" in noting.put)
    assert sorted(noting.put) == ["roma:pos-2", "roma:pos-3"]


def _of_clients(logs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Other tests' systems may run in this process, and speak too."""
    return [each for each in logs if each.get("client") in {"roma:cli-1", "roma:pos-1"}]
