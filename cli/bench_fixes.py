"""`heard bench fixes`: how fast positions are kept, against a floor measured in the same run."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
import uvloop
from sqlalchemy import func, select

from broker_config.settings import BrokerSettings
from cli.admission import Admitted, a_device, admit, drop_tenant
from cli.application import Application, pass_application
from cli.bench_child import child
from cli.bench_etas import (
    DESK,
    DISH,
    JUMP_S,
    RULES,
    STOVE,
    TILL,
    Deliveries,
    eta_figures,
    on_the_way,
)
from cli.bench_fixes_floor import copy_rate, drain
from cli.bench_riders import Course, Riders, Sent
from cli.failures import Failure
from cli.files import services_secret
from cli.grammar import Command, json_option
from cli.position_line import positions_login
from cli.printing import note, say, show_json
from cli.progress import progress_bar
from schemas.devices import Role
from schemas.identifiers import new_id
from services.menu.handlers import put_menu
from services.people.store import Device, Tenant, add_tenant
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.tracking.tables import FIXES

START_S: Final = 60.0
PATIENCE_S: Final = 10.0
_AT_ONCE: Final = 500
_MANY: Final = 2_000
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_HERTZ: Final = os.sysconf("SC_CLK_TCK")


@click.command(cls=Command)
@click.option("--vehicles", type=click.IntRange(10, 20_000), default=5_000, show_default=True,
              help="Trackers, each on a connection of its own.")  # fmt: skip
@click.option("--rate", type=click.FloatRange(10, 1_000_000), default=25_000.0, show_default=True,
              help="Fixes a second, of all of them.")  # fmt: skip
@click.option("--together", type=click.IntRange(1, 100), default=5, show_default=True,
              help="Fixes in one message.")  # fmt: skip
@click.option("--seconds", type=click.FloatRange(2, 3600), default=60.0, show_default=True,
              help="For how long.")  # fmt: skip
@click.option("--couriers", type=click.IntRange(1, 1_000), default=100, show_default=True,
              help="Who bring an order, while ETAs are timed.")  # fmt: skip
@click.option("--eta-rate", type=click.FloatRange(10, 1_000_000), default=5_000.0,
              show_default=True, help="Fixes a second, beside those of the couriers.")  # fmt: skip
@click.option("--floor-seconds", type=click.FloatRange(2, 600), default=8.0, show_default=True,
              help="How long each part of the floor is measured.")  # fmt: skip
@json_option
@pass_application
def fixes(
    app: Application,
    *,
    vehicles: int,
    rate: float,
    together: int,
    seconds: float,
    couriers: int,
    eta_rate: float,
    floor_seconds: float,
    as_json: bool,
) -> None:
    """Measure positions from the tracker to the committed row, and to the ETA that follows.

    Trackers on connections of their own ride round in circles and tell where they are, at a
    steady rate; then, at another, couriers beside them ride off with an order each, and it is
    timed how soon an ETA follows from a position of theirs. The floor, measured in the same run,
    is what the libraries alone allow one process: aiomqtt taking the same messages with no work
    done, and then COPY of the same rows. A tenant of its own is made, and removed in the end.
    Nothing else may serve.

    Examples:
      heard bench fixes --broker mosquitto
      heard bench fixes --json --broker mosquitto --vehicles 1000 --rate 5000 --seconds 20
    """
    tenant = f"bench-{new_id().hex[-8:]}"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="heard-bench-")))
        if app.embedded:
            raise Failure(
                "heard bench fixes needs a broker that stands by itself: name one with "
                "--broker mosquitto"
            )
        app.run(lambda database: _open(database, tenant))
        stack.callback(lambda: app.run(lambda database: drop_tenant(app, database, tenant)))
        slow = ": Mosquitto takes minutes for so many" if vehicles > _MANY else ""
        note(f"letting {vehicles} trackers in{slow}")
        names = [(f"rider-{number}", Role.TRACKER) for number in range(vehicles)]
        riders = Riders(app.address(), _admit(app, tenant, names))
        stack.callback(riders.close)
        people = [(DESK, Role.MANAGER), (TILL, Role.POS), (STOVE, Role.KITCHEN_DISPLAY)]
        people += [(f"courier-{number}", Role.TRACKER) for number in range(couriers)]
        desk, till, stove, *trackers = _admit(app, tenant, people)
        figures = _floor(app, folder, tenant, riders, Course(1e6, floor_seconds, together))
        with _serving(app, folder) as pid:
            figures |= _sustained(app, tenant, riders, pid, Course(rate, seconds, together))
            note(f"letting {couriers} couriers ride off, each with an order")
            with on_the_way(desk, till, stove, trackers, folder) as deliveries:
                figures |= _followed(riders, deliveries, Course(eta_rate, seconds, together))
        figures["floor_ratio"] = round(figures["fixes_per_s"] / figures["floor_per_s"], 2)
        figures |= {"vehicles": vehicles, "together": together, "offered_per_s": rate}
        # Before the tenant goes: that takes minutes, and is not what was asked for.
        if as_json:
            show_json(figures)
        else:
            for name, value in figures.items():
                say(f"{name:24} {value}")
        note("removing what was made")


@click.command("floor-drain", cls=Command, hidden=True)
@click.argument("tenant")
@pass_application
def floor_drain(app: Application, *, tenant: str) -> None:
    """Take positions and do nothing with them; `bench fixes` starts this by itself.

    Examples:
      heard bench floor-drain TENANT
    """
    login = positions_login(services_secret(app.settings))
    uvloop.run(drain(BrokerSettings(address=app.address(), login=login), tenant))


async def _open(database: Database, tenant: str) -> None:
    now = system_clock()
    async with database.write() as connection:
        await add_tenant(connection, Tenant(tenant, "Bench", DISH.currency, now))
        await put_menu(connection, tenant, [DISH], now, replace=True)
        await house_rules.write(connection, tenant, delivery=RULES)


def _admit(app: Application, tenant: str, wanted: Sequence[tuple[str, Role]]) -> list[Admitted]:
    found: list[Admitted] = []
    shown = sys.stderr.isatty() and len(wanted) > _AT_ONCE
    with progress_bar(len(wanted), show=shown, what="let in") as progress:
        for start in range(0, len(wanted), _AT_ONCE):
            devices = [
                a_device(tenant, name, role, transient=True)
                for name, role in wanted[start : start + _AT_ONCE]
            ]
            secrets = app.run(partial(_let_in, app, devices))
            found += [
                Admitted(tenant, device.device, secret, app.address())
                for device, secret in zip(devices, secrets, strict=True)
            ]
            progress(len(found))
    return found


async def _let_in(app: Application, devices: Sequence[Device], database: Database) -> list[str]:
    return list(await admit(app, database, devices))


def _floor(
    app: Application, folder: Path, tenant: str, riders: Riders, course: Course
) -> dict[str, Any]:
    """What the libraries alone allow one process that does one thing after the other."""
    note("measuring the floor: aiomqtt alone")
    with child(app, folder, "bench", "floor-drain", tenant) as draining:
        line = draining.stdout.readline() if draining.stdout else ""
        if line.strip() != "ready":
            raise Failure("the floor's server did not start: see the log above")
        riders.ride(course, paced=False)
        time.sleep(0.5)
        draining.terminate()
        line = draining.stdout.readline() if draining.stdout else ""
    drained = float(line or 0.0) * course.together
    note("measuring the floor: COPY alone")
    copied = app.run(lambda database: copy_rate(database, tenant, course.seconds))
    both = 1.0 / (1.0 / max(drained, 1.0) + 1.0 / copied)
    return {
        "floor_drain_per_s": round(drained),
        "floor_copy_per_s": round(copied),
        "floor_per_s": round(both),
    }


@contextmanager
def _serving(app: Application, folder: Path) -> Iterator[int]:
    """The services; gives the process that takes positions."""
    with child(app, folder, "serve") as serving:
        time.sleep(2.0)
        if serving.poll() is not None:
            raise Failure("heard did not start: run `heard serve` to see why")
        yield serving.pid


def _sustained(
    app: Application, tenant: str, riders: Riders, pid: int, course: Course
) -> dict[str, Any]:
    def kept(sent: Sent) -> int:
        return app.run(lambda database: _kept(database, tenant, sent.began - 2.0))

    note("warming up: until every tracker is heard of")
    once_s = len(riders.riders) * course.together / course.rate
    deadline = time.monotonic() + START_S
    while True:
        # Before the services have subscribed, what is said reaches nobody.
        warm = riders.ride(replace(course, seconds=max(2.0, 2 * once_s)))
        if _wait(partial(kept, warm), warm.fixes, 1.0)[0] >= warm.fixes:
            break
        if time.monotonic() > deadline:
            raise Failure("the services take no positions: run `heard serve` to see why")
    note(f"{course.rate:.0f} fixes a second for {course.seconds:.0f} s")
    memory, cpu = Memory(pid, course.seconds), _cpu_s(pid)
    begun = kept(warm)
    began = time.time()
    sent = riders.ride(course, beside=memory.look)
    found, at = _wait(lambda: kept(warm) - begun, sent.fixes)
    return {
        "fixes_per_s": round(found / (at - max(began, sent.began)), 1),
        "lost": sent.confirmed * course.together - found,
        "unconfirmed": sent.messages - sent.confirmed,
        "sent_late_s": round(sent.late_s, 2),
        "drained_after_s": round(at - sent.ended, 2),
        **memory.figures(),
        "cpu_s_per_s": round((_cpu_s(pid) - cpu) / (at - sent.began), 3),
    }


def _followed(riders: Riders, deliveries: Deliveries, course: Course) -> dict[str, Any]:
    note(f"{course.rate:.0f} fixes a second for {course.seconds:.0f} s, and ETAs")
    riders.ride(replace(course, seconds=2 * JUMP_S), beside=deliveries.tick)
    deliveries.forget()
    riders.ride(course, beside=deliveries.tick)
    return eta_figures(deliveries)


def _wait(
    look: Callable[[], int], wanted: int, patience_s: float = PATIENCE_S
) -> tuple[int, float]:
    """Wait until so many are there, or no more come; gives how many, and when that was seen."""
    last, found = time.monotonic(), -1
    while True:
        now = look()
        at = time.time()
        if now != found:
            found, last = now, time.monotonic()
        if found >= wanted or time.monotonic() - last > patience_s:
            return found, at
        time.sleep(0.1)


async def _kept(database: Database, tenant: str, since: float) -> int:
    query = select(func.count()).select_from(FIXES).where(FIXES.c.tenant == tenant)
    async with database.read() as connection:
        moment = datetime.fromtimestamp(since, UTC)
        return int(await connection.scalar(query.where(FIXES.c.at >= moment)) or 0)


class Memory:
    """How much a process holds, and whether that grows for ever.

    Args:
        pid: which process.
        seconds: how long it is looked at.
    """

    def __init__(self, pid: int, seconds: float) -> None:
        self._pid: Final = pid
        self._half: Final = time.monotonic() + seconds / 2
        self._begin: Final = _rss_mb(pid)
        self._half_mb: float | None = None

    def look(self) -> None:
        """Look, once half of the time is over."""
        if self._half_mb is None and time.monotonic() >= self._half:
            self._half_mb = _rss_mb(self._pid)

    def figures(self) -> dict[str, float]:
        """What it holds now, how much more than in the beginning, and how much than half way."""
        now = _rss_mb(self._pid)
        half = self._begin if self._half_mb is None else self._half_mb
        return {
            "rss_mb": round(now, 1),
            "rss_growth_mb": round(now - self._begin, 1),
            "rss_growth_second_half_mb": round(now - half, 1),
        }


def _rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 2**20


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _HERTZ
