"""The position line, put together: beside the services, or in a process of its own."""

from __future__ import annotations

from collections import Counter

from broker_config.access import POSITIONS_USERNAME
from broker_config.secret import derived_secret
from broker_config.settings import BrokerAddress, BrokerLogin, BrokerSettings
from services.delivery.courier_modes import StoredModes
from services.delivery.eta_book import EtaBook
from services.delivery.open_stops import StoredStops
from services.delivery.routing.engines import EngineWays
from services.delivery.screen_book import ScreenBook
from services.kitchen.ready_times import ready_times
from services.runtime.database import Database
from services.runtime.guard import Doorkeeper
from services.runtime.limits import Gate
from services.runtime.moment import Clock
from services.runtime.mqtt_bus import MqttBus
from services.runtime.relay import Checkpoint, no_checkpoint
from services.tracking.arriving import FILTERS
from services.tracking.fence_watch import FenceWatch
from services.tracking.finding_book import FindingBook
from services.tracking.ground import Ground
from services.tracking.line import PositionLine
from services.tracking.retention import Pruner
from services.tracking.tracker_telling import TrackerTelling
from services.tracking.vehicle_book import VehicleBook
from services.tracking.whereabouts import StoredWhereabouts


def positions_login(services_secret: str) -> BrokerLogin:
    """Who the line is at the broker; its password follows from the services'."""
    secret = derived_secret(services_secret, POSITIONS_USERNAME)
    return BrokerLogin(username=POSITIONS_USERNAME, secret=secret)


def position_line(
    database: Database,
    address: BrokerAddress,
    services_secret: str,
    gate: Gate,
    doorkeeper: Doorkeeper | None,
    *,
    clock: Clock,
    checkpoint: Checkpoint = no_checkpoint,
    counts: Counter[str] | None = None,
) -> PositionLine:
    """Join what takes positions, and who listens to them.

    Args:
        database: at the newest version.
        address: where the broker is.
        services_secret: the services' password there; the line's own follows from it.
        gate: who may send how much.
        doorkeeper: puts out who goes on regardless; None where another guard of the same gate
            does.
        clock: the time of all decisions.
        checkpoint: called where a crash would be worst.
        counts: what happened, by its name.
    """
    settings = BrokerSettings(address=address, login=positions_login(services_secret))
    bus = MqttBus(settings, FILTERS)
    ground = Ground(database, StoredStops())
    etas = EtaBook(database, ready_times, clock, ways=EngineWays())
    screens = ScreenBook(database, StoredWhereabouts(), etas.said, clock)
    fences = FenceWatch(database, ground, clock)

    def heard() -> VehicleBook | None:
        return line.book if line.ready.is_set() else None

    findings = FindingBook(database, heard, ground, fences, clock)
    telling = TrackerTelling(lambda: line.book, ground, clock)
    line = PositionLine(
        database,
        bus,
        gate,
        doorkeeper,
        clock,
        watch=fences,
        listeners=(etas, screens, telling),
        beside=(
            ground.run,
            etas.run,
            screens.run,
            findings.run,
            telling.run,
            Pruner(database, clock).run,
        ),
        couriers=StoredModes(),
        checkpoint=checkpoint,
        counts=counts,
    )
    return line
