"""The composition root: builds each piece once and joins them. Tests call it too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import services.alerts.handlers
import services.delivery.handlers
import services.delivery.lateness
import services.inventory.all_portions
import services.inventory.counting
import services.inventory.expiring
import services.inventory.foreseeing
import services.inventory.level_states
import services.inventory.losing
import services.inventory.marking
import services.inventory.purchasing
import services.inventory.reading
import services.inventory.receiving
import services.inventory.reserving
import services.inventory.sensing
import services.kitchen.attending
import services.kitchen.channels
import services.kitchen.giving
import services.kitchen.handlers
import services.kitchen.metrics
import services.notices.handlers
import services.orders.handlers
import services.orders.parties
import services.quality.handlers
import services.staff.handlers
import services.tracking.alerting
import services.tracking.crossing_telling
from broker_config.access import SERVICES_USERNAME
from broker_config.settings import BrokerAddress, BrokerLogin, BrokerSettings
from cli.position_line import position_line
from schemas.topics import Plane, plane_filter
from services.delivery.arrivals import Arrivals
from services.delivery.dispatching.dispatcher import Dispatcher
from services.delivery.dispatching.reading import Sources
from services.delivery.lateness import LateTimer
from services.delivery.next_couriers import NextCouriers
from services.delivery.pause_timer import PauseTimer
from services.delivery.routing.engines import EngineWays
from services.delivery.trainer import Trainer as EtaTrainer
from services.inventory.all_portions import PortionsWatch
from services.inventory.expiry_watch import ExpiryWatch
from services.inventory.foreseeing_watch import StockOutWatch
from services.inventory.level_states import LevelTeller
from services.inventory.marking import MarkWatch
from services.inventory.sensor_book import SensorBook
from services.inventory.sensor_store import sensor_states
from services.inventory.timers import PlannedOrders
from services.inventory.usage_book import UsageBook
from services.kitchen.course_timer import CourseTimer
from services.kitchen.intake_timer import IntakeTimer
from services.kitchen.learning import Learner, LearntPace
from services.kitchen.metrics import MetricsBook
from services.kitchen.port import StoredKitchen
from services.kitchen.ready_times import ready_times
from services.kitchen.timers import KitchenTimer
from services.kitchen.watching import StationWatch
from services.menu.handlers import router as menu_router
from services.menu.store import StoredMenu
from services.menu.timers import MenuWatch, SellOutTimer
from services.orders.party_store import StoredParties
from services.orders.port import StoredOrders
from services.orders.timers import GuestTimer, OrderTimer, PartyTimer
from services.people.accounts import Accounts, EmbeddedAccounts
from services.people.admission import Admission
from services.people.guests import PartyWatch
from services.people.limit_book import LimitBook, usual_gate
from services.people.sweeping import Sweeper
from services.people.warden import Warden
from services.presence.handlers import PresenceBook, device_states
from services.presence.store import last_words
from services.quality.port import StoredQuality
from services.quality.timers import CheckTimer
from services.runtime.backbone import Backbone
from services.runtime.database import Database, is_away
from services.runtime.guard import Doorkeeper, Guard, OpenDoor
from services.runtime.housekeeping import Housekeeping
from services.runtime.intake import Intake
from services.runtime.moment import Clock, system_clock
from services.runtime.mqtt_bus import MqttBus
from services.runtime.other_systems import OtherSystems
from services.runtime.ports import Ports
from services.runtime.relay import Checkpoint, Relay, no_checkpoint
from services.runtime.router import Router
from services.runtime.worker import Worker
from services.staff.forgetting import StaffTidying
from services.tracking.crossing_rows import StoredCrossings
from services.tracking.crossing_telling import CrossingTeller
from services.tracking.finding_timers import FindingTimers
from services.tracking.line import PositionLine
from services.tracking.whereabouts import StoredWhereabouts

if TYPE_CHECKING:
    from services.notices.sender import Sender, SenderSettings

LOOK_EVERY_S: Final = 0.5
"""How often what is due is looked for."""
_LEARN_SELDOMER = 10
"""How quick a station is changes more slowly than what is due."""

_RULES_SELDOMER = 4
"""The rules of a house change a few times a year; who changes them looks what comes of it."""
_CHECK_SELDOMER = 10
"""Checks are made every so many minutes or hours."""

_AHEAD_SELDOMER = 60
"""What will run out tomorrow is no matter of seconds."""

OURSELVES = "heard"
"""Who the services are to the audit."""


def subscriptions(router: Router) -> tuple[str, ...]:
    """What the services hear: of telemetry what an area listens to, and no positions."""
    streams = sorted(
        message.route.filter() for message in router.listeners if message.plane is Plane.TELEMETRY
    )
    return (plane_filter(Plane.REQUEST), plane_filter(Plane.PRESENCE), *streams)


@dataclass(frozen=True, slots=True)
class Served:
    """The pieces of a serving process."""

    backbone: Backbone
    worker: Worker
    relay: Relay
    presence: PresenceBook
    router: Router
    bus: MqttBus
    intake: Intake
    """Takes what does not come over MQTT."""
    systems: OtherSystems
    admission: Admission
    """Lets devices in and puts them out, in the services' own name."""
    sender: Sender
    """Gives notices to their channels; its settings may be changed before it runs."""
    line: PositionLine
    """Takes positions, where no other process does."""


