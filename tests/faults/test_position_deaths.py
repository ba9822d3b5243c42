"""Positions when the services, the broker or the database die: each once, and none lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import itemgetter
from pathlib import Path

import httpx
import pytest

from broker_config.secret import SecretHash
from schemas.devices import Role
from schemas.fences import Circle, CrossingKind, Fence, FenceKind
from schemas.positions import Fixes, OneFix, Place
from services.people.credentials import place
from services.people.store import Device, Tenant, add_tenant
from services.runtime.moment import system_clock
from services.tracking import fence_store
from services.tracking.fence_store import FenceChanges
from services.tracking.tables import CROSSINGS, FIXES, VEHICLES
from tests.brokers import PrivateMosquitto
from tests.children import Child
from tests.faults.serving import READY, Crash, Serving
from tests.patience import PATIENCE_S
from tests.ports import quiet_port
from tests.spoken import Speaker
from tests.system import RunningSystem, until

# Before each test, which counts the processes that it leaves behind.
pytestmark = [pytest.mark.usefixtures("postgres_cluster"), pytest.mark.timeout(600)]

TENANT, BIKE = "roma", "bike-1"
MESSAGES, OF_MESSAGE = 60, 5


def message(number: int, begin: datetime) -> Fixes:
    """The so many-th message of a ride at 5 m/s, a fix a second."""
    seconds = range(number * OF_MESSAGE, (number + 1) * OF_MESSAGE)
    return Fixes(
        fixes=tuple(
            OneFix(
                at=begin + timedelta(seconds=each),
                lat=60.17 + 5.0 * each / 111_195,
                lon=24.94,
                accuracy_m=5.0,
            )
            for each in seconds
        )
    )


def fences(count: int) -> dict[str, Fence]:
    """Around the middle of each message: one comes with its second fix, and goes with the next."""
    made = {}
    for number in range(count):
        metres = 5.0 * (number * OF_MESSAGE + 2.4)
        name, centre = f"f-{number}", Place(lat=60.17 + metres / 111_195, lon=24.94)
        circle = Circle(centre=centre, radius_m=10)
        made[name] = Fence(
            fence=name, name=name, kind=FenceKind.ZONE, circle=circle, hysteresis_m=0
        )
    return made


@contextmanager
def outside(broker: PrivateMosquitto, url: str) -> Iterator[RunningSystem]:
    """The rows from outside, with a restaurant and its tracker; nothing serves."""
    system = RunningSystem(broker, url)
    now = system_clock()
    secret = broker.add_device(TENANT, BIKE, Role.TRACKER)
    device = Device(TENANT, BIKE, Role.TRACKER, None, now)
    try:
        system.writing(lambda c: add_tenant(c, Tenant(TENANT, "Roma", "EUR", now)))
        system.writing(lambda c: place(c, device, SecretHash.of(secret), now))
        yield system
    finally:
        system.close()


class Lives:
    """The serving process, begun again whenever it has died; its first lives end early."""

    def __init__(
        self, broker: PrivateMosquitto, url: str, folder: Path, crashes: Sequence[Crash]
    ) -> None:
        self.http = quiet_port()
        self._given = Serving(
            database_url=url,
            port=broker.port,
            secret=broker.services.secret,
            webhooks=self.http,
        )
        self._crashes = list(crashes)
        self._folder = folder
        self.count = 0
        self.now = self._begin()

    def _begin(self) -> Child:
        crash = self._crashes.pop(0) if self._crashes else None
        self.count += 1
        log = self._folder / f"serving-{self.count}.log"
        return Child("tests.faults.serving", self._given.model_copy(update={"crash": crash}), log)

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for it, and begin again whatever has died meanwhile."""
        deadline = time.monotonic() + 2 * PATIENCE_S
        while not condition():
            if self.now.ended is not None:
                self.now = self._begin()
                continue
            assert time.monotonic() < deadline, f"{what}: {self.now.last_words()}"
            time.sleep(0.02)

    def close(self) -> None:
        self.now.kill()


