"""`heard bench`: how fast orders travel, against a floor measured in the same run."""

from __future__ import annotations

import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import uvloop

from broker_config.settings import BrokerLogin, BrokerSettings
from cli.admission import Admitted, a_device, admit, drop_tenant
from cli.application import Application, pass_application
from cli.bench_child import SECRET, child
from cli.bench_fixes import fixes, floor_drain
from cli.bench_floor import (
    DISPLAY,
    POS,
    SERVER,
    FloorReceiver,
    FloorSender,
    remove_floor,
    serve_floor,
)
from cli.bench_history import fill
from cli.bench_kitchen import Crowd, measure
from cli.bench_orders import (
    Burst,
    Paced,
    Shown,
    display,
    floor_at,
    milliseconds,
    orders_at,
    sustained,
)
from cli.bench_stock import LAST, WATCHER, StockBench, StockWatcher
from cli.failures import Failure
from cli.grammar import Command, Group, json_option
from cli.printing import note, say, show_json
from devices.pos import PointOfSale
from schemas.devices import Role
from schemas.identifiers import new_id
from schemas.menu import MenuItem
from services.menu.handlers import put_menu
from services.people.store import Tenant, add_tenant
from services.runtime.database import Database
from services.runtime.moment import system_clock

STATIONS: Final = 4
TILLS: Final = 4
ITEMS: Final = tuple(f"item-{number}" for number in range(40))
START_S: Final = 30.0


@click.group(cls=Group)
def bench() -> None:
    """Measure how fast orders and positions travel."""


bench.add_command(fixes)
bench.add_command(floor_drain)


@bench.command(cls=Command)
@click.option("--rate", type=click.FloatRange(1, 10_000), default=100.0, show_default=True,
              help="Orders a second, while times are taken.")  # fmt: skip
@click.option("--seconds", type=click.FloatRange(0.5, 600), default=10.0, show_default=True,
              help="How long each round at that rate lasts.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True,
              help="Rounds; floor and orders in turn, medians are printed.")  # fmt: skip
@click.option("--sustain", type=click.FloatRange(0, 100_000), default=1000.0, show_default=True,
              help="Orders a second that are offered at full speed; 0 leaves it out.")  # fmt: skip
@click.option("--sustain-seconds", type=click.FloatRange(1, 3600), default=20.0, show_default=True,
              help="For how long.")  # fmt: skip
@click.option("--history", type=click.IntRange(0, 100_000_000), default=0, show_default=True,
              help="Also compare 1,000 closed orders with this many.")  # fmt: skip
@json_option
@pass_application
def orders(
    app: Application,
    *,
    rate: float,
    seconds: float,
    rounds: int,
    sustain: float,
    sustain_seconds: float,
    history: int,
    as_json: bool,
) -> None:
    """Measure orders from the till to the kitchen display.

    Real tills and displays drive the system that serves here, or one that is started
    for the time being. The floor, measured in turn with it, is the bare path of the same
    broker and database: publish, receive, one committed insert, publish, receive. A
    tenant of its own is made, and removed in the end.

    Examples:
      heard bench orders
      heard bench orders --json --broker mosquitto --history 1000000
    """
    with benched(app) as field:
        field.round(rate, min(seconds, 3.0))  # caches, plans and sockets become warm
        found = [field.round(rate, seconds) for _ in range(rounds)]
        figures = _paced_figures(found)
        if sustain:
            figures |= _burst_figures(
                sustained(sustain, sustain_seconds, field.tills, field.shown, ITEMS)
            )
        if history:
            figures |= _history_figures(app, field, rate, seconds, history)
        lost = sum(each.lost for _, each in found) + figures.pop("sustained_lost", 0)
        figures["lost"] = lost
        figures["duplicates"] = field.shown.duplicates
    if as_json:
        show_json(figures)
    else:
        for name, value in figures.items():
            say(f"{name:24} {value}")


