"""The house's thermometers: listens to them, keeps what they read, asks for their alerts.

Readings are many and small, and the last one wins: they are held in memory, and kept about once
a second. Only what raises or ends an alert is decided as requests are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from schemas.alerts import AlertKind
from schemas.sensors import (
    SensorRules,
    SensorState,
    TasmotaReading,
    TemperatureReading,
    ZigbeeReading,
)
from schemas.stock_rules import StockRules
from services.inventory import sensor_store, sensor_tasmota, sensor_zigbee
from services.inventory.inside import SensorFound
from services.inventory.sensor_watching import Seen, Taken, Told, judge, take
from services.runtime import alerts
from services.runtime.context import Outgoing, clearing, outgoing
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.house_versions import HouseVersions
from services.runtime.intake import Intake
from services.runtime.moment import Clock
from services.runtime.outbox import enclose
from services.runtime.relay import Relay
from services.runtime.rounds import for_ever
from services.runtime.router import Notice, Router
from services.runtime.timers import ask, one_by_one

LOOK_EVERY_S: Final = 1.0
_AT_ONCE: Final = 200

Key = tuple[str, str]
"""Tenant and thermometer."""
Source = tuple[str, str, str | None]
"""Tenant, the device that speaks, and of whom below it."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What stands in a row of how it was: from then on it counts."""

    status: str
    since: datetime
    out_since: datetime | None


