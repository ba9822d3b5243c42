"""`heard eta explain`: of what an order's ETA is made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, tzinfo
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import click

from cli.application import Application, pass_application
from cli.delivering import which_order
from cli.failures import Failure
from cli.grammar import Command, json_option, tenant_option
from cli.house_clock import on_screen
from cli.known_houses import the_house
from cli.live_etas import last_seen
from cli.ordering import find_order
from cli.printing import age, note, say, show_json, show_table
from schemas.envelope import envelope_of
from schemas.etas import Confidence, EtaState
from schemas.orders import OrderKind
from services.delivery import store
from services.delivery.eta_book import EtaBook
from services.delivery.routing.engines import PATIENCE_S, EngineWays
from services.kitchen.ready_times import ready_times
from services.runtime import house_rules
from services.runtime.context import Outgoing
from services.runtime.database import Database
from services.runtime.lease import is_held
from services.runtime.moment import system_clock


class _Known(NamedTuple):
    """What is known beside the ETA.

    Attributes:
        zone: the house's clock.
        fault: of our own, for which it may have none.
        served: somebody hears of couriers and kitchen.
    """

    zone: ZoneInfo
    fault: str | None
    served: bool


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
    now = system_clock()
    told: list[EtaState] = []

    def hear(messages: Sequence[Outgoing]) -> None:
        told.extend(
            envelope_of(EtaState).model_validate_json(each.payload).data
            for each in messages
            if each.tenant == tenant and each.payload
        )

    async def reckon(database: Database) -> _Known:
        async with database.read() as connection:
            zone = await the_house(connection, tenant)
            seen = await last_seen(connection, tenant)
        ways = EngineWays()
        book = EtaBook(database, ready_times, system_clock, ways=ways, keeps=False, only=tenant)
        book.begin(hear)
        book.moved(seen)
        await book.look()
        await _ask_the_engine(ways)
        await book.look()
        return _Known(zone, book.faults.get(tenant), await is_held(database))

    known = app.run(reckon)
    eta = next((each for each in reversed(told) if each.order_id == order_id), None)
    if eta is None and known.fault is not None:
        raise Failure(f"ETAs of {tenant} fail, by a fault of Heard's own: {known.fault}")
    if eta is None:
        raise app.run(lambda database: _why_not(database, tenant, order, order_id))
    old = eta.stale
    if not known.served:  # whatever has happened since is in no row
        eta = eta.model_copy(update={"stale": True, "confidence": Confidence.LOW})
    if as_json:
        show_json(eta.model_dump(mode="json"))
        return
    _tell(order, eta, known.zone, now, old=old)
    if not known.served:
        note(f"nothing hears of couriers or kitchen at the moment: {app.serves_with}")


def _tell(order: str, eta: EtaState, zone: tzinfo, now: datetime, *, old: bool) -> None:
    p50, p90 = (on_screen(at, now, zone) for at in (eta.p50_at, eta.p90_at))
    say(f"{order} is expected about {p50}, nine times of ten by {p90}; "
        f"confidence: {eta.confidence}")  # fmt: skip
    if eta.promised_at is not None:
        likely = "late" if eta.late else "kept"
        say(f"promised by {on_screen(eta.promised_at, now, zone)}: likely {likely}")
    if eta.fix_at is not None:
        since = age((eta.as_of - eta.fix_at).total_seconds())
        say(f"it rests on a position from {since} ago{': too old' if old else ''}")
    elif old:
        say("nobody knows where its courier is")
    rows = [
        (each.part, f"{each.p50_s / 60:.1f}", f"{each.p90_s / 60:.1f}", each.text)
        for each in eta.reasons
    ]
    show_table(("part", "p50 min", "p90 min", "why"), rows, empty="nothing is left to wait for")


async def _why_not(database: Database, tenant: str, name: str, order_id: UUID) -> Failure:
    """What keeps an order from having an ETA."""
    async with database.read() as connection:
        order = await find_order(connection, tenant, str(order_id))
        kept = await store.find(connection, tenant, order_id)
        rules = (await house_rules.read(connection, tenant)).delivery
    at = f"--tenant {tenant}"
    if order.kind is not OrderKind.DELIVERY:
        return Failure(f"{name} is {order.kind}, nobody brings it: heard order show {name} {at}")
    if rules.place is None:
        return Failure(
            f"nobody has said where {tenant} is: heard delivery rules set place=LAT,LON {at}"
        )
    stands = f"an order that is {order.status}" if kept is None else kept.delivery.status.value
    return Failure(f"{name} is {stands}, and not waited for: heard delivery show {name} {at}")


async def _ask_the_engine(ways: EngineWays) -> None:
    """Have asked what is not known of ways, for as long as one answer may take."""
    asking = asyncio.create_task(ways.run())
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            await ways.settle()
    asking.cancel()
    await asyncio.wait({asking})