@bench.command(cls=Command)
@click.option("--stations", type=click.IntRange(STATIONS, 200), default=50, show_default=True,
              help="Stations of the kitchen.")  # fmt: skip
@click.option("--open", "open_", type=click.IntRange(200, 100_000), default=10_000,
              show_default=True, help="Tickets that stand open all the while.")  # fmt: skip
@click.option("--rate", type=click.FloatRange(1, 10_000), default=50.0, show_default=True,
              help="Orders a second, while times are taken.")  # fmt: skip
@click.option("--seconds", type=click.FloatRange(0.5, 600), default=6.0, show_default=True,
              help="How long each round at that rate lasts.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True,
              help="Rounds; floor and orders in turn, medians are printed.")  # fmt: skip
@json_option
@pass_application
def kitchen(
    app: Application,
    *,
    stations: int,
    open_: int,
    rate: float,
    seconds: float,
    rounds: int,
    as_json: bool,
) -> None:
    """Measure a large, full kitchen: tickets, displays that connect, all-day counts.

    Times from the till to the display are taken with few tickets open and with many, each
    against the floor of its own rounds. Then displays connect to a station with 200 open
    tickets, over and over; and all-day counts of as many open lines follow single changes.

    Examples:
      heard bench kitchen
      heard bench kitchen --json --broker mosquitto --stations 50 --open 10000
    """
    with benched(app, stations=stations) as field:

        def paced() -> dict[str, Any]:
            field.round(rate, min(seconds, 3.0))
            return _paced_figures([field.round(rate, seconds) for _ in range(rounds)])

        others = [elsewhere(number) for number in range(STATIONS, stations)] or list(ITEMS)
        measured = measure(app, field.tenant, field.tills, Crowd(others, open_), paced)
    figures = {"stations": stations, **measured}
    if as_json:
        show_json(figures)
    else:
        for name, value in figures.items():
            say(f"{name:28} {value}")


@bench.command(cls=Command)
@click.option("--items", type=click.IntRange(1_000, 100_000), default=10_000, show_default=True,
              help="Items in the book.")  # fmt: skip
@click.option("--recipes", type=click.IntRange(200, 50_000), default=2_000, show_default=True,
              help="Recipes, nested four deep.")  # fmt: skip
@click.option("--sustain", type=click.FloatRange(10, 100_000), default=1000.0, show_default=True,
              help="Orders a second that are offered at full speed.")  # fmt: skip
@click.option("--sustain-seconds", type=click.FloatRange(0.5, 3600), default=8.0,
              show_default=True, help="For how long, each time.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True,
              help="Rounds, without stock and with it in turn; medians are printed.")  # fmt: skip
@click.option("--alerts", type=click.IntRange(5, 100_000), default=200, show_default=True,
              help="How often the last portion is sold.")  # fmt: skip
@json_option
@pass_application
def stock(
    app: Application,
    *,
    items: int,
    recipes: int,
    sustain: float,
    sustain_seconds: float,
    rounds: int,
    alerts: int,
    as_json: bool,
) -> None:
    """Measure what stock costs the orders, and how soon the house knows what is short.

    Orders are offered at full speed to a house that keeps no stock and, in turn, to the same
    house with a book of thousands of items and recipes of depth four. Then the last portion of
    a dish is sold, over and over, until its alert and its 86 are at another till; and the
    database's part of a line's deduction is timed by itself.

    Examples:
      heard bench stock
      heard bench stock --json --broker mosquitto --rounds 5
    """
    with benched(app) as field:
        measured = StockBench(items, recipes, sustain, sustain_seconds, rounds, alerts)
        figures = measured.run(app, field.tenant, field.tills, field.shown, field.watcher)
    if as_json:
        show_json(figures)
    else:
        for name, value in figures.items():
            say(f"{name:36} {value}")


