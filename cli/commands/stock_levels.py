"""`heard stock show`, `sheet` and `ledger`: how much there is, and how it came to that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID

import click

from cli.amounts import on_table
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Command, json_option, tenant_option
from cli.house_clock import on_screen, zone_of_house
from cli.known_houses import must_be_there
from cli.names import NAME
from cli.printing import show_json, show_table
from cli.times import MOMENT
from schemas.inventory import BaseUnit, Lot, MovementKind, StockMark
from services.inventory.ledger import EFFECT
from services.inventory.ledger_rows import Entry, newest
from services.inventory.lot_rows import lots_of
from services.inventory.reading import Kept, levels, to_be_counted
from services.orders.store import numbers_of
from services.runtime.database import Database
from services.runtime.moment import system_clock


@click.command(cls=Command)
@click.argument("items", type=NAME, nargs=-1, metavar="[ITEM]...")
@tenant_option
@click.option("--place", type=NAME, metavar="NAME", help="Only what lies there.")
@click.option("--low", is_flag=True, help="Only what is low, critical, or below nothing.")
@click.option("--lots", is_flag=True, help="What is left of each delivery, and until when.")
@json_option
@pass_application
def show(
    app: Application,
    *,
    items: tuple[str, ...],
    tenant: str,
    place: str | None,
    low: bool,
    lots: bool,
    as_json: bool,
) -> None:
    """Show how much there is: on hand, promised, damaged, and what may still be promised.

    Available is what is on hand, less what is damaged and what is reserved for orders. What
    nobody has counted or received says so: it limits nothing.

    Examples:
      heard stock show --tenant roma
      heard stock show flour egg --tenant roma --lots
      heard stock show --tenant roma --low --json
    """
    found, left = app.run(lambda database: _read(database, tenant, items, with_lots=lots))
    unknown = sorted(set(items) - {each.item.item for each in found})
    if unknown:
        raise Failure(
            f"the book of {tenant} has no item {', '.join(unknown)}: "
            f"heard stock sheet --tenant {tenant}"
        )
    found = [each for each in found if _wanted(each, place, low=low)]
    if as_json:
        show_json([_document(each, left) for each in found])
    elif lots:
        _show_lots(found, left)
    else:
        show_table(
            ("item", "on hand", "reserved", "damaged", "available", "planned", "", "where"),
            (_row(each) for each in found),
            empty="nothing is low"
            if low
            else f"no stock is kept: heard recipe import FILE --tenant {tenant}",
        )


async def _read(
    database: Database, tenant: str, items: tuple[str, ...], *, with_lots: bool
) -> tuple[list[Kept], dict[str, list[Lot]]]:
    async with database.read() as connection:
        await _check_tenant(connection, tenant)
        found = await levels(connection, tenant, system_clock(), items=items or None)
        names = [each.item.item for each in found]
        return found, await lots_of(connection, tenant, names) if with_lots else {}


async def _check_tenant(connection: Any, tenant: str) -> None:
    await must_be_there(connection, tenant)


def _wanted(kept: Kept, place: str | None, *, low: bool) -> bool:
    level = kept.level
    if place is not None and place not in {each.place for each in level.places if each.on_hand}:
        return False
    return not low or level.mark is not StockMark.OK or (level.counted and level.on_hand < 0)


def _row(kept: Kept) -> Sequence[str]:
    level, unit = kept.level, kept.item.unit
    figures = (level.on_hand, level.reserved, level.damaged, level.available, level.planned)
    places = [each for each in level.places if each.on_hand]
    return (
        level.item,
        *(on_table(each, unit) for each in figures),
        _mark(kept),
        ", ".join(f"{each.place} {on_table(each.on_hand, unit)}" for each in places)
        if len(places) > 1
        else "".join(each.place for each in places),
    )


def _mark(kept: Kept) -> str:
    if not kept.level.counted:
        return "not counted"
    if kept.level.on_hand < 0:
        return "COUNT IT"
    return {StockMark.OK: "", StockMark.LOW: "low", StockMark.CRITICAL: "CRITICAL"}[kept.level.mark]


def _document(kept: Kept, left: dict[str, list[Lot]]) -> dict[str, Any]:
    found = kept.level.model_dump(mode="json") | {"name": kept.item.name}
    lots = left.get(kept.item.item)
    return found if lots is None else found | {"lots": [e.model_dump(mode="json") for e in lots]}


def _show_lots(found: Sequence[Kept], left: dict[str, list[Lot]]) -> None:
    show_table(
        ("item", "left", "of", "use by", "delivery", "lot"),
        (
            (
                kept.item.item,
                on_table(lot.left, kept.item.unit),
                on_table(lot.received, kept.item.unit),
                lot.expires_on,
                lot.reference,
                lot.lot_id,
            )
            for kept in found
            for lot in left.get(kept.item.item, ())
        ),
        empty="nothing is left of any delivery",
    )


@click.command(cls=Command)
@tenant_option
@click.option("--place", type=NAME, metavar="NAME", help="Only what should be looked for there.")
@json_option
@pass_application
def sheet(app: Application, *, tenant: str, place: str | None, as_json: bool) -> None:
    """List what there is to count, where, and in what; nothing of how much there should be.

    Examples:
      heard stock sheet --tenant roma --place cellar
      heard stock sheet --tenant roma > sheet.tsv
    """
    kept, _ = app.run(lambda database: _read(database, tenant, (), with_lots=False))
    every = [to_be_counted(each) for each in kept]
    found = [each for each in every if place is None or place in each.places]
    if every and not found:
        known = ", ".join(sorted({place for each in every for place in each.places}))
        raise Failure(f"nothing of {tenant} lies at {place}: look at {known}")
    if as_json:
        show_json([each.model_dump(mode="json") for each in found])
        return
    show_table(
        ("item", "name", "where", "counted in", "found"),
        (
            (each.item, each.name, ", ".join(each.places), ", ".join(each.units[:4]), "")
            for each in found
        ),
        empty=f"there is nothing to count: heard recipe import FILE --tenant {tenant}",
    )


# -- the ledger -------------------------------------------------------------------------------


@click.command(cls=Command)
@click.argument("item", type=NAME)
@tenant_option
@click.option("--from", "since", type=MOMENT, metavar="WHEN", help="Then or later: 2024-05-01.")
@click.option(
    "--kind",
    "kinds",
    type=click.Choice([each.value for each in MovementKind]),
    multiple=True,
    help="Only these kinds.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=50,
    show_default=True,
    help="At most so many, the newest.",
)
@json_option
@pass_application
def ledger(
    app: Application,
    *,
    item: str,
    tenant: str,
    since: datetime | None,
    kinds: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> None:
    """Show the movements of an item, the oldest first: all that there is, is their sum.

    "On hand then" is what the books had after each. A count that came late stands where it
    came, with the time at which somebody looked.

    Examples:
      heard stock ledger flour --tenant roma
      heard stock ledger flour --tenant roma --from 7d --kind count --kind waste
    """
    wanted = frozenset(MovementKind(each) for each in kinds) or frozenset(MovementKind)

    async def read(database: Database) -> tuple[list[Kept], list[Entry], dict[UUID, str]]:
        async with database.read() as connection:
            await _check_tenant(connection, tenant)
            found = await levels(connection, tenant, system_clock(), items=[item])
            moved = await newest(connection, tenant, item, since=since, kinds=wanted, limit=limit)
            orders = {each.order_id for each in moved if each.order_id is not None}
            return found, moved, await numbers_of(connection, tenant, orders)

    found, entries, numbers = app.run(read)
    if not found:
        raise Failure(
            f"the book of {tenant} has no item {item}: heard stock sheet --tenant {tenant}"
        )
    # With some kinds left out, what stands between two movements is not known here.
    held = None if kinds else _held_after(found[0].level.on_hand, entries)
    if as_json:
        show_json([_entry(each, held, numbers) for each in reversed(entries)])
        return
    unit, now, zone = found[0].item.unit, system_clock(), zone_of_house(app, tenant)
    show_table(
        ("at", "what", "amount", "on hand then", "where", "for", "by", "why"),
        (_entry_row(each, held, unit, numbers, (now, zone)) for each in reversed(entries)),
        empty=f"{item} has not moved",
    )


def _held_after(on_hand: int, entries: Sequence[Entry]) -> dict[UUID, int]:
    """What the books had after each movement, from what they have now; the newest come first."""
    found: dict[UUID, int] = {}
    for each in entries:
        found[each.movement_id] = on_hand
        on_hand -= EFFECT[each.moved.kind].on_hand * each.moved.amount
    return found


def _entry(
    each: Entry, held: Mapping[UUID, int] | None, numbers: Mapping[UUID, str]
) -> dict[str, Any]:
    moved = each.moved
    order = each.order_id
    return {
        "movement_id": each.movement_id,
        "kind": moved.kind.value,
        "amount": moved.amount,
        "on_hand_after": None if held is None else held[each.movement_id],
        "at": moved.at,
        "kept_at": moved.kept_at,
        "place": moved.place,
        "to_place": moved.to_place,
        "order_id": order,
        "order": None if order is None else numbers.get(order),
        "reference": moved.reference,
        "device": each.device,
        "person": each.person,
        "why": each.why,
    }


def _entry_row(
    each: Entry,
    held: Mapping[UUID, int] | None,
    unit: BaseUnit,
    numbers: Mapping[UUID, str],
    clock: tuple[datetime, tzinfo],
) -> Sequence[str | None]:
    moved = each.moved
    way = f"{moved.place} to {moved.to_place}" if moved.to_place else moved.place
    order = None if each.order_id is None else numbers.get(each.order_id, f"{each.order_id}")
    late = "" if moved.at == moved.kept_at else f", came {on_screen(moved.kept_at, *clock)}"
    return (
        f"{on_screen(moved.at, *clock)}{late}",
        moved.kind.value,
        on_table(moved.amount, unit),
        None if held is None else on_table(held[each.movement_id], unit),
        way,
        order or moved.reference,
        each.person or each.device,
        each.why,
    )