@pytest.fixture(params=["postgresql_url", "sqlite_url"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("point", ["fixes written", "fixes committed", "fixes acknowledged"])
def test_a_fix_is_kept_once_when_the_services_die_at(
    point: str, url: str, mosquitto_broker: PrivateMosquitto, tmp_path: Path
) -> None:
    broker = mosquitto_broker
    with outside(broker, url) as rows:
        drawn, now = fences(3 * MESSAGES), system_clock()
        changes = FenceChanges(tuple(drawn))
        rows.writing(lambda c: fence_store.keep(c, TENANT, drawn, changes, now))
        lives = Lives(broker, url, tmp_path, [Crash(point=point, passing=n) for n in (3, 4)])
        try:
            lives.until(lambda: lives.now.has_said(READY), "the first start")
            begin = datetime.now(UTC) - timedelta(hours=3)
            with Speaker(broker.address, broker.login(TENANT, BIKE), TENANT, BIKE) as bike:

                def first_kept() -> bool:
                    bike.say(message(0, begin))
                    return rows.count(FIXES, TENANT) > 0

                # Until the line has subscribed for the first time, nobody holds anything for it.
                lives.until(first_kept, "the first fixes")
                number, deadline = 1, time.monotonic() + 2 * PATIENCE_S
                # On and on, until it has died as often as it is to.
                while number < MESSAGES or lives.count < 3:
                    bike.say(message(number, begin))
                    number += 1
                    lives.until(lambda: lives.now.ended is None, "the next life")
                    time.sleep(0.05)  # so that they come in several ticks
                    assert time.monotonic() < deadline, "it has not died twice"
                lives.until(lambda: rows.count(FIXES, TENANT) >= number * OF_MESSAGE, "all fixes")
        finally:
            lives.close()
        assert lives.count == 3
        kept = [row["at"] for row in rows.rows(FIXES, TENANT)]
        told = [each.at for each_ in range(number) for each in message(each_, begin).fixes]
        assert kept == told
        (vehicle,) = rows.rows(VEHICLES, TENANT)
        assert vehicle["at"] <= told[-1]
        crossed: dict[str, list[str]] = {name: [] for name in drawn}
        for row in sorted(rows.rows(CROSSINGS, TENANT), key=itemgetter("at")):
            crossed[row["fence"]].append(row["what"])
        came = CrossingKind.ENTER.value
        # It stands within the last one; it came and went at each of the others, once.
        last = list(drawn)[min(number, len(drawn)) - 1]
        assert crossed.pop(last) in ([came], [came, CrossingKind.EXIT.value])
        for each in list(drawn)[: number - 1]:
            assert crossed.pop(each) == [came, CrossingKind.EXIT.value], each
        assert not any(crossed.values())


@pytest.mark.parametrize("point", ["fixes committed", "fixes acknowledged"])
def test_a_fix_over_http_is_kept_once_when_the_services_die_before_they_answer(
    point: str, url: str, mosquitto_broker: PrivateMosquitto, tmp_path: Path
) -> None:
    broker = mosquitto_broker
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)

    def posted(second: int) -> dict[str, object]:
        at = (begin + timedelta(seconds=second)).timestamp()
        where = {"lat": 60.17 + 5.0 * second / 111_195, "lon": 24.94}
        return {"_type": "location", "tst": int(at), **where}

    with outside(broker, url) as rows:
        login = broker.login(TENANT, BIKE)
        lives = Lives(broker, url, tmp_path, [Crash(point=point, passing=n) for n in (3, 4)])
        unanswered = 0
        try:
            lives.until(lambda: lives.now.has_said(READY), "the first start")
            path = f"http://127.0.0.1:{lives.http}/v1/positions/owntracks"
            with httpx.Client(auth=(login.username, login.secret), timeout=PATIENCE_S) as phone:

                def kept(second: int) -> bool:
                    nonlocal unanswered
                    try:
                        answer = phone.post(path, json=posted(second))
                    except httpx.TransportError:
                        unanswered += 1
                        return False
                    assert answer.status_code in {200, 503}, answer.text
                    return answer.status_code == 200

                number, deadline = 0, time.monotonic() + 2 * PATIENCE_S
                while number < 20 or lives.count < 3:
                    lives.until(partial(kept, number), "the next fix")
                    number += 1
                    assert time.monotonic() < deadline, "it has not died twice"
        finally:
            lives.close()
        assert unanswered >= 2
        told = [begin + timedelta(seconds=each) for each in range(number)]
        assert [row["at"] for row in rows.rows(FIXES, TENANT)] == told


def test_a_fix_is_kept_once_over_the_brokers_death(own_system: RunningSystem) -> None:
    system = own_system
    tenant = system.add_tenant()
    begin = datetime.now(UTC) - timedelta(seconds=40)
    device = tenant.add_device(Role.TRACKER, BIKE)

    def ride(numbers: range) -> None:
        login = system.broker.login(tenant.name, device)
        with Speaker(system.broker.address, login, tenant.name, device) as bike:
            for number in numbers:
                bike.say(message(number, begin))
            # What a broker had taken it may lose with its life: so wait for the rows.
            until(lambda: tenant.count(FIXES) >= numbers.stop * OF_MESSAGE, "the fixes so far")

    ride(range(4))
    system.broker.kill()
    # Else it may seem to be there still when the next broker is.
    until(lambda: not system.served.line.ready.is_set(), "that the line notices it")
    system.broker.restart()
    system.wait_ready()
    until(system.served.line.ready.is_set, "the line's return")
    ride(range(8))
    assert tenant.count(FIXES) == 8 * OF_MESSAGE


def test_fixes_wait_while_the_database_is_away(
    postgresql_url: str, mosquitto_broker: PrivateMosquitto
) -> None:
    with outside(mosquitto_broker, postgresql_url) as system:
        system.start()
        line = system.served.line
        until(line.ready.is_set, "the line's start")
        begin = datetime.now(UTC) - timedelta(seconds=30)
        login = mosquitto_broker.login(TENANT, BIKE)
        with Speaker(mosquitto_broker.address, login, TENANT, BIKE) as bike:
            bike.say(message(0, begin))
            until(lambda: system.count(FIXES, TENANT) == OF_MESSAGE, "the first")
            keeper = line._keeper
            keep, failures = keeper.keep, 0

            async def away(_kept: object) -> None:
                nonlocal failures
                failures += 1
                raise ConnectionResetError("the database is away")

            setattr(keeper, "keep", away)  # noqa: B010 - a method of one object alone
            for number in range(1, 6):
                bike.say(message(number, begin))
            until(lambda: failures >= 3, "the attempts")
            assert system.count(FIXES, TENANT) == OF_MESSAGE
            setattr(keeper, "keep", keep)  # noqa: B010 - the same
            until(lambda: system.count(FIXES, TENANT) == 6 * OF_MESSAGE, "all of them")
