"""The demonstration's couriers: phones that ride, a desk that lets them in, guests at home.

The dispatcher says who brings what, as in any house that lets it.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cli.admission import Admitted
from devices.client import DeviceClient
from devices.courier import CourierPhone
from devices.delivery_requests import Dispatcher
from devices.pending import Pending, Rejected
from devices.pos import PointOfSale
from devices.simulated_body import Town
from devices.simulated_courier import Job, SimulatedCourier, SimulatedCouriers
from devices.simulator import Simulated
from schemas.deliveries import Courier
from schemas.delivery_rules import DeliveryRules
from schemas.menu import MenuItem
from schemas.orders import Guest, LineRequest, OrderKind
from schemas.positions import Place, TravelMode
from schemas.replies import OrderReceipt
from services.runtime.database import Database
from services.tracking.whereabouts import StoredWhereabouts

TENANT: Final = "demo"
HOUSE: Final = Place(lat=60.1675, lon=24.9540)
"""Where the demonstration's restaurant stands: by the harbour."""
RULES: Final = DeliveryRules(place=HOUSE, automatic=True)
DESK: Final = "desk"
COURIERS: Final = {
    "anna": "courier-1",
    "bo": "courier-2",
    "cleo": "courier-3",
    "dina": "courier-4",
    "emil": "courier-5",
}
"""Each with the phone that they carry.

One is on the road for some five minutes with an order: so many have time left.
"""
EVERY_S: Final = 90.0
"""So often, on average, somebody orders from home."""
_ANSWER_S: Final = 5.0
_NEAR_M: Final = 250.0
_FAR_M: Final = 700.0


class GuestsAtHome(Simulated):
    """People who want it brought.

    Args:
        pos: where their orders are taken.
        menu: what they choose from.
        seed: the same seed brings the same guests.
    """

    def __init__(self, pos: PointOfSale, menu: Mapping[str, MenuItem], *, seed: int | None) -> None:
        super().__init__("guests at home")
        self.orders = 0
        """How many they have asked for."""
        self._pos: Final = pos
        self._choice: Final = sorted(menu)
        self._town: Final = Town(HOUSE)
        self._rng: Final = random.Random(seed)  # noqa: S311 - guests, not secrets

    def _run(self) -> None:
        # A visitor should not wait for the first of them, nor longer where it was refused.
        while not self._stopped.wait(self._rng.uniform(2.0, 6.0)):
            if self._is_taken():
                break
        while not self._stopped.wait(self._rng.expovariate(1 / EVERY_S)):
            # A closed till takes no orders: its owner is about to stop us.
            with contextlib.suppress(RuntimeError):
                self._order()

    def _is_taken(self) -> bool:
        """Order something, and tell whether it was accepted."""
        with contextlib.suppress(RuntimeError, TimeoutError, Rejected):
            self._order().result(_ANSWER_S)
            return True
        return False

    def _order(self) -> Pending[OrderReceipt]:
        rng = self._rng
        lines = [
            LineRequest(item=item, quantity=rng.choice((1, 1, 2)))
            for item in rng.sample(self._choice, min(2, len(self._choice)))
        ]
        far = _NEAR_M + (_FAR_M - _NEAR_M) * rng.random()
        east = rng.uniform(-far, far)
        north = rng.choice((-1, 1)) * (far - abs(east))
        number = rng.randint(1, 80)
        guest = Guest(
            name=rng.choice(("Aino", "Ben", "Carla", "Davi", "Elif")),
            address=f"{number} Harbour Street",
            place=self._town.place((east, north)),
        )
        self.orders += 1
        return self._pos.place_order(lines, kind=OrderKind.DELIVERY, guest=guest)


async def last_seen(database: Database) -> dict[str, Place]:
    """Where the couriers' phones were last, by their names."""
    async with database.read() as connection:
        phones = [(TENANT, device) for device in COURIERS.values()]
        found = await StoredWhereabouts().of(connection, phones)
    return {device: Place(lat=each.lat, lon=each.lon) for (_, device), each in found.items()}


class DemoCouriers:
    """Couriers, and the desk that says who they are.

    Args:
        admitted: the devices, by name.
        outboxes: the folder of what they have to say still.
        last_seen: where each phone was when the demonstration ended, by its name: whoever had
            food at a door is there again.
        seed: the same seed brings the same rides.
    """

    def __init__(
        self,
        admitted: Mapping[str, Admitted],
        outboxes: Path,
        last_seen: Mapping[str, Place],
        *,
        seed: int | None,
    ) -> None:
        where = admitted[DESK].address
        self._desk: Final = Dispatcher(where.host, where.port, **admitted[DESK].options())
        self._phones: Final = {
            name: CourierPhone(
                where.host,
                where.port,
                outbox=outboxes / f"{admitted[device].tenant}-{device}.outbox",
                backlog=outboxes / f"{admitted[device].tenant}-{device}.backlog",
                **admitted[device].options(),
            )
            for name, device in COURIERS.items()
        }
        town = Town(HOUSE)
        people = {
            name: SimulatedCourier(
                [Job(phone)],
                town,
                (seed or 0) + number,
                every_s=1.0,
                begins_at=last_seen.get(phone.device),
            )
            for number, (name, phone) in enumerate(self._phones.items())
        }
        self._riding: Final = SimulatedCouriers(people, lambda: datetime.now(UTC))

    @property
    def devices(self) -> list[DeviceClient]:
        """All of them; started and closed by their owner."""
        return [self._desk, *self._phones.values()]

    def start(self) -> None:
        """Begin to ride; the devices are started."""
        for name, device in COURIERS.items():
            courier = Courier(
                courier=name, name=name.title(), device=device, mode=TravelMode.BICYCLE
            )
            self._desk.put_courier(courier)
        self._riding.start()

    def stop(self) -> None:
        """Ride no more."""
        self._riding.stop()