@bench.command("floor-server", cls=Command, hidden=True)
@click.argument("tenant")
@pass_application
def floor_server(app: Application, *, tenant: str) -> None:
    """Serve the floor; `bench orders` starts this by itself.

    Examples:
      heard bench floor-server TENANT
    """
    secret = os.environ.get(SECRET)
    if secret is None:
        raise Failure("`heard bench orders` starts this by itself")
    login = BrokerLogin(username=f"{tenant}:{SERVER}", secret=secret)
    settings = BrokerSettings(address=app.address(), login=login)
    uvloop.run(serve_floor(app.database_url, settings, tenant))


@dataclass(frozen=True, slots=True)
class Field:
    """Everything that takes part in one bench."""

    tenant: str
    tills: list[PointOfSale]
    shown: Shown
    sender: FloorSender
    receiver: FloorReceiver
    watcher: StockWatcher
    items: tuple[str, ...]
    """What is ordered: made at the stations that have a display."""

    def round(self, rate: float, seconds: float) -> tuple[Paced, Paced]:
        """Floor and orders, one after the other, at the same rate."""
        seed = len(self.shown.at)
        gc.collect()
        floor = floor_at(rate, seconds, self.sender, self.receiver, seed=seed)
        gc.collect()
        return floor, orders_at(rate, seconds, self.tills, self.shown, self.items, seed=seed)


@contextmanager
def benched(app: Application, *, stations: int = STATIONS) -> Iterator[Field]:
    """A tenant of its own with tills, a menu, and displays at its first stations.

    Args:
        app: where it is.
        stations: how many there are.
    """
    tenant = f"bench-{new_id().hex[-8:]}"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="heard-bench-")))
        stack.enter_context(_serving(app, folder))
        app.run(lambda database: _open(database, tenant, stations))
        stack.callback(lambda: app.run(lambda database: _close(app, database, tenant)))
        admitted = _admit(app, tenant)
        stack.enter_context(_floor(app, admitted[SERVER], folder))
        shown = Shown()
        host, port = app.address().host, app.address().port
        tills = [
            stack.enter_context(
                PointOfSale(
                    host,
                    port,
                    outbox=folder / f"pos-{number}.db",
                    **admitted[f"bench-pos-{number}"].options(),
                )
            )
            for number in range(TILLS)
        ]
        displays = [
            stack.enter_context(
                display(
                    host,
                    port,
                    f"bench-{number}",
                    shown,
                    **admitted[f"bench-display-{number}"].options(),
                )
            )
            for number in range(STATIONS)
        ]
        sender = stack.enter_context(FloorSender(host, port, **admitted[POS].options()))
        receiver = stack.enter_context(FloorReceiver(host, port, **admitted[DISPLAY].options()))
        watcher = stack.enter_context(StockWatcher(host, port, **admitted[WATCHER].options()))
        for device in (*tills, *displays, sender, receiver, watcher):
            if not device.wait_online(START_S):
                raise Failure(f"{device.device} cannot connect to {app.address()}")
        yield Field(tenant, tills, shown, sender, receiver, watcher, ITEMS)


async def _open(database: Database, tenant: str, stations: int) -> None:
    now = system_clock()
    made_at = [(item, number % STATIONS) for number, item in enumerate(ITEMS)]
    made_at.append((LAST, 0))
    made_at += [(elsewhere(number), number) for number in range(STATIONS, stations)]
    menu = [
        MenuItem(
            item=item,
            name=item.replace("-", " ").title(),
            station=f"bench-{number}",
            price_minor=100 + number,
            currency="GBP",
        )
        for item, number in made_at
    ]
    async with database.write() as connection:
        await add_tenant(connection, Tenant(tenant, "Bench", "GBP", now))
        await put_menu(connection, tenant, menu, now, replace=True)


def elsewhere(station: int) -> str:
    """The item of a station without a display."""
    return f"elsewhere-{station}"


async def _close(app: Application, database: Database, tenant: str) -> None:
    await drop_tenant(app, database, tenant)
    await remove_floor(database)


