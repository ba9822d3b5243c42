"""Which vehicles there are, who speaks for them, and what is remembered of each.

A vehicle has the name of its device; one that a bridge speaks for has the name that the
house's rules give it. None is made out of nothing: whoever may tell positions is a tracker
among the devices of that restaurant, and what anybody else tells is counted and left.

A vehicle goes with its device, or with the rule that named it. A device that is added anew under
an old name is another one: nothing is remembered for it.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.delivery_rules import DeliveryRules
from schemas.devices import Role
from schemas.positions import TravelMode
from services.runtime import house_rules
from services.runtime.among import among
from services.runtime.courier_modes import CourierModes, NoCouriers
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.lenient import read_or
from services.runtime.positions import VehicleKey
from services.runtime.tables import DEVICES
from services.runtime.wall_clock import zone_of
from services.tracking.arriving import Teller
from services.tracking.batches import Floats
from services.tracking.columns import ROW
from services.tracking.copying import Texts
from services.tracking.fleet import Fleet
from services.tracking.limits import BY_MODE, Limits
from services.tracking.tables import VEHICLES
from services.tracking.verdicts import Verdict

Counts = np.ndarray[tuple[int, int], np.dtype[np.int64]]
UNREADABLE: Final = len(Verdict)
"""The column of `Vehicle` counts for what could not be read at all."""
_WIDTH: Final = len(Verdict) + 1
_AT_ONCE: Final = 1_000
MOST_NAMELESS: Final = 100
"""So many of one bridge whom no rule names are told of; more are known by then."""
STILL_TIMES: Final = 6
"""One that stands may be silent so many times as long as one that moves."""


@dataclass(slots=True)
class Vehicle:
    """What is known of a vehicle beside its fixes.

    Attributes:
        key: tenant and name.
        device: who speaks for it.
        number: in the fleet.
        device_since: when that device was added, as text.
        mode: what its courier goes by; None where it has none.
        day: the house's day that `before_m` is of, as a number.
        before_m: how far it had gone in all when that day began.
        wished: how often its tracker was asked to tell, last; None where it was not.
        taken: what its tracker says it does, and when it said so; None where it never did.
    """

    key: VehicleKey
    device: str
    number: int
    device_since: str
    mode: TravelMode | None = None
    day: int = 0
    before_m: float = 0.0
    wished: dict[str, Any] | None = None
    taken: dict[str, Any] | None = None


class VehicleBook:
    """All vehicles that were heard of, and the fleet that follows them.

    Args:
        couriers: knows what couriers go by.
    """

    def __init__(self, couriers: CourierModes | None = None) -> None:
        self._couriers: Final = couriers or NoCouriers()
        self._modes: Mapping[VehicleKey, TravelMode] = {}
        self.fleet: Final = Fleet()
        self.vehicles: Final[list[Vehicle | None]] = []
        """By number; None where one is gone."""
        self.counts: Counts = np.zeros((0, _WIDTH), dtype=np.int64)
        """By number and verdict; the last column is what could not be read."""
        self.battery = np.empty(0)
        self.keys: Final[list[VehicleKey]] = []
        """By number; a number is never another's, though its vehicle may go and come again."""
        self.tenants: Texts = np.zeros(0, dtype="S64")
        self.names: Texts = np.zeros(0, dtype="S64")
        self.rules: Final[dict[str, DeliveryRules]] = {}
        self.zones: Final[dict[str, str]] = {}
        self._versions: dict[str, int] = {}
        self._numbers: Final[dict[VehicleKey, int]] = {}
        self._told_by: Final[dict[Teller, int | None]] = {}
        self._nameless: Final[dict[tuple[str, str], set[str]]] = {}
        """Whom each bridge spoke for though no rule names it."""
        self._new_nameless: list[Teller] = []

    def __len__(self) -> int:
        return len(self.vehicles)

    def number_of(self, teller: Teller) -> int | None:
        """The vehicle that somebody speaks for; None where it is none.

        Raises:
            KeyError: nobody has looked it up yet.
        """
        return self._told_by[teller]

    def find(self, key: VehicleKey) -> int | None:
        """The number of a vehicle that is there."""
        number = self._numbers.get(key)
        return None if number is None or self.vehicles[number] is None else number

    def of(self, number: int) -> Vehicle:
        """One that was heard of."""
        found = self.vehicles[number]
        if found is None:
            raise LookupError(f"vehicle {number} is gone")
        return found

    def strangers(self, tellers: Iterable[Teller]) -> list[Teller]:
        """Those of them whom nobody has looked up yet."""
        return [each for each in tellers if each not in self._told_by]

    async def meet(self, connection: AsyncConnection, strangers: Sequence[Teller]) -> None:
        """Look up who these are, and what their vehicles' rows remember."""
        tenants = {each.tenant for each in strangers}
        await self._read_rules(connection, tenants - self.rules.keys())
        devices = {(each.tenant, each.device) for each in strangers}
        trackers = await _trackers(connection, devices)
        wanted: dict[Teller, VehicleKey] = {}
        for each in strangers:
            is_tracker = (each.tenant, each.device) in trackers
            name = self._name_of(each) if is_tracker else None
            if name is None:
                self._told_by[each] = None
                if is_tracker:
                    self._note_nameless(each)
            else:
                wanted[each] = (each.tenant, name)
        new = {each for each in wanted.values() if self.find(each) is None}
        rows = await _rows(connection, new)
        for teller, key in wanted.items():
            number, since = self.find(key), trackers[teller.tenant, teller.device]
            if number is None:
                number = self._enter(key, teller.device, since)
                self._remember(number, rows.get(key))
            vehicle = self.of(number)
            if vehicle.device != teller.device:
                vehicle.device, vehicle.device_since = teller.device, since
            self._told_by[teller] = number

    def take_nameless(self) -> list[Teller]:
        """Who was spoken for though no rule names it, each once."""
        found, self._new_nameless = self._new_nameless, []
        return found

    async def remember(self, connection: AsyncConnection) -> None:
        """Take in all vehicles that have a row, and whose device is there still."""
        mine = VEHICLES.c.tenant == DEVICES.c.tenant
        query = (
            select(VEHICLES, DEVICES.c.created_at)
            .join(DEVICES, mine & (VEHICLES.c.device == DEVICES.c.device))
            .where(DEVICES.c.role == Role.TRACKER.value)
        )
        rows = (await connection.execute(query)).mappings().all()
        await self._read_rules(connection, {row["tenant"] for row in rows})
        self._modes = await self._couriers.read(connection)
        for row in rows:
            key, since = (row["tenant"], row["vehicle"]), _since(row["created_at"])
            self._remember(self._enter(key, row["device"], since), dict(row))

    def silence(self, now: float) -> tuple[Floats, Floats]:
        """How long each vehicle has been silent, and how long it may be, by number.

        Who says where it is, but nothing that can be right, is as good as silent.
        """
        standing = self.fleet.standing(list(range(len(self.vehicles))))
        patience = np.array(
            [
                np.inf if each is None else self.rules[each.key[0]].silent_after_s
                for each in self.vehicles
            ]
        )
        return now - standing.placed, patience * np.where(standing.moving, 1, STILL_TIMES)

    def _name_of(self, teller: Teller) -> str | None:
        rules = self.rules[teller.tenant]
        if teller.below is None:
            return teller.device
        for name, vehicle in rules.vehicles.items():
            if vehicle.device == teller.device and vehicle.below == teller.below:
                return name
        return None

    def _note_nameless(self, teller: Teller) -> None:
        known = self._nameless.setdefault((teller.tenant, teller.device), set())
        if teller.below is not None and teller.below not in known and len(known) < MOST_NAMELESS:
            known.add(teller.below)
            self._new_nameless.append(teller)

    def _enter(self, key: VehicleKey, device: str, since: str) -> int:
        mode = self._modes.get(key)
        limits = self._limits_of(key, mode)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self.fleet.add(limits)
            self.keys.append(key)
            self.vehicles.append(None)
            if number >= len(self.battery):
                self._grow(max(64, number))
            self.tenants[number], self.names[number] = key[0].encode(), key[1].encode()
        self.fleet.limit(number, limits)
        self.vehicles[number] = Vehicle(key, device, number, since, mode)
        return number

    def _grow(self, more: int) -> None:
        self.counts = np.pad(self.counts, ((0, more), (0, 0)))
        self.battery = np.pad(self.battery, (0, more), constant_values=np.nan)
        self.tenants = np.pad(self.tenants, (0, more))
        self.names = np.pad(self.names, (0, more))

    def _limits_of(self, key: VehicleKey, mode: TravelMode | None) -> Limits:
        told = self.rules[key[0]].vehicles.get(key[1])
        mode = mode or (told.mode if told is not None else None)
        return Limits() if mode is None else BY_MODE[mode]

    def _remember(self, number: int, row: Mapping[str, Any] | None) -> None:
        if row is None:
            return
        vehicle = self.of(number)
        state = row["state"]
        if state.get("device_since", vehicle.device_since) != vehicle.device_since:
            return  # it is of another device, that had this name before
        vehicle.day, vehicle.before_m = state.get("day", 0), state.get("before_m", 0.0)
        reporting = row["reporting"] or {}
        vehicle.wished, vehicle.taken = reporting.get("wished"), reporting.get("taken")
        figures = unpacked(state)
        if figures is not None:
            self.fleet.restore(number, figures)
        for each in Verdict:
            self.counts[number, each] = row["counts"].get(each.word, 0)
        self.counts[number, UNREADABLE] = row["counts"].get("unreadable", 0)
        if row["battery"] is not None:
            self.battery[number] = row["battery"]

    async def look_again(self, connection: AsyncConnection) -> list[Vehicle]:
        """Forget whom nobody speaks for any more, and whoever was no tracker; returns who left.

        Rules that have changed since are read again, and what couriers go by.
        """
        versions = await _versions(connection, set(self.rules))
        changed = {each for each in self.rules if versions.get(each) != self._versions.get(each)}
        await self._read_rules(connection, changed)
        there = [each for each in self.vehicles if each is not None]
        asked = {(each.key[0], each.device) for each in there}
        trackers = await _trackers(connection, asked)
        self._modes = await self._couriers.read(connection)
        gone = []
        for vehicle in there:
            since, mode = trackers.get((vehicle.key[0], vehicle.device)), vehicle.mode
            vehicle.mode = self._modes.get(vehicle.key)
            if since != vehicle.device_since or not self._is_named(vehicle):
                gone.append(vehicle)
                self.drop(vehicle)
            elif vehicle.mode is not mode or vehicle.key[0] in changed:
                self.fleet.limit(vehicle.number, self._limits_of(vehicle.key, vehicle.mode))
        for teller, number in list(self._told_by.items()):
            # Who was no vehicle may be one now; who was another's may be its own.
            if number is None or teller.tenant in changed:
                del self._told_by[teller]
        return gone

    def drop(self, vehicle: Vehicle) -> None:
        """Forget one, but for its number."""
        self.vehicles[vehicle.number] = None
        self.fleet.forget(vehicle.number)
        self.counts[vehicle.number] = 0
        self.battery[vehicle.number] = np.nan
        for teller in [t for t, number in self._told_by.items() if number == vehicle.number]:
            del self._told_by[teller]

    def _is_named(self, vehicle: Vehicle) -> bool:
        """Whether it speaks for itself, or is named by a rule."""
        tenant, name = vehicle.key
        return name == vehicle.device or name in self.rules[tenant].vehicles

    async def _read_rules(self, connection: AsyncConnection, tenants: Collection[str]) -> None:
        if not tenants:
            return
        query = select(
            HOUSE_RULES.c.tenant,
            HOUSE_RULES.c.version,
            HOUSE_RULES.c.delivery,
            HOUSE_RULES.c.orders,
        ).where(among(HOUSE_RULES.c.tenant, tenants, connection.dialect.name))
        rows = await connection.execute(query)
        usual, before = house_rules.delivery_of(None), dict(self.rules)
        for tenant in tenants:
            self.rules[tenant] = usual
            self._versions.pop(tenant, None)
        for row in rows:
            self._versions[row.tenant] = row.version
            self.rules[row.tenant] = read_or(
                before.get(row.tenant, usual),
                house_rules.delivery_of,
                row.delivery,
                tenant=row.tenant,
                what="rules",
            )
            self.zones[row.tenant] = (row.orders or {}).get("time_zone", "UTC")

    def walked_today(self, vehicle: Vehicle, t: float, distance_m: float) -> float:
        """How far it went today, on the clock of its house, of all that it ever went."""
        zone = zone_of(self.zones.get(vehicle.key[0], "UTC"))
        day = datetime.fromtimestamp(t, UTC).astimezone(zone).toordinal()
        if day != vehicle.day or distance_m < vehicle.before_m:
            vehicle.day, vehicle.before_m = day, distance_m
        return distance_m - vehicle.before_m


