"""`heard delivery list`, `show`, `link` and `report`."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import click

from cli.application import Application, pass_application
from cli.delivering import at_the_desk, in_a_line, which_order
from cli.failures import Failure
from cli.gateway_client import guests_gateway
from cli.grammar import Command, json_option, tenant_option
from cli.house_clock import on_screen
from cli.known_houses import the_house
from cli.live_etas import live_etas
from cli.ordering import patience_option
from cli.printing import counted, note, say, show_json, show_table, when
from cli.times import MOMENT
from schemas.deliveries import Delivery
from schemas.delivery_rules import DeliveryRules
from schemas.etas import EtaState
from schemas.orders import Order, OrderKind
from services.delivery import doors, store
from services.delivery import report as reports
from services.delivery.kept import Kept
from services.delivery.report import Door
from services.orders import reading
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock

_MOST_NAMED: Final = 5
"""Orders that nobody brings, by name."""


@click.command("list", cls=Command)
@tenant_option
@json_option
@pass_application
def list_(app: Application, *, tenant: str, as_json: bool) -> None:
    """Show what is to be brought, and who brings it.

    Examples:
      heard delivery list --tenant demo
    """

    async def read(database: Database) -> _Open:
        async with database.read() as connection:
            zone = await the_house(connection, tenant)
            kept = await store.open_ones(connection, tenant)
            orders = await reading.open_orders(connection, tenant)
            # What came back has a delivery that has ended: its door is known.
            have = await store.some(connection, {(tenant, each.order_id) for each in orders})
            house = (await house_rules.read(connection, tenant)).delivery
        to_bring = [each for each in orders if _may_be_brought(each)]
        none = [each for each in to_bring if (tenant, each.order_id) not in have]
        etas = {} if as_json else await live_etas(database, tenant)
        return _Open(zone, [each.delivery for each in kept], etas, none, house)

    seen, now = app.run(read), system_clock()
    found = seen.deliveries
    if as_json:
        show_json([each.model_dump(mode="json") for each in found])
        return
    show_table(
        ("order", "status", "expected", "courier", "stop", "placed", "promised"),
        (
            (
                each.number,
                each.status,
                _expected(seen.etas.get(each.order_id), now, seen.zone),
                each.courier or "",
                each.stop or "",
                each.placed_at,
                each.promised_at,
            )
            for each in found
        ),
        empty="nothing is to be brought",
    )
    for line in _without(seen, tenant):
        note(line)


class _Open(NamedTuple):
    """What is to be brought, and what would be if somebody said where."""

    zone: ZoneInfo
    deliveries: list[Delivery]
    etas: Mapping[UUID, EtaState]
    none: Sequence[Order]
    house: DeliveryRules


def _may_be_brought(order: Order) -> bool:
    return order.kind is OrderKind.DELIVERY and order.status in doors.CAN_BEGIN


def _expected(eta: EtaState | None, now: datetime, zone: tzinfo) -> str:
    if eta is None:
        return ""
    return f"{on_screen(eta.p50_at, now, zone)}{' ?' if eta.stale else ''}"


def _without(found: _Open, tenant: str) -> Iterator[str]:
    """Why orders for delivery are not among those that are brought."""
    if not found.none:
        return
    if found.house.place is None:
        yield (
            f"of {counted(len(found.none), 'order')} for delivery nothing is brought here, for "
            "nobody has said where the restaurant is: "
            f"heard delivery rules set --tenant {tenant} place=LAT,LON"
        )
        return
    for order in found.none[:_MOST_NAMED]:
        yield doors.why_none(order, found.house, tenant)
    if len(found.none) > _MOST_NAMED:
        yield f"and {len(found.none) - _MOST_NAMED} more"


@click.command(cls=Command)
@click.argument("name", metavar="ORDER")
@tenant_option
@json_option
@pass_application
def show(app: Application, *, name: str, tenant: str, as_json: bool) -> None:
    """Show one delivery with its times.

    Examples:
      heard delivery show A1B2 --tenant demo
    """
    kept = _the_delivery(app, tenant, name)
    delivery, beside = kept.delivery, kept.beside
    guest = {"guest": beside.guest, "phone": beside.phone, "address": beside.address}
    if as_json:
        show_json(delivery.model_dump(mode="json") | {"ready_at": kept.ready_at} | guest)
        return
    say(in_a_line(delivery))
    etas = app.run(lambda database: live_etas(database, tenant))
    eta = etas.get(delivery.order_id)
    if eta is not None:
        about = f"about {when(eta.p50_at)}, nine times of ten by {when(eta.p90_at)}"
        say(f"  {'expected':<18} {about}{_how_known(eta)}")
    about_the_door = {"door": f"{delivery.place.lat},{delivery.place.lon}", **guest}
    for what, text in about_the_door.items():
        if text:
            say(f"  {what:<18} {text}")
    if delivery.due_at is not None:
        say(f"  {'for':<18} {when(delivery.due_at)}")
    for what, at in sorted(_times(kept), key=lambda each: each[1]):
        say(f"  {what:<18} {when(at)}")
    if delivery.proof is not None:
        say(f"  {'proof':<18} {delivery.proof.kind} {delivery.proof.reference}".rstrip())
    if delivery.declined_by:
        say(f"  {'not by':<18} {', '.join(delivery.declined_by)}")


def _how_known(eta: EtaState) -> str:
    if not eta.stale:
        return ""
    if eta.fix_at is None:
        return " (nobody knows where its courier is)"
    return f" (its courier was last heard of at {when(eta.fix_at)})"


def _times(kept: Kept) -> Iterator[tuple[str, datetime]]:
    """What has happened, and when."""
    delivery = kept.delivery
    for what, at in (
        ("placed", delivery.placed_at),
        ("food ready", kept.ready_at),
        ("assigned", delivery.assigned_at),
        ("accepted", delivery.accepted_at),
        ("at the restaurant", delivery.at_restaurant_at),
        ("picked up", delivery.picked_up_at),
        ("set out", delivery.set_out_at),
        ("arrived", delivery.arrived_at),
        ("failed", kept.beside.failed_at),
        ("ended", delivery.ended_at),
    ):
        if at is not None:
            yield what, at


def _the_delivery(app: Application, tenant: str, name: str) -> Kept:
    """The delivery of an order.

    Raises:
        Failure: there is no such order, or none is brought of it; the text says why.
    """
    order_id = which_order(app, tenant, name)

    async def read(database: Database) -> Kept:
        async with database.read() as connection:
            kept = await store.find(connection, tenant, order_id)
            if kept is None:
                order = await reading.one(connection, tenant, order_id)
                house = (await house_rules.read(connection, tenant)).delivery
                raise Failure(doors.why_none(order, house, tenant))
            return kept

    return app.run(read)


@click.command(cls=Command)
@click.argument("name", metavar="ORDER")
@tenant_option
@patience_option
@json_option
@pass_application
def link(app: Application, *, name: str, tenant: str, patience: float, as_json: bool) -> None:
    """Print the link by which the guest sees where their order is.

    Whoever has it sees what its guest may see, until its time is up. It begins with the setting
    guests_gateway, or without that where the gateway listens, which may be this machine alone.

    Examples:
      heard delivery link A1B2 --tenant demo
    """
    order_id = _the_delivery(app, tenant, name).delivery.order_id
    with at_the_desk(app, tenant, None, patience) as ask:
        found = ask(lambda desk: desk.share_delivery(order_id))
    whole = guests_gateway(app) + found.path
    if as_json:
        show_json(found.model_dump(mode="json") | {"link": whole})
        return
    say(f"{whole}  until {when(found.until)}")


@click.command(cls=Command)
@tenant_option
@click.option(
    "--since", type=MOMENT, default="1d", show_default=True, metavar="WHEN",
    help="Orders that were placed then or later.",
)  # fmt: skip
@click.option("--until", type=MOMENT, metavar="WHEN", help="And before; without, until now.")
@click.option("--csv", "as_csv", is_flag=True, help="A table for other programs.")
@json_option
@pass_application
def report(
    app: Application,
    *,
    tenant: str,
    since: datetime,
    until: datetime | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Show of every order when it was promised to be at its door, and when it was.

    It was at its door when the guest had it, for of that they are told; when the courier was
    there stands beside. Minutes late are against the promise; below zero it came sooner.

    Examples:
      heard delivery report --tenant demo --since 4h
      heard delivery report --tenant demo --since 2026-05-01 --csv > may.csv
    """
    ends = until or system_clock()
    if since >= ends:
        raise click.BadParameter(f"{when(since)} is not before {when(ends)}", param_hint="--since")

    async def read(database: Database) -> list[Door]:
        async with database.read() as connection:
            await the_house(connection, tenant)
            found = await store.placed_between(connection, tenant, since, ends)
            return [reports.door(each) for each in found]

    found = app.run(read)
    if as_json:
        show_json({"orders": [each._asdict() for each in found], "sums": _sums(found)})
    elif as_csv:
        say(_csv(found).rstrip("\r\n"))
    else:
        show_table(
            (
                *("order", "status", "placed", "promised", "courier there", "at door"),
                *("late min", "off min"),
            ),
            (
                (
                    each.number,
                    each.status,
                    each.placed_at,
                    each.promised_at,
                    each.arrived_at,
                    each.door_at,
                    _minutes(each.late_s),
                    _minutes(each.error_s),
                )
                for each in found
            ),
            empty="nothing was to be brought",
        )
        if found:
            say(_in_words(found))


def _minutes(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds / 60:+.1f}"


def _csv(doors: Sequence[Door]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(Door._fields)
    writer.writerows(
        [each.isoformat() if isinstance(each, datetime) else each for each in door]
        for door in doors
    )
    return text.getvalue()


def _sums(doors: Sequence[Door]) -> dict[str, Any]:
    errors = [each.error_s for each in doors if each.error_s is not None]
    late = [each.late_s for each in doors if each.late_s is not None]
    found: dict[str, Any] = {"orders": len(doors), "delivered": len(late)}
    found["in_time"] = sum(each <= 0 for each in late)
    found["mean_error_s"] = statistics.fmean(map(abs, errors)) if errors else None
    return found


def _in_words(doors: Sequence[Door]) -> str:
    sums = _sums(doors)
    text = f"{counted(sums['orders'], 'order')}, {sums['delivered']} delivered"
    if sums["delivered"]:
        text += f", {sums['in_time']} in time"
    if sums["mean_error_s"] is not None:
        text += f", {sums['mean_error_s'] / 60:.1f} min off in the mean"
    return text


COMMANDS: Final = (list_, show, link, report)
