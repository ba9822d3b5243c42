"""Tenants and devices: who may come in, and that nothing stays of who has left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from broker_config.access import Credential, Identity
from broker_config.secret import SecretHash
from schemas.devices import Role
from services.migrations.schema import METADATA
from services.people import credentials, store
from services.people.accounts import EmbeddedAccounts
from services.people.admission import Admission
from services.people.credentials import DatabaseDirectory, place
from services.people.leaving import dismiss_device, dismiss_tenant
from services.people.store import Device, Taken, Tenant, Unknown
from services.runtime.database import Database
from services.runtime.names import RESERVED
from tests.services.rows import all_rows

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
SECRET = SecretHash.of("a secret")
SERVICES = [Credential(Identity.service(), SecretHash.of("another"))]


def a_device(tenant: str, device: str, *, expires_in: timedelta | None = None) -> Device:
    ends = None if expires_in is None else NOW + expires_in
    return Device(tenant, device, Role.POS, None, NOW, ends)


@pytest.fixture
async def peopled(database: Database) -> Database:
    async with database.write() as connection:
        for tenant in ("napoli", "roma"):
            await store.add_tenant(connection, Tenant(tenant, tenant.title(), "EUR", NOW))
            await place(connection, a_device(tenant, "pos-1"), SECRET, NOW)
    return database


def directory(database: Database, at: datetime = NOW) -> DatabaseDirectory:
    return DatabaseDirectory(database, SERVICES, lambda: at)


@pytest.mark.parametrize("name", sorted(RESERVED))
async def test_no_device_is_let_in_under_a_name_of_the_services(
    name: str, peopled: Database
) -> None:
    async with peopled.write() as connection:
        with pytest.raises(Taken, match=name):
            await place(connection, a_device("roma", name), SECRET, NOW)


async def test_a_tenant_added_twice_is_one_and_another_currency_is_refused(
    peopled: Database,
) -> None:
    async with peopled.write() as connection:
        assert not await store.add_tenant(connection, Tenant("roma", "Other", "EUR", NOW))
        with pytest.raises(Taken, match="roma exists, with EUR"):
            await store.add_tenant(connection, Tenant("roma", "Roma", "GBP", NOW))
    async with peopled.read() as connection:
        assert [each.tenant for each in await store.tenants(connection)] == ["napoli", "roma"]
        assert (await store.tenants(connection))[1].name == "Roma"


async def test_a_device_is_of_one_tenant_only(peopled: Database) -> None:
    async with peopled.write() as connection:
        await store.remove_device(connection, "roma", "pos-1")
        with pytest.raises(Unknown, match="roma/pos-1"):
            await store.find_device(connection, "roma", "pos-1")
        with pytest.raises(Unknown, match="roma/pos-1"):
            await store.remove_device(connection, "roma", "pos-1")
        assert (await store.find_device(connection, "napoli", "pos-1")).role is Role.POS
        with pytest.raises(Unknown, match="no tenant milano: heard tenant list"):
            await place(connection, a_device("milano", "pos-1"), SECRET, NOW)


async def test_a_device_that_is_put_again_has_its_new_secret(peopled: Database) -> None:
    async with peopled.write() as connection:
        await place(connection, a_device("roma", "pos-1"), SecretHash.of("newer"), NOW)
        assert len(await store.devices(connection, "roma")) == 1
    found = await directory(peopled).find("roma:pos-1")
    assert found is not None
    assert found.identity == Identity("roma", "pos-1", Role.POS, NOW)
    assert found.secret.verify("newer")
    assert not found.secret.verify("a secret")


@pytest.mark.parametrize(
    "name",
    ["roma:pos-2", "roma", "pos-1", "", ":", "roma:", ":pos-1", "ROMA:POS-1", "a:b:c"],
)
async def test_whoever_is_not_known_is_not_found(name: str, peopled: Database) -> None:
    assert await directory(peopled).find(name) is None


async def test_the_services_are_in_no_table(peopled: Database) -> None:
    assert await directory(peopled).find("heard-services") is SERVICES[0]
    async with peopled.read() as connection:
        names = {each.username for each in await credentials.every(connection, NOW)}
    assert names == {"roma:pos-1", "napoli:pos-1"}


async def test_a_device_whose_time_is_up_is_not_let_in_and_leaves(peopled: Database) -> None:
    async with peopled.write() as connection:
        for device, hours in (("short", 1), ("long", 3)):
            each = a_device("roma", device, expires_in=timedelta(hours=hours))
            await place(connection, each, SECRET, NOW)
    later = NOW + timedelta(hours=1)
    assert await directory(peopled).find("roma:short") is not None
    assert await directory(peopled, later).find("roma:short") is None
    assert await directory(peopled, later).find("roma:long") is not None
    admission = Admission(peopled, EmbeddedAccounts(), "test", lambda: later)
    assert [each.device for each in await admission.end_expired()] == ["short"]
    assert await admission.end_expired() == []
    async with peopled.read() as connection:
        left = [each.device for each in await store.devices(connection, "roma")]
    assert left == ["long", "pos-1"]


async def test_whoever_leaves_is_cleared_from_the_broker_too(peopled: Database) -> None:
    async with peopled.write() as connection:
        await dismiss_device(connection, "roma", "pos-1")
    (parcel,) = await all_rows(peopled, METADATA.tables["outbox"])
    assert "heard/v1/roma/state/devices/pos-1" in parcel["messages"]
    assert "heard/v1/roma/presence/pos-1" in parcel["messages"]
    assert parcel["tenant"] == "roma"


async def test_of_a_tenant_that_leaves_nothing_stays_and_the_others_keep_all(
    peopled: Database,
) -> None:
    before = {
        table.name: [row for row in await all_rows(peopled, table) if row["tenant"] == "napoli"]
        for table in METADATA.sorted_tables
    }
    async with peopled.write() as connection:
        had = await dismiss_tenant(connection, "roma", ["heard/v1/roma/state/menu/burger"])
    assert [each.device for each in had] == ["pos-1"]
    for table in METADATA.sorted_tables:
        left = await all_rows(peopled, table)
        if table.name == "outbox":
            assert "heard/v1/roma/state/menu/burger" in left[0]["messages"]
        else:
            assert left == before[table.name]
    with pytest.raises(Unknown, match="no tenant roma"):
        async with peopled.write() as connection:
            await dismiss_tenant(connection, "roma", [])
