"""`heard replay`: send what a file holds, as it was."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli import replay_sums, replaying
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.files import Running, said_to_run, say_running
from cli.grammar import Group, json_option
from cli.names import NAME
from cli.order_files import OrderFile, kind_of, make_menu, read_orders
from cli.printing import counted, note, say, show_json
from cli.recount import House
from cli.replay_talk import Provider, Talk, Telling
from cli.replaying import Kept, Plan, Seen
from cli.settings import BrokerKind
from cli.span import SPEED
from cli.system import System
from schemas.identifiers import slug
from schemas.money import to_text
from services.menu.handlers import put_menu
from services.menu.store import menu_of
from services.people import store
from services.people.store import Tenant
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.lease import is_held
from services.runtime.moment import system_clock


@click.group(cls=Group)
def replay() -> None:
    """Send what a file holds, as it was."""


@replay.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tenant", type=NAME, metavar="NAME", help="Without it, named after the file.")
@click.option(
    "--speed",
    type=SPEED,
    default="max",
    show_default=True,
    help="60x keeps the file's spacing, sixty times as fast; max does not wait.",
)
@click.option(
    "--prices",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where the prices stand, when they are not in the file.",
)
@click.option("--limit", type=click.IntRange(1), help="Only the first so many orders.")
@click.option(
    "--cooks/--no-cooks",
    default=False,
    help="Cooks make everything and the orders are closed; else they stay open, heard.",
)
@click.option(
    "--changes",
    type=int,
    metavar="SEED",
    help="Then change, pay, refund and cancel them at random, and recount every penny apart.",
)
@json_option
@pass_application
def orders(
    app: Application,
    *,
    file: Path,
    tenant: str | None,
    speed: float,
    prices: Path | None,
    limit: int | None,
    cooks: bool,
    changes: int | None,
    as_json: bool,
) -> None:
    """Place the orders of a file again, over MQTT, and see that they are heard.

    The file is CSV with order_id, placed_at, item, quantity and unit_price, or with
    order_id, placed_at, pizza_size_id and quantity (prices in pizza_menu.csv beside it).
    Tenant and menu are made from it. Every order has the same id each time: a second
    run adds nothing. Where no heard runs here, one runs for as long as this takes.

    With --changes lines are added, changed and voided, bills paid in cash and by a provider
    (who reports over the gateway), tipped, refunded and cancelled, by a seed that stays the
    same for a tenant. What each order then costs and owes is worked out a second time from
    the messages alone, and held against its row and its journal.

    The exit code is 1 where anything was lost, kept twice, or costs another sum.

    Examples:
      heard replay orders uk_takeaway.csv
      heard replay orders uk_takeaway.csv --tenant changed --changes 7 --json
      heard replay orders pizza_lines.csv --tenant pizzeria --speed 600x --cooks --json
    """
    kind, currency = kind_of(file)
    name = tenant or slug(file.stem)
    with served(app) as gateway:
        currency = app.run(lambda database: _tenant(database, name, file, currency))
        source = read_orders(file, currency=currency, prices=prices)
        plan = app.run(
            lambda database: _plan(database, name, source, currency=currency, limit=limit)
        )
        before = app.run(lambda database: replaying.count_kept(database, plan))
        seen = Seen()
        began = time.monotonic()
        with (
            _bars(plan, show=not as_json and sys.stderr.isatty()) as progress,
            replaying.devices_for(app, plan, seen, cooks=cooks) as (till, _displays),
        ):
            sending = time.monotonic()
            telling = None
            if changes is None:
                replaying.send(till, plan, seen, speed, progress)
            else:
                house = app.run(lambda database: _house(database, plan))
                with Provider.of(app, name, currency, gateway) as provider:
                    telling = Telling(plan, changes, house, till, provider)
                    replaying.send(till, plan, seen, speed, progress, then=telling.tell)
            sent_s = time.monotonic() - sending
            replaying.wait_heard(app, plan, seen, progress)
            if cooks:
                replaying.wait_bumped(plan, seen, progress)
                replaying.close_all(till, plan, progress, seen)
            heard_s = time.monotonic() - sending
        kept = app.run(lambda database: replaying.count_kept(database, plan))
        took = {"sent": sent_s, "heard": heard_s, "whole": time.monotonic() - began}
        ours = {} if changes is None else app.run(lambda d: replay_sums.ours(d, name, plan.ids()))
    summary = _summary(plan, source, seen, before=before, kept=kept, took=took)
    if telling is None:
        summary["duplicates"] += kept.tickets_twice + seen.duplicates
        wrong = kept.total_minor != summary["file_total_minor"]
    else:
        summary["changes"] = told = _changes(changes, telling.talk, ours)
        wrong = bool(told["orders_apart"] or told["unexpected"])
    _show(summary, as_json=as_json, kind=kind, currency=currency)
    if summary["lost"] or summary["duplicates"] or wrong:
        raise Failure("the orders kept are not those that were asked for: see the figures above")


async def _house(database: Database, plan: Plan) -> House:
    """What prices rest on: the file's own, and the taxes of the house."""
    async with database.read() as connection:
        rules = (await house_rules.read(connection, plan.tenant)).orders
    menu = {item: {"price_minor": price} for (_, price), item in plan.items.items()}
    return House(menu, rules.taxes, rules.prices_include_tax)


