"""A kitchen's evening, simulated: real services, broker and database, a clock that runs fast."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Unpack
from uuid import UUID

from cli.admission import Admitted, a_device, admit
from cli.application import Application
from cli.failures import Failure
from cli.kitchen_recount import KitchenRecount
from cli.order_files import FileOrder
from cli.printing import counted
from cli.replaying import Plan
from cli.settings import Settings
from cli.system import System
from devices.client import DeviceClient
from devices.connection import Received
from devices.kitchen_display import KitchenDisplay
from devices.options import DeviceOptions
from devices.pending import Pending, Rejected
from devices.pos import PointOfSale
from devices.simulated_line import USUALLY_VARIES, SimulatedExpo, SimulatedLine
from devices.station_view import Freshness
from schemas.devices import Role
from schemas.kitchen import TicketEnded, TicketState
from schemas.kitchen_rules import KitchenRules, StationKind
from schemas.replies import OrderReceipt
from services.kitchen import store as kitchen
from services.people.limits import UNLIMITED
from services.runtime.database import Database

ONLINE_S: Final = 30.0
AGREE_S: Final = 5.0
"""A display that calls itself current, and for so long shows less than was kept, is wrong."""
LOOK_EVERY_S: Final = 0.02
LEAD: Final = timedelta(minutes=10)
TILL: Final = "pos-1"
WITNESS: Final = "witness"


class FastClock:
    """A clock that begins at a moment of its own, and runs `speed` times as fast as ours."""

    def __init__(self, begin: datetime, speed: float) -> None:
        self.speed: Final = speed
        self._begin: Final = begin
        self._since: Final = time.monotonic()

    def __call__(self) -> datetime:
        """The time, aware, in UTC."""
        return self._begin + timedelta(seconds=(time.monotonic() - self._since) * self.speed)

    def until(self, at: datetime) -> float:
        """How many of our seconds are left until then; below zero when it is over."""
        return (at - self()).total_seconds() / self.speed


def opening(orders: Sequence[FileOrder], now: datetime) -> tuple[datetime, timedelta]:
    """When the clock begins, and by how much the file's times are moved to be after it.

    Devices stamp their requests with the real time, and what is from long ago is refused: so
    the simulated day lies right ahead, on the next morning that the file's hour allows.
    """
    first = orders[0].placed_at.replace(tzinfo=UTC)
    begin = datetime.combine((now + timedelta(days=1)).date(), first.timetz()) - LEAD
    return begin, begin + LEAD - first


class Witness(DeviceClient):
    """Takes down every word on tickets, as it stands on the wire."""

    def __init__(
        self, host: str, port: int, recount: KitchenRecount, **options: Unpack[DeviceOptions]
    ) -> None:
        super().__init__(host, port, **options)
        self._recount = recount
        self._topics = [
            TicketState.route.filter(tenant=self.tenant),
            TicketEnded.route.filter(tenant=self.tenant),
        ]

    def _filters(self) -> list[str]:
        return self._topics

    def _receive(self, message: Received, now: float) -> None:  # noqa: ARG002 - the hook's shape
        self._recount.take(message.payload)


@dataclass(slots=True)
class Held:
    """How the displays stood against the database."""

    looks: int = 0
    compared: int = 0
    """How often a display and the database stood at one sequence, and could be compared."""
    wrong: list[str] = field(default_factory=list)


class Judge(threading.Thread):
    """Holds every display against the database, each simulated minute."""

    def __init__(
        self, database_url: str, tenant: str, displays: Sequence[KitchenDisplay], every_s: float
    ) -> None:
        super().__init__(name="judge", daemon=True)
        self.held: Final = Held()
        self._url = database_url
        self._tenant = tenant
        self._displays = displays
        self._every_s = every_s
        self._stopped = threading.Event()
        self._behind: dict[str, tuple[int, float]] = {}
        self.failed: BaseException | None = None

    def run(self) -> None:
        """Look until stopped."""
        try:
            asyncio.run(self._look())
        except BaseException as error:  # noqa: BLE001 - told to who started it, at the end
            self.failed = error

    def stop(self) -> None:
        """End, after a last look."""
        self._stopped.set()
        self.join()
        if self.failed is not None:
            raise self.failed

    async def _look(self) -> None:
        database = Database(self._url)
        try:
            while not self._stopped.is_set():
                await self._hold(database)
                await asyncio.sleep(self._every_s)
            await self._hold(database)
        finally:
            await database.close()

    async def _hold(self, database: Database) -> None:
        self.held.looks += 1
        async with database.read() as connection:
            heads = await kitchen.heads(connection, self._tenant)
            sequences = {now.station: now.sequence for _, now in heads}
            kept: dict[str, dict[UUID, int]] = {name: {} for name in sequences}
            for ticket in await kitchen.open_tickets(connection, self._tenant):
                kept[ticket.station][ticket.ticket_id] = ticket.version
        now = time.monotonic()
        for display in self._displays:
            self._compare(display, sequences.get(display.station, 0), kept, now)

    def _compare(
        self, display: KitchenDisplay, sequence: int, kept: dict[str, dict[UUID, int]], now: float
    ) -> None:
        before = display.sequence
        shown = {each.ticket_id: each.version for each in display.tickets}
        fresh = display.freshness
        if display.sequence != before or fresh is not Freshness.CURRENT:
            return
        if before == sequence:
            self.held.compared += 1
            self._behind.pop(display.device, None)
            if shown != kept.get(display.station, {}):
                self.held.wrong.append(f"{display.device} at {sequence}")
        elif before < sequence:
            known, since = self._behind.setdefault(display.device, (sequence, now))
            if before >= known:
                self._behind[display.device] = (sequence, now)
            elif now - since > AGREE_S:
                self.held.wrong.append(f"{display.device} at {before}, not {sequence}")


@dataclass(slots=True)
class Evening:
    """Everything that takes part."""

    app: Application
    tenant: str
    clock: FastClock
    till: PointOfSale
    displays: list[KitchenDisplay]
    lines: list[SimulatedLine]
    recount: KitchenRecount
    judge: Judge


def private(folder: Path, *, gateway: bool = False) -> Application:
    """A house of its own: nothing of the user's is read or written."""
    return Application(
        {
            "home": folder,
            "database": f"sqlite:///{folder / 'heard.db'}",
            "broker": "embedded",
            "broker_host": "127.0.0.1",
            "gateway": gateway,
            "log_level": "error",
        }
    )


