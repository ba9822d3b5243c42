"""What a tick keeps: the same again does no harm, nor does what is of a house that is gone."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Table, select

from schemas.fences import CrossingKind
from schemas.identifiers import new_id
from services.migrations.upgrade import upgrade
from services.people.store import Tenant, add_tenant, remove_tenant
from services.runtime.crossings import HOUSE, Crossing
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.tables import QUARANTINE
from services.tracking import keeping
from services.tracking.copying import FixRows, nothing
from services.tracking.crossing_rows import to_row
from services.tracking.keeping import Keeper, Kept
from services.tracking.tables import CROSSINGS, FIXES
from services.tracking.vehicle_book import VehicleBook
from services.tracking.vehicle_rows import rows_of

NOBODY = rows_of(VehicleBook(), np.empty(0, dtype=np.int32))


def fixes(tenants: Sequence[str]) -> FixRows:
    """One of each of these houses, now."""
    count, now = len(tenants), int(system_clock().timestamp() * 1e6)
    times = np.full(count, now, dtype=np.int64)
    return FixRows(
        np.array([each.encode() for each in tenants], dtype="S64"),
        np.full(count, b"bike-1", dtype="S64"),
        times,
        times,
        np.full(count, 60.17),
        np.full(count, 24.94),
        np.full((3, count), np.nan),
        np.zeros(count, dtype=np.uint8),
    )


def crossing(tenant: str) -> dict[str, Any]:
    now = system_clock()
    return to_row(Crossing(tenant, new_id(), HOUSE, "bike-1", CrossingKind.ENTER, now), now)


def stray(tenant: str) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "entry_id": new_id(),
        "topic": "of no kind",
        "payload": b"junk",
        "reason": "unfit",
        "received_at": system_clock(),
    }


async def house(database: Database) -> str:
    tenant = f"t-{new_id().hex[-12:]}"
    async with database.write() as connection:
        await add_tenant(connection, Tenant(tenant, "Roma", "EUR", system_clock()))
    return tenant


async def count(database: Database, table: Table, tenant: str) -> int:
    async with database.read() as connection:
        return len((await connection.execute(select(table).where(table.c.tenant == tenant))).all())


async def test_the_same_tick_again_is_kept_once(database: Database) -> None:
    tenant = await house(database)
    keeper = Keeper(database, system_clock)
    kept = Kept(fixes([tenant]), nothing(), NOBODY, [crossing(tenant)], [stray(tenant)])
    try:
        # As when the connection breaks while it is committed, and nobody learns that it was.
        for _ in range(3):
            await keeper.keep(kept)
    finally:
        await keeper.close()
    assert [await count(database, each, tenant) for each in (FIXES, CROSSINGS, QUARANTINE)] == [
        1
    ] * 3


async def both(database: Database) -> tuple[str, str]:
    """A house that is there, and one that was removed."""
    here, gone = await house(database), await house(database)
    async with database.write() as connection:
        await remove_tenant(connection, gone)
    return here, gone


async def goes_by(database: Database, here: str, gone: str) -> None:
    """Both tell something; what is of the one that is there is kept, and nothing else."""
    keeper = Keeper(database, system_clock)
    crossings = [crossing(gone), crossing(here)]
    try:
        await keeper.keep(Kept(fixes([gone, here]), fixes([gone]), NOBODY, crossings))
        await keeper.keep(Kept(fixes([gone]), nothing(), NOBODY, [crossing(gone)]))
    finally:
        await keeper.close()
    assert [await count(database, each, here) for each in (FIXES, CROSSINGS)] == [1, 1]
    assert [await count(database, each, gone) for each in (FIXES, CROSSINGS)] == [0, 0]


async def test_what_is_of_a_house_that_is_gone_costs_no_other_house_its_tick(
    database: Database,
) -> None:
    await goes_by(database, *await both(database))


async def test_nor_does_what_is_of_a_house_that_goes_in_that_very_moment(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(postgresql_url)
    await upgrade(database)
    looks, ours = 0, threading.current_thread()
    look = keeping._of_houses

    async def late(connection: Any, kept: Kept) -> Kept:
        nonlocal looks
        if threading.current_thread() is not ours:  # the system of other tests
            return await look(connection, kept)
        looks += 1
        # The first look was before the house was removed.
        return kept if looks == 1 else await look(connection, kept)

    monkeypatch.setattr(keeping, "_of_houses", late)
    try:
        await goes_by(database, *await both(database))
        assert looks == 3
    finally:
        await database.close()