def _changes(seed: int | None, talk: Talk, ours: dict[UUID, replay_sums.Figures]) -> dict[str, Any]:
    theirs = replay_sums.theirs(talk.recount.bills)
    apart = list(replay_sums.apart(ours, theirs))
    return {
        "seed": seed,
        "done": dict(sorted(talk.done.items())),
        "refused": dict(sorted(talk.refused.items())),
        "unexpected": sum(
            count for what, count in talk.refused.items() if what.startswith(("settle", "place"))
        ),
        "database": replay_sums.summed(ours),
        "recounted": replay_sums.summed(theirs),
        "orders_apart": len(apart),
        "apart": apart[:10],
    }


@contextmanager
def served(app: Application) -> Iterator[str]:
    """Make sure that heard runs: the one that is there, or one in this process.

    Gives the address of its gateway; empty where that is where the settings say.
    """
    settings = app.settings
    if app.embedded:
        if settings.broker_port or app.running is not None:
            yield ""
            return
        note("no heard runs here: running one in this process for as long as this takes")
        with (
            said_to_run(settings) as path,
            System(settings, migrate=True, any_port=True) as system,
        ):
            address = system.address
            url = settings.database_url
            running = Running(
                os.getpid(), address.host, address.port, BrokerKind.EMBEDDED.value, url
            )
            say_running(path, running)
            _wait_serving(system)
            yield system.gateway_url
        return
    if app.run(is_held, as_it_is=True):
        yield ""
        return
    note("no services run: running them in this process for as long as this takes")
    with System(settings, migrate=True) as system:
        _wait_serving(system)
        yield system.gateway_url


def _wait_serving(system: System) -> None:
    if not system.wait_serving():
        raise Failure("the services do not come up: `heard doctor` says more")


async def _tenant(database: Database, name: str, file: Path, currency: str) -> str:
    """Make the tenant where there is none; returns its currency."""
    async with database.write() as connection:
        known = await store.find_tenant(connection, name)
        if known is not None:
            return known.currency
        await store.add_tenant(connection, Tenant(name, file.stem, currency, system_clock()))
        return currency


async def _plan(
    database: Database, tenant: str, source: OrderFile, *, currency: str, limit: int | None
) -> Plan:
    """Put what the file needs on the menu."""
    async with database.write() as connection:
        standing = await menu_of(connection, tenant)
        items, names = make_menu(source, currency=currency, standing=standing)
        await put_menu(connection, tenant, items, system_clock(), replace=False)
    stations = sorted({item.station for item in items})
    return Plan(tenant, source.kind, source.orders[:limit], names, stations)


@contextmanager
def _bars(plan: Plan, *, show: bool) -> Iterator[replaying.Progress]:
    if not show:
        yield lambda _seen: None
        return
    bars = Progress(
        TextColumn("{task.description:<9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    total = len(plan.orders)
    with bars:
        sent = bars.add_task("sent", total=total)
        answered = bars.add_task("answered", total=total)
        tickets = bars.add_task("heard", total=None)

        def progress(seen: Seen) -> None:
            bars.update(sent, completed=seen.sent)
            bars.update(answered, completed=seen.answered)
            bars.update(tickets, completed=len(seen.heard), total=len(seen.tickets))

        yield progress


def _summary(
    plan: Plan,
    source: OrderFile,
    seen: Seen,
    *,
    before: Kept,
    kept: Kept,
    took: dict[str, float],
) -> dict[str, Any]:
    ids = set(plan.ids())
    displayed = {order for order, _ in seen.tickets.values() if order in ids}
    count = len(plan.orders)
    return {
        "tenant": plan.tenant,
        "orders_sent": seen.sent,
        "orders_kept": kept.orders,
        "orders_on_tickets": kept.on_tickets,
        "orders_heard": kept.heard,
        "orders_on_displays": len(displayed),
        "orders_added": kept.orders - before.orders,
        "tickets": kept.tickets,
        "duplicates": kept.duplicates,
        "lost": seen.sent - kept.orders,
        "rejected": dict(seen.rejected),
        "total_minor": kept.total_minor,
        "file_total_minor": sum(order.total_minor for order in plan.orders),
        "odd": dict(sorted(source.odd.counts.items())),
        "odd_examples": source.odd.examples,
        "seconds": round(took["heard"], 3),
        "orders_per_s": round(count / took["sent"], 1) if took["sent"] else None,
    }


def _show(summary: dict[str, Any], *, as_json: bool, kind: str, currency: str) -> None:
    if as_json:
        show_json(summary)
        return
    say(
        f"{counted(summary['orders_sent'], 'order')} of a {kind} sent to {summary['tenant']}: "
        f"{summary['orders_kept']} kept ({summary['orders_added']} new), "
        f"{summary['orders_on_tickets']} on tickets, {summary['orders_heard']} heard"
    )
    say(
        f"total {to_text(summary['total_minor'], currency)}, "
        f"by the file {to_text(summary['file_total_minor'], currency)}; "
        f"{summary['lost']} lost, {summary['duplicates']} twice"
    )
    if (changes := summary.get("changes")) is not None:
        for whose in ("database", "recounted"):
            told = changes[whose]
            figures = ", ".join(
                f"{name} {to_text(told[f'{name}_minor'], currency)}" for name in replay_sums.FIGURES
            )
            say(f"{whose}: {figures}")
        say(
            f"{counted(sum(changes['done'].values()), 'request')} done; "
            f"{counted(changes['orders_apart'], 'order')} apart"
        )
        for one in changes["apart"]:
            say(f"apart: {one}")
    say(f"{summary['seconds']:.1f} s, {summary['orders_per_s']} orders/s")
    for reason, count in summary["rejected"].items():
        say(f"rejected {count}: {reason}")
    for what, count in summary["odd"].items():
        say(f"odd: {what} {count}, as {summary['odd_examples'][what][0]}")