@contextmanager
def served(clock: FastClock, *, gateway: bool = False) -> Iterator[tuple[Application, System]]:
    """Services, broker and database in this process, gone in the end."""
    with tempfile.TemporaryDirectory(prefix="heard-simulated-") as name:
        app = private(Path(name), gateway=gateway)
        settings: Settings = app.settings
        with System(
            settings, migrate=True, any_port=True, clock=clock, look_every_s=LOOK_EVERY_S
        ) as system:
            if not system.wait_serving():
                raise Failure("the simulated services do not come up")
            yield app, system


@contextmanager
def evening(
    app: Application,
    system: System,
    tenant: str,
    clock: FastClock,
    book: KitchenRules,
    *,
    two_at: frozenset[str] = frozenset(),
    varies: float = USUALLY_VARIES,
    seed: int,
) -> Iterator[Evening]:
    """A till, the displays, their cooks, a witness and a judge.

    Args:
        app: the house.
        system: what serves it.
        tenant: set up, with its menu and rules.
        clock: the simulated time.
        book: the kitchen's rules: each of its stations gets a display and cooks.
        two_at: stations with a second display.
        varies: how unevenly the cooks work; see `SimulatedLine`.
        seed: of the cooks.
    """
    prep = [name for name, rules in book.stations.items() if rules.kind is StationKind.PREP]
    names = {f"kds-{name}": name for name in book.stations}
    names |= {f"second-kds-{name}": name for name in two_at}
    wanted = [
        a_device(tenant, TILL, Role.POS),
        a_device(tenant, WITNESS, Role.MANAGER),
        *(
            a_device(tenant, name, Role.KITCHEN_DISPLAY, station=station)
            for name, station in names.items()
        ),
    ]
    # Not for a while, as a command's own devices are: by this clock that is over at once.
    wanted = [replace(each, limits=UNLIMITED) for each in wanted]
    secrets = app.run(lambda database: admit(app, database, wanted))
    address = system.address
    at = {
        device.device: Admitted(tenant, device.device, secret, address)
        for device, secret in zip(wanted, secrets, strict=True)
    }
    host, port = address.host, address.port
    recount = KitchenRecount()
    with ExitStack() as stack:
        outbox = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "till.outbox"
        witness = Witness(host, port, recount, **at[WITNESS].options())
        displays = [
            KitchenDisplay(host, port, station=station, **at[name].options())
            for name, station in names.items()
        ]
        till = PointOfSale(host, port, outbox=outbox, **at[TILL].options())
        for device in (witness, *displays, till):
            stack.enter_context(device)
            if not device.wait_online(ONLINE_S):
                raise Failure(f"{device.device} cannot connect to {address}")
        lines = [
            SimulatedLine(
                next(each for each in displays if each.station == station),
                hands=book.station(station).hands,
                speed=clock.speed,
                varies=varies,
                seed=seed,
            )
            for station in prep
        ]
        judge = Judge(app.database_url, tenant, displays, 60 / clock.speed)
        judge.start()
        stack.callback(judge.stop)
        expos = [
            SimulatedExpo(each, speed=clock.speed)
            for each in displays
            if book.station(each.station).kind is StationKind.EXPO
        ]
        for crew in (*lines, *expos):
            stack.enter_context(crew)
        yield Evening(app, tenant, clock, till, displays, lines, recount, judge)


