"""`heard eta explain`: of what an order's ETA is made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import click
import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from cli.application import Application, pass_application
from cli.delivering import which_order
from cli.failures import Failure
from cli.grammar import Command, json_option, tenant_option
from cli.house_clock import zone_of_house
from cli.known_houses import the_house
from cli.printing import age, say, show_json, show_table
from schemas.envelope import envelope_of
from schemas.etas import EtaState
from services.delivery.eta_book import EtaBook
from services.delivery.routing.engines import PATIENCE_S, EngineWays
from services.kitchen.ready_times import ready_times
from services.runtime.context import Outgoing
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.positions import Positions
from services.tracking.tables import VEHICLES


@click.command(cls=Command)
@click.argument("order")
@tenant_option
@json_option
@pass_application
def explain(app: Application, *, order: str, tenant: str, as_json: bool) -> None:
    """Say when an open order will be at its door, and why.

    It is reckoned anew from the rows, as the services do: the kitchen's word, where the courier
    was last, what was learned of the house, and what its routing engine says of the way.

    Examples:
      heard eta explain A1B2 --tenant demo
      heard eta explain A1B2 --tenant demo --json
    """
    order_id = which_order(app, tenant, order)
    told: list[EtaState] = []

    def hear(messages: Sequence[Outgoing]) -> None:
        told.extend(
            envelope_of(EtaState).model_validate_json(each.payload).data
            for each in messages
            if each.tenant == tenant and each.payload
        )

    async def reckon(database: Database) -> str | None:
        async with database.read() as connection:
            await the_house(connection, tenant)
            seen = await _seen(connection, tenant)
        ways = EngineWays()
        book = EtaBook(database, ready_times, system_clock, ways=ways, keeps=False, only=tenant)
        book.begin(hear)
        book.moved(seen)
        await book.look()
        await _ask_the_engine(ways)
        await book.look()
        return book.faults.get(tenant)

    fault = app.run(reckon)
    eta = next((each for each in reversed(told) if each.order_id == order_id), None)
    if eta is None and fault is not None:
        raise Failure(f"ETAs of {tenant} fail, by a fault of Heard's own: {fault}")
    if eta is None:
        raise Failure(
            f"{order} is not on its way to anybody: `heard delivery report --tenant {tenant}` "
            "says when it was there"
        )
    if as_json:
        show_json(eta.model_dump(mode="json"))
        return
    zone = zone_of_house(app, tenant)
    say(
        f"{order} is expected at {eta.p50_at.astimezone(zone):%H:%M:%S}, nine times of ten by "
        f"{eta.p90_at.astimezone(zone):%H:%M:%S}; confidence: {eta.confidence}"
    )
    if eta.promised_at is not None:
        kept = "it will rather be late" if eta.late else "it will rather be kept"
        say(f"promised by {eta.promised_at.astimezone(zone):%H:%M}: {kept}")
    if eta.fix_at is not None:
        since = age((eta.as_of - eta.fix_at).total_seconds())
        old = ": too old" if eta.stale else ""
        say(f"it rests on a position from {since} ago{old}")
    elif eta.stale:
        say("nobody knows where its courier is")
    rows = [
        (each.part, f"{each.p50_s / 60:.1f}", f"{each.p90_s / 60:.1f}", each.text)
        for each in eta.reasons
    ]
    show_table(("PART", "P50 MIN", "P90 MIN", ""), rows, empty="nothing is left to wait for")


async def _ask_the_engine(ways: EngineWays) -> None:
    """Have asked what is not known of ways, for as long as one answer may take."""
    asking = asyncio.create_task(ways.run())
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            await ways.settle()
    asking.cancel()
    await asyncio.wait({asking})


async def _seen(connection: AsyncConnection, tenant: str) -> Positions:
    """Where the house's vehicles were last, as their rows say."""
    of = VEHICLES.c
    query = select(of.vehicle, of.at, of.lat, of.lon, of.moving).where(
        of.tenant == tenant, of.at.is_not(None)
    )
    rows = list(await connection.execute(query))
    count = len(rows)
    return Positions(
        keys=[(tenant, row.vehicle) for row in rows],
        number=np.arange(count, dtype=np.int32),
        at=np.array([row.at.timestamp() for row in rows], dtype=np.float64),
        lat=np.array([row.lat for row in rows], dtype=np.float64),
        lon=np.array([row.lon for row in rows], dtype=np.float64),
        spread_m=np.zeros(count),
        speed_mps=np.zeros(count),
        heading_deg=np.full(count, np.nan),
        moving=np.array([row.moving for row in rows], dtype=np.bool_),
    )