def assemble(
    database: Database,
    address: BrokerAddress,
    services_secret: str,
    *,
    accounts: Accounts | None = None,
    doorkeeper: Callable[[Sweeper], Doorkeeper] | None = None,
    notices: SenderSettings | None = None,
    clock: Clock = system_clock,
    look_every_s: float = LOOK_EVERY_S,
    checkpoint: Checkpoint = no_checkpoint,
    positions: bool = True,
) -> Served:
    """Join areas, worker, relay and bus into what serves.

    Args:
        database: migrated to the newest version.
        address: where the broker is.
        services_secret: the services' password there.
        accounts: those of the broker; None where it asks the database itself.
        doorkeeper: makes what puts out who goes far over the limits; None where the broker
            reads nobody faster than allowed.
        notices: how they go out; without, no secret of a webhook can be opened.
        clock: the time of all decisions. Whether a device is still there is counted by the
            machine's own time: a simulation's clock runs fast, and its devices do not.
        look_every_s: how often what is due is looked for.
        checkpoint: called where a crash would be worst.
        positions: take positions too; else another process does (`heard track serve`).
    """
    # Only who serves needs them: HTTP, mail, Jinja2 and Babel are slow to import.
    from services.notices.forgetting import Tidying  # noqa: PLC0415 - see above
    from services.notices.sender import Sender  # noqa: PLC0415 - see above

    relay = Relay(database, clock, checkpoint)
    sender = Sender(database, relay, clock, checkpoint, notices)
    presence = PresenceBook(database, relay, system_clock)
    router = area_router()
    router.include(presence.router)
    sensors = SensorBook(database, relay, clock)
    router.include(sensors.router)
    sweeper = Sweeper(address, services_secret)
    keeper = OpenDoor() if doorkeeper is None else doorkeeper(sweeper)
    guard = Guard(usual_gate(), relay, clock, keeper)
    book = LimitBook(database, guard.gate)
    router.include(book.router)
    pace = LearntPace()
    next_couriers = NextCouriers()
    ports = stored_ports(pace, next_couriers)
    worker = Worker(
        database,
        router,
        ports,
        relay,
        clock=clock,
        guard=guard,
        checkpoint=checkpoint,
    )
    intake = Intake(worker, router, database, clock)
    systems = OtherSystems(intake, guard, clock)
    admission = Admission(
        database,
        accounts or EmbeddedAccounts(),
        OURSELVES,
        clock,
        sweeper=sweeper,
    )
    login = BrokerLogin(username=SERVICES_USERNAME, secret=services_secret)
    bus = MqttBus(BrokerSettings(address=address, login=login), subscriptions(router))
    line = position_line(
        database,
        address,
        services_secret,
        guard.gate,
        None,
        clock=clock,
        checkpoint=checkpoint,
        counts=guard.counts,
    )
    backbone = Backbone(
        database,
        bus,
        router,
        relay,
        worker,
        clock=clock,
        first=(worker.begin, presence.start, sensors.start, book.read),
        beside=(
            presence.run,
            sensors.run,
            _beating(database, relay, clock),
            Warden(admission, sweeper).run,
            PartyWatch(database, StoredParties(), clock).run,
            book.run,
            guard.run,
            keeper.watch,
            Housekeeping(database, clock).run,
            sender.run,
            Tidying(database, clock).run,
            StaffTidying(database, clock).run,
            MetricsBook(database, relay, clock).run,
            UsageBook(database, clock).run,
            EtaTrainer(database, clock).run,
            Learner(database, pace, look_every_s=_LEARN_SELDOMER * look_every_s).run,
            *((line.run,) if positions else ()),
        ),
        within=(
            IntakeTimer(database, intake, clock, look_every_s=_LEARN_SELDOMER * look_every_s).run,
            intake.run,
            OrderTimer(database, intake, clock, look_every_s=look_every_s).run,
            GuestTimer(database, intake, clock).run,
            KitchenTimer(database, intake, clock, look_every_s=look_every_s).run,
            CourseTimer(database, intake, clock, look_every_s=_RULES_SELDOMER * look_every_s).run,
            PartyTimer(database, intake, clock).run,
            CheckTimer(database, intake, clock, look_every_s=_CHECK_SELDOMER * look_every_s).run,
            StationWatch(database, intake, clock, last_words).run,
            SellOutTimer(database, intake, clock, look_every_s=look_every_s).run,
            MenuWatch(database, intake, clock, look_every_s=_RULES_SELDOMER * look_every_s).run,
            PortionsWatch(database, intake, clock, look_every_s=look_every_s).run,
            partial(sensors.watch, intake),
            LevelTeller(database, relay, clock).run,
            LateTimer(database, intake).run,
            Dispatcher(
                database,
                intake,
                relay.say,
                Sources(ready_times, StoredWhereabouts()),
                clock,
                ways=EngineWays(),
                next_couriers=next_couriers,
                look_every_s=look_every_s,
            ).run,
            PauseTimer(
                database, intake, clock, ports, look_every_s=_LEARN_SELDOMER * look_every_s
            ).run,
            Arrivals(
                database,
                intake,
                StoredCrossings(),
                also=(CrossingTeller(intake).follow,),
                look_every_s=look_every_s,
            ).run,
            FindingTimers(database, intake, clock, look_every_s=2 * look_every_s).run,
            PlannedOrders(database, intake, clock, look_every_s=look_every_s).run,
            MarkWatch(database, intake, clock, look_every_s=_RULES_SELDOMER * look_every_s).run,
            ExpiryWatch(database, intake, clock, look_every_s=_CHECK_SELDOMER * look_every_s).run,
            StockOutWatch(database, intake, clock, look_every_s=_AHEAD_SELDOMER * look_every_s).run,
        ),
    )
    return Served(
        backbone, worker, relay, presence, router, bus, intake, systems, admission, sender, line
    )