def play(
    one: Evening, plan: Plan, moved: timedelta, progress: Callable[[int], None]
) -> dict[str, Any]:
    """Place the orders at their times; wait until all of it is made."""
    refused: list[str] = []

    def answered(pending: Pending[OrderReceipt]) -> None:
        if isinstance(pending.error, Rejected):
            refused.append(str(pending.error))

    handles = []
    for number, order in enumerate(plan.orders, 1):
        wait = one.clock.until(order.placed_at.replace(tzinfo=UTC) + moved)
        if wait > 0:
            time.sleep(wait)
        for pending in one.till.place_orders([plan.new_order(order)]):
            pending.then(answered)
            handles.append(pending)
        progress(number)
    _until(lambda: all(each.done for each in handles), "every order is answered")
    _until(lambda: all(not each.tickets for each in one.displays), "every ticket is made")
    return {"orders": len(handles), "refused": len(refused), "refusals": sorted(set(refused))[:5]}


def days_of(orders: Sequence[FileOrder], first: date | None, days: int) -> list[FileOrder]:
    """The orders of some days in a row; those with the most orders without a first one."""
    by_day: dict[date, list[FileOrder]] = {}
    for order in orders:
        by_day.setdefault(order.placed_at.date(), []).append(order)
    if not by_day:
        raise Failure("there is no order in the file")
    if first is None:
        first = max(by_day, key=lambda day: len(by_day[day])) - timedelta(days=days - 1)
    wanted = [first + timedelta(days=each) for each in range(days)]
    chosen = [order for day in wanted for order in by_day.get(day, [])]
    if not chosen:
        raise Failure(
            f"no order was placed on {first}: the file has {min(by_day)} to {max(by_day)}"
        )
    return chosen


def in_a_rush(
    orders: Sequence[FileOrder], chosen: Sequence[FileOrder], rush: int
) -> list[FileOrder]:
    """The orders of some days, and on each of them those of other busy days, at their hours.

    Args:
        orders: the whole file's.
        chosen: those of the days that are played.
        rush: the orders of so many days come on each; 1 leaves the days as they were.

    Raises:
        Failure: the file has not so many days.
    """
    days = sorted({order.placed_at.date() for order in chosen})
    by_day: dict[date, list[FileOrder]] = {}
    for order in orders:
        by_day.setdefault(order.placed_at.date(), []).append(order)
    others = sorted(by_day.keys() - set(days), key=lambda day: (-len(by_day[day]), day))
    if len(days) * (rush - 1) > len(others):
        has = counted(len(by_day), "day")
        raise Failure(f"the file has {has}, too few for {len(days)} with the orders of {rush}")
    more = [
        replace(order, placed_at=datetime.combine(days[at % len(days)], order.placed_at.timetz()))
        for at, day in enumerate(others[: len(days) * (rush - 1)])
        for order in by_day[day]
    ]
    return sorted([*chosen, *more], key=lambda order: order.placed_at)


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f"after two minutes it is still not so that {what}")
        time.sleep(0.02)
