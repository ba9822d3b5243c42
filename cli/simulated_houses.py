"""Several houses of a simulation, each with a till, cooks, a manager and couriers' phones."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cli.admission import Admitted, Login, a_device, admit
from cli.application import Application
from cli.failures import Failure
from cli.replaying import Plan
from cli.simulated_office import Office
from cli.simulating import ONLINE_S
from cli.system import System
from devices.client import DeviceClient
from devices.courier import CourierPhone
from devices.kitchen_display import KitchenDisplay
from devices.pos import PointOfSale
from devices.simulated_body import Point
from devices.simulated_line import SimulatedLine
from schemas.deliveries import Courier
from schemas.devices import Role
from schemas.kitchen_rules import KitchenRules, StationKind
from schemas.positions import Place, TravelMode
from services.people.limits import UNLIMITED
from services.people.store import Device

_TILL: Final = "pos-1"
_OFFICE: Final = "office"
_GOODBYES: Final = 16
"""Devices that say goodbye at once."""


@dataclass(frozen=True, slots=True)
class House:
    """A house as it was set up.

    Attributes:
        tenant: its name.
        plan: what is ordered there.
        book: its kitchen's rules.
        place: where it is.
        counter: the same, in the town.
    """

    tenant: str
    plan: Plan
    book: KitchenRules
    place: Place
    counter: Point


@dataclass(slots=True)
class Kitchen:
    """Displays, and the cooks at them: who may stop, and begin again.

    Args:
        displays: one for each station.
        book: the rules.
        speed: 60 makes a minute a second.
        varies: how unevenly they work; see `SimulatedLine`.
        seed: of the cooks.
    """

    displays: Sequence[KitchenDisplay]
    book: KitchenRules
    speed: float
    varies: float
    seed: int
    _lines: list[SimulatedLine] = field(default_factory=list)

    def start(self) -> None:
        """Cook; what was begun before is begun anew."""
        self._lines = [
            SimulatedLine(
                display,
                hands=self.book.station(display.station).hands,
                speed=self.speed,
                varies=self.varies,
                seed=self.seed,
            ).start()
            for display in self.displays
            if self.book.station(display.station).kind is StationKind.PREP
        ]

    def stop(self) -> None:
        """Cook nothing more. May be called twice."""
        for line in self._lines:
            line.stop()
        self._lines.clear()


@dataclass(frozen=True, slots=True)
class Staffed:
    """A house with all its devices online.

    Attributes:
        house: which.
        till: where its orders are placed.
        kitchen: its cooks.
        office: its manager's screen.
        phones: its couriers' phones, by their courier.
    """

    house: House
    till: PointOfSale
    kitchen: Kitchen
    office: Office
    phones: Mapping[str, CourierPhone]


@contextmanager
def staffed(
    app: Application,
    system: System,
    houses: Sequence[House],
    couriers: Sequence[str],
    *,
    speed: float,
    varies: float,
    seed: int,
) -> Iterator[list[Staffed]]:
    """Let all devices of all houses in, and have them online.

    Args:
        app: what they belong to.
        system: what serves it.
        houses: set up, with their menus and rules.
        couriers: who work for each of them.
        speed: 60 makes a minute a second.
        varies: how unevenly cooks work.
        seed: of the cooks.

    Raises:
        Failure: a device does not come online.
    """
    host, port = system.address.host, system.address.port
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found: list[Staffed] = []
        for number, house in enumerate(houses):
            at = _admitted(app, system, house, couriers)
            outbox = folder / f"{house.tenant}.outbox"
            displays = [
                KitchenDisplay(host, port, station=station, **at[f"kds-{station}"])
                for station in house.book.stations
            ]
            found.append(
                Staffed(
                    house,
                    PointOfSale(host, port, outbox=outbox, **at[_TILL]),
                    Kitchen(displays, house.book, speed, varies, seed + number),
                    Office(host, port, **at[_OFFICE]),
                    # Nothing of theirs outlives the evening: no phone needs a file.
                    {name: CourierPhone(host, port, **at[phone_of(name)]) for name in couriers},
                )
            )
        stack.enter_context(_online([each for one in found for each in _devices_of(one)]))
        _hire(found, couriers)
        for one in found:
            one.kitchen.start()
            stack.callback(one.kitchen.stop)
        yield found


def phone_of(courier: str) -> str:
    """What a courier's phone is called, in each house."""
    return f"phone-{courier}"


def _admitted(
    app: Application, system: System, house: House, couriers: Sequence[str]
) -> dict[str, Login]:
    tenant = house.tenant
    wanted: list[Device] = [
        a_device(tenant, _TILL, Role.POS),
        a_device(tenant, _OFFICE, Role.MANAGER),
        *(
            a_device(tenant, f"kds-{name}", Role.KITCHEN_DISPLAY, station=name)
            for name in house.book.stations
        ),
        *(a_device(tenant, phone_of(name), Role.TRACKER) for name in couriers),
    ]
    # Their limits are of real seconds, of which a simulated evening has few.
    wanted = [replace(each, limits=UNLIMITED) for each in wanted]
    secrets = app.run(lambda database: admit(app, database, wanted))
    return {
        device.device: Admitted(tenant, device.device, secret, system.address).options()
        for device, secret in zip(wanted, secrets, strict=True)
    }


def _devices_of(one: Staffed) -> list[DeviceClient]:
    return [one.till, one.office, *one.kitchen.displays, *one.phones.values()]


@contextmanager
def _online(devices: Sequence[DeviceClient]) -> Iterator[None]:
    with ThreadPoolExecutor(_GOODBYES) as pool:
        try:
            for device in devices:
                device.start()
            for device in devices:
                if not device.wait_online(ONLINE_S):
                    raise Failure(f"{device.tenant}'s {device.device} cannot connect")
            yield
        finally:
            # Together: each of them says goodbye, and waits until that is heard.
            list(pool.map(lambda device: device.close(), devices))


def _hire(found: Sequence[Staffed], couriers: Sequence[str]) -> None:
    asked = [
        one.office.put_courier(
            Courier(courier=name, name=name.title(), device=phone_of(name), mode=TravelMode.BICYCLE)
        )
        for one in found
        for name in couriers
    ]
    for each in asked:
        each.result(ONLINE_S)
