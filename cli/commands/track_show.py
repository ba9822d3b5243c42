"""`heard track show`: what is known of a vehicle."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import click
from sqlalchemy import select

from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Command, json_option, tenant_option
from cli.house_clock import on_screen
from cli.known_houses import the_house
from cli.names import NAME
from cli.printing import age, note, show_json, show_table
from services.delivery.tables import DELIVERIES
from services.runtime import house_rules
from services.runtime.crossings import HOUSE, NEAR, STOP
from services.runtime.database import Database
from services.runtime.lease import is_held
from services.runtime.moment import system_clock
from services.tracking.tables import CROSSINGS, TRACKER_FINDINGS, VEHICLES
from services.tracking.vehicle_book import STILL_TIMES

_LAST: Final = 10
"""So many crossings of fences are shown."""

Row = Mapping[str, Any]


@click.command(cls=Command)
@click.argument("vehicle", type=NAME, required=False)
@tenant_option
@json_option
@pass_application
def show(app: Application, *, vehicle: str | None, tenant: str, as_json: bool) -> None:
    """Show where a vehicle is, how its tracker does, and what it crossed last; or list all.

    Who is heard without a place sends nothing that can be right. What is wrong with the positions
    of a tracker is counted by reason. How often it was asked to tell stands beside what it says
    it does, and whether that is what it was asked for.

    Examples:
      heard track show --tenant roma
      heard track show bike-1 --tenant roma
    """
    rows, findings, crossings, numbers = app.run(lambda database: _read(database, tenant, vehicle))
    if vehicle is not None and not rows:
        raise Failure(
            f"{vehicle} was never heard of in {tenant}: "
            f"`heard track show --tenant {tenant}` lists who was"
        )
    if not as_json and not app.run(is_held):
        note(f"nobody hears of vehicles at the moment: {app.serves_with}")
    documents = [_document(row, findings) for row in rows]
    if vehicle is None:
        if as_json:
            show_json(documents)
        else:
            now = system_clock()
            show_table(
                ("vehicle", "where", "does", "heard", "battery", "wrong"),
                (_line(row, findings, now) for row in rows),
                empty=f"no vehicle of {tenant} was heard of yet",
            )
        return
    if as_json:
        show_json(documents[0] | {"crossings": [dict(each) for each in crossings]})
        return
    _tell(rows[0], findings, crossings, numbers)


async def _read(
    database: Database, tenant: str, vehicle: str | None
) -> tuple[list[Row], list[Row], list[Row], dict[UUID, str]]:
    async with database.read() as connection:
        await the_house(connection, tenant)
        patience = (await house_rules.read(connection, tenant)).delivery.silent_after_s
        column = VEHICLES.c
        query = select(VEHICLES).where(column.tenant == tenant).order_by(column.vehicle)
        found = select(TRACKER_FINDINGS).where(TRACKER_FINDINGS.c.tenant == tenant)
        last = select(
            CROSSINGS.c.fence, CROSSINGS.c.vehicle, CROSSINGS.c.what, CROSSINGS.c.at
        ).where(CROSSINGS.c.tenant == tenant, CROSSINGS.c.vehicle == (vehicle or ""))
        if vehicle is not None:
            query = query.where(column.vehicle == vehicle)
            found = found.where(TRACKER_FINDINGS.c.vehicle == vehicle)
        last = last.order_by(CROSSINGS.c.at.desc()).limit(_LAST)
        crossings: list[Row] = [dict(row) for row in (await connection.execute(last)).mappings()]
        doors = [order for each in crossings if (order := _order_of(each["fence"])) is not None]
        column_of = DELIVERIES.c
        called = select(column_of.order_id, column_of.number).where(
            column_of.tenant == tenant, column_of.order_id.in_(doors)
        )
        return (
            [
                {**row, "silent_after_s": patience * (1 if row["moving"] else STILL_TIMES)}
                for row in (await connection.execute(query)).mappings()
            ],
            [dict(row) for row in (await connection.execute(found)).mappings()],
            crossings,
            {row.order_id: row.number for row in await connection.execute(called)},
        )


def _document(row: Row, findings: list[Row]) -> dict[str, Any]:
    names = ("vehicle", "device", "at", "lat", "lon", "moving", "since", "heard_at", "battery")
    return {
        **{name: row[name] for name in names},
        "counts": row["counts"],
        "reporting": row["reporting"],
        "wrong": {
            each["kind"]: {name: each[name] for name in ("since", "amount", "about")}
            for each in findings
            if each["vehicle"] == row["vehicle"]
        },
    }


def _line(row: Row, findings: list[Row], now: datetime) -> tuple[object, ...]:
    heard = f"{age((now - row['heard_at']).total_seconds())} ago"
    return row["vehicle"], _where(row), _does(row, now), heard, _battery(row), _wrong(row, findings)


def _tell(row: Row, findings: list[Row], crossings: list[Row], numbers: Mapping[UUID, str]) -> None:
    now = system_clock()
    counts = sorted(row["counts"].items(), key=lambda each: (-each[1], each[0]))
    told = [
        ("vehicle", row["vehicle"]),
        ("tracker", row["device"]),
        ("where", _where(row)),
        ("as of", "" if row["at"] is None else on_screen(row["at"], now)),
        ("does", _does(row, now)),
        ("heard", f"{age((now - row['heard_at']).total_seconds())} ago"),
        ("battery", _battery(row)),
        ("wrong", _wrong(row, findings)),
        ("asked for", _often((row["reporting"] or {}).get("wished"))),
        ("says it does", _followed(row["reporting"] or {})),
        ("positions", ", ".join(f"{what}: {number}" for what, number in counts)),
        *(
            ("fence" if not number else "", _crossed(each, now, numbers))
            for number, each in enumerate(crossings)
        ),
    ]
    show_table(("what", "value"), told, empty="nothing is known")


def _where(row: Row) -> str:
    return "it never had a place" if row["lat"] is None else f"{row['lat']:.5f}, {row['lon']:.5f}"


def _does(row: Row, now: datetime) -> str:
    if row["since"] is None:
        return ""
    # By its last position that can be right, as the services have it.
    unheard_s = (now - row["at"]).total_seconds()
    if unheard_s > row["silent_after_s"]:
        did = "moved" if row["moving"] else "stood"
        return f"silent for {age(unheard_s)}, {did} then"
    does = "moves" if row["moving"] else "stands"
    return f"{does} for {age((now - row['since']).total_seconds())}"


def _battery(row: Row) -> str:
    return "" if row["battery"] is None else f"{row['battery']:.0%}"


def _wrong(row: Row, findings: list[Row]) -> str:
    return ", ".join(each["kind"] for each in findings if each["vehicle"] == row["vehicle"])


def _often(told: Row | None) -> str:
    """How often a position is told; empty where nobody has said it."""
    if told is None:
        return ""
    together = f", {told['together']} at once" if told["together"] > 1 else ""
    least = f", {told['least_m']:g} m apart" if told["least_m"] else ""
    return f"every {told['every_s']:g} s, standing every {told['still_s']:g} s{least}{together}"


def _followed(reporting: Row) -> str:
    """What a tracker says it does, and whether it was asked for that; wishes are numbered."""
    wished, taken = reporting.get("wished"), reporting.get("taken")
    if taken is None:
        return ""
    if not taken["number"]:
        how = "of its own"
    elif wished is not None and taken["number"] == wished["number"]:
        how = "as it was asked"
    else:
        how = "as it was asked before"
    return f"{_often(taken)} ({how})"


def _crossed(row: Row, now: datetime, numbers: Mapping[UUID, str]) -> str:
    words = {"enter": "came to", "exit": "left", "dwell": "stayed at"}
    fence: str = row["fence"]
    where = fence
    if fence == HOUSE:
        where = "the restaurant"
    elif (order := _order_of(fence)) is not None:
        where = f"the door of {numbers.get(order, 'an order that is not kept any more')}"
        if fence.startswith(NEAR):
            words = {"enter": "came near", "exit": "went away from", "dwell": "stayed near"}
    return f"{on_screen(row['at'], now)} {words[row['what']]} {where}"


def _order_of(fence: str) -> UUID | None:
    """Whose door it is; None for a fence that is around no door."""
    for kind in (NEAR, STOP):
        if fence.startswith(kind):
            return UUID(fence.removeprefix(kind))
    return None