def stored_ports(
    pace: LearntPace | None = None, next_couriers: NextCouriers | None = None
) -> Ports:
    """What areas offer each other, from the rows.

    Args:
        pace: what was learnt of the stations; nothing, where nobody learns.
        next_couriers: what the dispatcher's plans leave open; nothing, where nobody plans.
    """
    learnt = pace or LearntPace()
    menu = StoredMenu()
    return Ports(
        menu=menu,
        kitchen=StoredKitchen(menu, learnt),
        quality=StoredQuality(),
        orders=StoredOrders(),
        pace=learnt,
        couriers=next_couriers or NextCouriers(),
    )


def area_router() -> Router:
    """Every area's handlers, joined."""
    router = Router()
    for area in (
        services.orders.handlers.router,
        services.orders.parties.router,
        services.inventory.expiring.router,
        services.inventory.foreseeing.router,
        services.inventory.marking.router,
        services.inventory.sensing.router,
        services.inventory.receiving.router,
        services.inventory.counting.router,
        services.inventory.losing.router,
        services.inventory.reading.router,
        services.inventory.level_states.router,
        services.inventory.purchasing.router,
        services.inventory.all_portions.router,
        services.inventory.reserving.router,  # before tickets are cut that nobody can make
        services.kitchen.channels.router,  # before tickets are cut that nobody takes
        services.kitchen.handlers.router,
        services.kitchen.metrics.router,
        services.kitchen.attending.router,
        menu_router,
        services.notices.handlers.router,
        services.alerts.handlers.router,
        services.kitchen.giving.router,
        services.staff.handlers.router,
        services.quality.handlers.router,
        services.tracking.alerting.router,
        services.tracking.crossing_telling.router,
        services.delivery.handlers.router,  # after tickets are cut: they say when it is ready
        services.delivery.lateness.router,
    ):
        router.include(area)
    return router


def state_router() -> Router:
    """Everything that derives retained state from the database, for whoever compares."""
    router = area_router()
    router.state(device_states)
    router.state(sensor_states)
    return router


def _beating(database: Database, relay: Relay, clock: Clock) -> Callable[[], Awaitable[None]]:
    """The stations' heads, every few seconds: by them displays know that they are current."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(services.kitchen.handlers.BEAT_S)
            try:
                async with database.read() as connection:
                    heads = await services.kitchen.handlers.beats(connection, clock())
            except Exception as error:
                if not is_away(error):
                    raise
                continue  # no beat is the truth: nobody knows whether a screen is current
            relay.say(heads)

    return beat