def packed(vehicle: Vehicle, figures: Floats) -> dict[str, Any]:
    """What a row remembers of the filter: doubles, as 400 characters instead of 700."""
    text = base64.b64encode(np.ascontiguousarray(figures, dtype="<f8").tobytes()).decode()
    return {
        "figures": text,
        "day": vehicle.day,
        "before_m": vehicle.before_m,
        "device_since": vehicle.device_since,
    }


def unpacked(state: Mapping[str, Any]) -> Floats | None:
    """The figures again; None where they are of another version of this program."""
    try:
        figures = np.frombuffer(base64.b64decode(state["figures"], validate=True), dtype="<f8")
    except (KeyError, TypeError, ValueError):
        return None
    return figures if len(figures) == len(ROW) else None


async def _trackers(
    connection: AsyncConnection, asked: Collection[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Which of these devices there are, and are trackers; and when each was added, as text."""
    found: dict[tuple[str, str], str] = {}
    for tenants, names in _shares(asked):
        dialect = connection.dialect.name
        query = select(DEVICES.c.tenant, DEVICES.c.device, DEVICES.c.created_at).where(
            among(DEVICES.c.tenant, tenants, dialect),
            among(DEVICES.c.device, names, dialect),
            DEVICES.c.role == Role.TRACKER.value,
        )
        for row in await connection.execute(query):
            found[row.tenant, row.device] = _since(row.created_at)
    return found


def _since(created_at: datetime) -> str:
    return created_at.astimezone(UTC).isoformat()


async def _rows(
    connection: AsyncConnection, keys: Collection[VehicleKey]
) -> dict[VehicleKey, Mapping[str, Any]]:
    found: dict[VehicleKey, Mapping[str, Any]] = {}
    for tenants, names in _shares(keys):
        dialect = connection.dialect.name
        query = select(VEHICLES).where(
            among(VEHICLES.c.tenant, tenants, dialect), among(VEHICLES.c.vehicle, names, dialect)
        )
        for row in (await connection.execute(query)).mappings():
            found[row["tenant"], row["vehicle"]] = dict(row)
    return found


async def _versions(connection: AsyncConnection, tenants: Collection[str]) -> dict[str, int]:
    query = select(HOUSE_RULES.c.tenant, HOUSE_RULES.c.version).where(
        among(HOUSE_RULES.c.tenant, tenants, connection.dialect.name)
    )
    return {row.tenant: row.version for row in await connection.execute(query)}


def _shares(keys: Collection[tuple[str, str]]) -> Iterator[tuple[set[str], set[str]]]:
    """Tenants and names, of a thousand at a time: a statement takes only so many values."""
    ordered = sorted(keys)
    for start in range(0, len(ordered), _AT_ONCE):
        share = ordered[start : start + _AT_ONCE]
        yield {tenant for tenant, _ in share}, {name for _, name in share}