class SensorBook:
    """How the thermometers of all houses stand.

    Args:
        database: where rules, rows and alerts are.
        relay: publishes what is kept.
        clock: the time of all that is found.
        look_every_s: seconds between two looks at what time alone has changed.
    """

    def __init__(
        self, database: Database, relay: Relay, clock: Clock, *, look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self._database: Final = database
        self._relay: Final = relay
        self._clock: Final = clock
        self._look_every_s: Final = look_every_s
        self._versions: Final = HouseVersions(HOUSE_RULES.c.stock)
        self._rules: dict[Key, SensorRules] = {}
        self._sources: dict[Source, list[Key]] = {}
        self._seen: dict[Key, Seen] = {}
        self._rows: dict[Key, _Kept] = {}
        self._told: set[tuple[str, str]] = set()
        """The alerts that stand: tenant and name."""
        self._unkept: set[Key] = set()
        self._unsure = False  # True while changes may be kept though we were never told
        self.router: Final = Router()
        self.router.hear(TemperatureReading, self._hear_ours)
        self.router.hear(TasmotaReading, self._hear_tasmota)
        self.router.hear(ZigbeeReading, self._hear_zigbee)
        self.router.state(sensor_store.sensor_states)

    # -- listening ----------------------------------------------------------------------------

    def _hear_ours(self, notice: Notice) -> None:
        said = notice.message
        if isinstance(said, TemperatureReading):
            for key in self._of(notice, None):
                self._take(key, Told(said.celsius, said.humidity), notice.now)

    def _hear_tasmota(self, notice: Notice) -> None:
        said = notice.message
        if isinstance(said, TasmotaReading):
            for key in self._of(notice, None):
                self._take(key, sensor_tasmota.told(said, self._rules[key].probe), notice.now)

    def _hear_zigbee(self, notice: Notice) -> None:
        said = notice.message
        if isinstance(said, ZigbeeReading):
            below = ZigbeeReading.route.parse(notice.topic)["sensor"]
            for key in self._of(notice, below):
                self._take(key, sensor_zigbee.told(said, self._rules[key].probe), notice.now)

    def _of(self, notice: Notice, below: str | None) -> Sequence[Key]:
        # What the broker kept is how it was, who knows when.
        return (
            () if notice.retained else self._sources.get((notice.tenant, notice.device, below), ())
        )

    def _take(self, key: Key, told: Told | None, now: datetime) -> None:
        if told is not None:
            self._seen[key] = take(self._seen[key], self._rules[key], told, now)
            self._unkept.add(key)

    # -- beginning ----------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin with what was kept before, by whoever served."""
        self._versions.forget()
        for known in (self._rules, self._sources, self._seen, self._rows):
            known.clear()
        self._unkept.clear()
        async with self._database.read() as connection:
            self._told = await sensor_store.standing(connection)
            for row in await sensor_store.every_row(connection):
                key = row["tenant"], row["sensor"]
                self._rows[key] = _Kept(row["status"], row["since"], row["out_since"])
                recent = _last_of(row)
                self._seen[key] = Seen(
                    self._clock(),
                    recent,
                    row["out_since"],
                    self._stands(key, AlertKind.TEMPERATURE),
                    self._stands(key, AlertKind.SENSOR_SILENT),
                    row["ignored"],
                )
        await self._read_rules()

    async def _read_rules(self) -> None:
        """Take in the rules of the houses that have changed theirs."""
        book = HOUSE_RULES.c
        async with self._database.read() as connection:
            changes = await self._versions.changes(connection)
            for tenant in changes.gone:
                self._rule(tenant, {})
            for tenant, version in changes.versions.items():
                query = select(book.stock).where(book.tenant == tenant)
                document = await connection.scalar(query)
                if document is not None:
                    self._rule(tenant, StockRules.model_validate(document).sensors)
                    self._versions.saw(tenant, version)

    def _rule(self, tenant: str, sensors: dict[str, SensorRules]) -> None:
        mine = {key for key in (*self._rules, *self._rows) if key[0] == tenant}
        for key in mine - {(tenant, name) for name in sensors}:
            self._rules.pop(key, None)
            self._seen.pop(key, None)
            self._unkept.add(key)
        for name, rules in sensors.items():
            key = tenant, name
            before = self._rules.get(key)
            if key not in self._seen or (
                before is not None and _speaker(before) != _speaker(rules)
            ):
                # Another one speaks for it: what the first one read is of another place.
                self._seen[key] = Seen(
                    self._clock(), alarmed=self._stands(key, AlertKind.TEMPERATURE)
                )
            if before != rules:
                self._rules[key] = rules
                self._unkept.add(key)
        for source in [each for each in self._sources if each[0] == tenant]:
            del self._sources[source]
        for name, rules in sensors.items():
            source = (tenant, rules.device, rules.below)
            self._sources.setdefault(source, []).append((tenant, name))

    # -- keeping ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep and tell what changes, for ever."""
        await for_ever(self.keep, self._look_every_s, "thermometers are kept")

    async def keep(self) -> None:
        """Keep and tell what has changed, of the rules too."""
        await self._read_rules()
        while self._unkept:
            keys = sorted(self._unkept)[:_AT_ONCE]
            # What changes again while this is written must be kept again.
            self._unkept.difference_update(keys)
            try:
                await self._keep(keys)
            except BaseException:
                self._unsure = True
                self._unkept.update(keys)
                raise

    async def _keep(self, keys: Sequence[Key]) -> None:
        now = self._clock()
        messages: list[Outgoing] = []
        kept: dict[Key, _Kept | None] = {}
        async with self._database.write() as connection:
            for key in keys:
                if key not in self._rules:
                    await sensor_store.forget(connection, *key)
                    messages.append(clearing(SensorState, tenant=key[0], sensor_id=key[1]))
                    kept[key] = None
                    continue
                row = self._row(key, now)
                await sensor_store.keep(connection, row)
                messages.append(outgoing(sensor_store.to_state(row), tenant=key[0], now=now))
                kept[key] = _Kept(row["status"], row["since"], row["out_since"])
            parcels = await enclose(connection, messages)
        for key, each in kept.items():
            if each is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = each
        if self._unsure:
            # An earlier attempt may stand in the table: it goes out first, or not at all.
            await self._relay.collect(everything=True)
            self._unsure = False
        else:
            self._relay.offer(parcels)

    def _row(self, key: Key, now: datetime) -> dict[str, Any]:
        seen, before = self._seen[key], self._rows.get(key)
        status = seen.status().value
        last = seen.recent[-1] if seen.recent else None
        return {
            "tenant": key[0],
            "sensor": key[1],
            "name": self._rules[key].name,
            "status": status,
            "since": now if before is None or before.status != status else before.since,
            "out_since": seen.out_since,
            "celsius": None if last is None else last.celsius,
            "humidity": None if last is None else last.humidity,
            "read_at": None if last is None else last.at,
            "ignored": seen.ignored,
        }

    # -- alerts -------------------------------------------------------------------------------

    async def watch(self, intake: Intake) -> None:
        """Ask for alerts to be raised and cleared, for as long as this process serves."""
        now = self._clock()
        # Nobody could be heard while there was no connection: their patience begins anew.
        for key, seen in self._seen.items():
            if not seen.silent:
                self._seen[key] = _heard(seen, now)

        async def look() -> None:
            await self.look(intake)

        await for_ever(look, self._look_every_s, "thermometers are watched")

    async def look(self, intake: Intake) -> int:
        """Ask for what differs from what stands; returns how often it asked.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        now = self._clock()

        async def look_at(key: Key) -> int:
            rules = self._rules.get(key)
            if rules is None:
                return 0  # it was taken away while another one was told of
            before = self._seen[key]
            after = judge(before, rules, now)
            if after is not before:
                self._seen[key] = after
                self._unkept.add(key)
            asked = await self._tell(intake, key, AlertKind.TEMPERATURE, stands=after.alarmed)
            return asked + await self._tell(
                intake, key, AlertKind.SENSOR_SILENT, stands=after.silent
            )

        asked = await one_by_one(list(self._rules), look_at)
        names = {
            (tenant, alerts.name_of(kind.value, sensor)): (tenant, sensor)
            for tenant, sensor in self._rules
            for kind in sensor_store.KINDS
        }

        async def end(told: tuple[str, str]) -> bool:
            return await self._end(intake, *told)

        return asked + await one_by_one(sorted(self._told - names.keys()), end)

    async def _tell(self, intake: Intake, key: Key, kind: AlertKind, *, stands: bool) -> bool:
        seen = self._seen.get(key)
        if seen is None or self._stands(key, kind) == stands:
            return False
        since = seen.heard_at
        if kind is AlertKind.TEMPERATURE and seen.out_since is not None:
            since = seen.out_since
        celsius = seen.recent[-1].celsius if seen.recent else None
        found = SensorFound(sensor=key[1], kind=kind, stands=stands, celsius=celsius, since=since)
        # It does nothing where the alert stands so already: to ask twice does no harm.
        if not await ask(intake, key[0], found):
            return False
        name = key[0], alerts.name_of(kind.value, key[1])
        if stands:
            self._told.add(name)
        else:
            self._told.discard(name)
        return True

    async def _end(self, intake: Intake, tenant: str, alert: str) -> bool:
        """Clear the alert of a thermometer that the house has no more."""
        for kind in sensor_store.KINDS:
            prefix = f"{kind.value}-"
            if alert.startswith(prefix):
                sensor = alert.removeprefix(prefix)
                found = SensorFound(sensor=sensor, kind=kind, stands=False, since=self._clock())
                await ask(intake, tenant, found)
                self._told.discard((tenant, alert))
                return True
        return False

    def _stands(self, key: Key, kind: AlertKind) -> bool:
        return (key[0], alerts.name_of(kind.value, key[1])) in self._told


def _speaker(rules: SensorRules) -> tuple[str, str | None, str | None]:
    return rules.device, rules.below, rules.probe


def _heard(seen: Seen, now: datetime) -> Seen:
    return replace(seen, heard_at=max(seen.heard_at, now))


def _last_of(row: Mapping[str, Any]) -> tuple[Taken, ...]:
    """The reading that a row tells of; what was read before it is not kept."""
    if row["read_at"] is None or row["celsius"] is None:
        return ()
    return (Taken(row["read_at"], row["celsius"], row["humidity"]),)