def _admit(app: Application, tenant: str) -> dict[str, Admitted]:
    wanted = [
        *((f"bench-pos-{number}", Role.POS) for number in range(TILLS)),
        *((f"bench-display-{number}", Role.KITCHEN_DISPLAY) for number in range(STATIONS)),
        *((name, Role.MANAGER) for name in (POS, SERVER, DISPLAY, WATCHER)),
    ]
    devices = [a_device(tenant, name, role, transient=True) for name, role in wanted]
    secrets = app.run(lambda database: admit(app, database, devices))
    address = app.address()
    return {
        device.device: Admitted(tenant, device.device, secret, address)
        for device, secret in zip(devices, secrets, strict=True)
    }


@contextmanager
def _serving(app: Application, folder: Path) -> Iterator[None]:
    """The system that serves already, or one for the time being.

    With a broker of its own a second `serve` is harmless: it stands by while another one
    serves.
    """
    if app.embedded and app.running is not None:
        yield
        return
    with child(app, folder, "up" if app.embedded else "serve") as running:
        deadline = time.monotonic() + START_S
        while app.embedded and app.running is None:
            if running.poll() is not None or time.monotonic() > deadline:
                raise Failure("heard did not start: run `heard up` to see why")
            time.sleep(0.05)
        yield


@contextmanager
def _floor(app: Application, server: Admitted, folder: Path) -> Iterator[None]:
    with child(
        app, folder, "bench", "floor-server", server.tenant, secret=server.secret
    ) as running:
        line = running.stdout.readline() if running.stdout else ""
        if line.strip() != "ready":
            raise Failure("the floor's server did not start: see the log above")
        yield


def _paced_figures(rounds: list[tuple[Paced, Paced]]) -> dict[str, Any]:
    """Medians over the rounds; ratios are taken round by round, before their median."""
    floors = [milliseconds(floor.took) for floor, _ in rounds]
    orders_ = [milliseconds(each.took) for _, each in rounds]
    figures: dict[str, Any] = {}
    for part in ("p50", "p99"):
        figures[f"{part}_ms"] = round(statistics.median(each[part] for each in orders_), 3)
        figures[f"floor_{part}_ms"] = round(statistics.median(each[part] for each in floors), 3)
        figures[f"{part}_ratio"] = round(
            statistics.median(
                order[part] / floor[part] for order, floor in zip(orders_, floors, strict=True)
            ),
            2,
        )
    figures["orders_timed"] = sum(len(each.took) for _, each in rounds)
    return figures


def _burst_figures(burst: Burst) -> dict[str, Any]:
    return {
        "sustained_per_s": round(burst.per_s, 1),
        "sustained_orders": burst.orders,
        "sustained_lost": burst.lost,
        "rejected": burst.rejected,
    }


def _history_figures(
    app: Application, field: Field, rate: float, seconds: float, history: int
) -> dict[str, Any]:
    """The same rate with a short past and with a long one.

    Minutes lie between the two, and machines drift: what is compared is how far above the
    floor of its own round each is.
    """

    def past(count: int) -> tuple[float, float]:
        async def write(database: Database) -> None:
            with click.progressbar(
                length=count, label=f"{count} closed orders", file=sys.stderr
            ) as bar:
                await fill(database, field.tenant, count, bar.update)

        app.run(write)
        field.round(rate, 2.0)
        figures = _paced_figures([field.round(rate, seconds) for _ in range(5)])
        return figures["p50_ms"], figures["p50_ratio"]

    short_ms, short_ratio = past(1_000)
    note(f"p50 with 1,000 closed orders: {short_ms} ms, {short_ratio} floors")
    long_ms, long_ratio = past(history)
    return {
        "history_orders": history,
        "history_short_p50_ms": short_ms,
        "history_long_p50_ms": long_ms,
        "history_ratio": round(long_ratio / short_ratio, 2),
    }
