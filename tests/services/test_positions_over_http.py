"""Positions over HTTP, from Traccar and from OwnTracks: kept as if they had come over MQTT."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker_config.access import Identity
from broker_config.settings import BrokerLogin
from schemas.delivery_rules import DeliveryRules, Vehicle
from schemas.devices import Role
from schemas.gateway import ProblemCode
from services.people import limits
from services.people.tables import SUSPENSIONS
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.gateway import Call, Denied, Octets
from services.runtime.guard import Guard
from services.runtime.limits import Gate
from services.runtime.moment import system_clock
from services.runtime.tables import DEVICES
from services.tracking.announcing import Announcer
from services.tracking.brought import Brought
from services.tracking.line import PositionLine
from services.tracking.position_routes import OWNTRACKS, TRACCAR, PositionRoutes
from services.tracking.room import PositionRoom
from services.tracking.tables import FIXES, VEHICLES
from tests.services.gateway_house import House, Start
from tests.system import until

LAT, LON = 60.17, 24.94
UNIQUE = "860000000000007"


def moment(ago_s: float = 0.0) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=ago_s)


def forwarded(at: datetime, unique: str = UNIQUE, **position: Any) -> dict[str, Any]:
    """What Traccar forwards, with the names that its own documents have."""
    told = {
        "id": 7, "deviceId": 3, "protocol": "osmand", "valid": True, "outdated": False,
        "fixTime": at.isoformat(timespec="milliseconds"),
        "latitude": LAT, "longitude": LON, "altitude": 12.0, "speed": 9.7192, "course": 90.0,
        "accuracy": 4.0, "attributes": {"batteryLevel": 81.0, "motion": True}, "network": None,
    }  # fmt: skip
    return {"position": told | position, "device": {"id": 3, "name": "Van 2", "uniqueId": unique}}


def location(at: datetime, **more: Any) -> dict[str, Any]:
    """What a phone with OwnTracks posts."""
    told = {
        "_type": "location", "tid": "s1", "tst": int(at.timestamp()), "lat": LAT, "lon": LON,
        "acc": 6, "vel": 18, "batt": 82, "topic": "owntracks/anybody/phone",
    }  # fmt: skip
    return told | more


class Sender:
    """Traccar, or a phone: it knows an address, a user name and a secret."""

    def __init__(self, house: House, login: BrokerLogin) -> None:
        self.house = house
        self.login = login

    def post(
        self, path: str, told: Any, *, over: httpx.Client | None = None, **more: Any
    ) -> httpx.Response:
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        options: dict[str, Any] = {
            "auth": (self.login.username, self.login.secret),
            "headers": {"content-type": "application/json; charset=utf-8"},
        }
        with nullcontext(over) if over is not None else self.house.http() as client:
            return client.post(path, content=body, **{**options, **more})

    def keeps(self, path: str, told: Any) -> httpx.Response:
        """Post until it is kept: the line begins a moment after the gateway does."""
        answers: list[httpx.Response] = []

        def kept() -> bool:
            answers.append(self.post(path, told))
            assert answers[-1].status_code in {200, 204, 503}, answers[-1].text
            return answers[-1].status_code != 503

        until(kept, "the position to be kept")
        return answers[-1]


def tracker(house: House, name: str = "bike-1", role: Role = Role.TRACKER) -> Sender:
    return Sender(house, house.add_device(name, role))


def bridge(house: House, device: str, vehicle: str) -> Sender:
    """One that speaks for a vehicle, which the house's rules name."""
    sender = tracker(house, device)
    van = Vehicle(name="Van 2", device=device, below=UNIQUE)
    rules = DeliveryRules(vehicles={vehicle: van})
    writing(house, lambda c: house_rules.write(c, "roma", delivery=rules))
    return sender


def rows(house: House, table: Any = FIXES) -> list[dict[str, Any]]:
    async def read(database: Database) -> list[dict[str, Any]]:
        async with database.read() as connection:
            found = await connection.execute(select(table))
            return [dict(row) for row in found.mappings()]

    return house.call(read)


def writing(house: House, do: Callable[[AsyncConnection], Awaitable[Any]]) -> None:
    async def inside(database: Database) -> None:
        async with database.write() as connection:
            await do(connection)

    house.call(inside)


def line_of(house: House) -> PositionLine:
    served = house.system._served
    assert served is not None
    return served.line


def problem(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["code"])


def test_what_traccar_forwards_is_kept_before_it_is_answered(start_house: Start) -> None:
    house = start_house()
    vans = bridge(house, "vans", "van-2")
    at = moment(1)
    assert vans.keeps(TRACCAR, forwarded(at)).status_code == 204
    (row,) = rows(house)
    assert (row["vehicle"], row["at"], row["lat"], row["lon"]) == ("van-2", at, LAT, LON)
    assert row["speed_mps"] == pytest.approx(5.0, abs=1e-3)
    # The answer may have been lost: it comes again, and is kept once.
    assert vans.post(TRACCAR, forwarded(at)).status_code == 204
    assert vans.post(TRACCAR, forwarded(moment(), latitude=LAT + 5 / 111_195)).status_code == 204
    assert len(rows(house)) == 2
    until(lambda: rows(house, VEHICLES)[0]["battery"] == 0.81, "the vehicle's row")

    # What cannot be read is refused, and says why.
    for told, why in (
        (b"{", "no JSON"),
        (b"[]", "no JSON object"),
        ({"position": {}}, "forward.type"),
        (forwarded(moment(), ""), "uniqueId"),
        (forwarded(moment(), latitude=None), "no latitude in it"),
        (forwarded(moment(), latitude=91.0), "there is no latitude 91"),
        (forwarded(moment(), fixTime="yesterday"), "no time in it"),
    ):
        answer = vans.post(TRACCAR, told)
        assert problem(answer, 400) == ProblemCode.INVALID
        assert why in answer.json()["message"]
    large = forwarded(moment()) | {"padding": "x" * 20_000}
    assert problem(vans.post(TRACCAR, large), 413) == ProblemCode.TOO_LARGE
    huge = forwarded(moment()) | {"padding": "x" * 70_000}
    assert problem(vans.post(TRACCAR, huge), 413) == ProblemCode.TOO_LARGE
    plain = {"content-type": "text/plain"}
    assert problem(vans.post(TRACCAR, forwarded(moment()), headers=plain), 415)
    assert len(rows(house)) == 2

    # Nobody makes vehicles out of nothing.
    answer = vans.post(TRACCAR, forwarded(moment(), "another"))
    assert problem(answer, 404) == ProblemCode.NOT_FOUND
    mends = "heard delivery rules set --tenant roma vehicles.NAME=vans/another"
    assert mends in answer.json()["message"]
    assert {row["vehicle"] for row in rows(house)} == {"van-2"}


def test_what_a_phone_posts_is_kept_and_answered_with_an_empty_list(start_house: Start) -> None:
    house = start_house()
    phone, other = tracker(house), tracker(house, "bike-2")
    at = moment(1)
    answer = phone.keeps(OWNTRACKS, location(at))
    assert (answer.status_code, answer.json()) == (200, [])
    assert answer.headers["content-type"] == "application/json"
    (row,) = rows(house)
    assert (row["vehicle"], row["at"], row["accuracy_m"]) == ("bike-1", at, 6.0)

    # Whatever its headers say, it is who it is by its login.
    headers = {
        "content-type": "application/json",
        "x-limit-u": other.login.username,
        "x-limit-d": "bike-2",
    }
    answer = phone.post(OWNTRACKS, location(moment()), headers=headers)
    assert answer.status_code == 200
    assert {row["vehicle"] for row in rows(house)} == {"bike-1"}
    assert len(rows(house)) == 2

    # What else it posts is left, and is nothing wrong.
    for told in ({"_type": "lwt", "tst": 1}, {"_type": "waypoints", "waypoints": []}, b""):
        answer = phone.post(OWNTRACKS, told)
        assert (answer.status_code, answer.json()) == (200, [])
    assert problem(phone.post(OWNTRACKS, {"_type": "postcard"}), 400) == ProblemCode.INVALID
    assert len(rows(house)) == 2

    # What is no position is answered with what is wrong with it.
    for more, says in (
        ({"lat": 91.0}, "there is no latitude 91"),
        ({"lon": -180.5}, "there is no longitude -180.5"),
        ({"lat": None}, "no latitude in it"),
    ):
        answer = phone.post(OWNTRACKS, location(moment(), **more))
        assert problem(answer, 400) == ProblemCode.INVALID
        assert says in answer.json()["message"]
    assert len(rows(house)) == 2


def test_who_is_not_a_tracker_by_its_secret_tells_nothing(start_house: Start) -> None:
    house = start_house()
    bike = bridge(house, "bike-1", "bike-1")
    foreign = Sender(house, house.add_device("bike-1", Role.TRACKER, "napoli"))
    bike.keeps(TRACCAR, forwarded(moment(1)))
    assert {row["tenant"] for row in rows(house)} == {"roma"}

    wrong = (bike.login.username, "not its secret")
    mixed = (foreign.login.username, bike.login.secret)
    nobody = ("roma:nobody", bike.login.secret)
    for auth in (wrong, mixed, nobody, None):
        answer = bike.post(TRACCAR, forwarded(moment()), auth=auth)
        assert problem(answer, 401) == ProblemCode.UNAUTHENTICATED
        assert answer.headers["www-authenticate"].startswith("Basic ")
    till = tracker(house, "till-1", Role.POS)
    answer = till.post(TRACCAR, forwarded(moment()))
    assert problem(answer, 403) == ProblemCode.NOT_ALLOWED
    assert len(rows(house)) == 1

    # Out for a while, and then for ever.
    until_then = system_clock() + timedelta(seconds=600)
    out = {"tenant": "roma", "device": "bike-1", "ends_at": until_then}
    writing(house, lambda c: c.execute(SUSPENSIONS.insert().values(out)))
    until(lambda: bike.post(TRACCAR, forwarded(moment())).status_code == 429, "it is out")
    assert int(bike.post(TRACCAR, forwarded(moment())).headers["retry-after"]) > 300
    writing(house, lambda c: c.execute(delete(SUSPENSIONS)))
    assert bike.post(TRACCAR, forwarded(moment())).status_code == 204
    mine = (DEVICES.c.tenant == "roma") & (DEVICES.c.device == "bike-1")
    writing(house, lambda c: c.execute(delete(DEVICES).where(mine)))
    until(lambda: bike.post(TRACCAR, forwarded(moment())).status_code == 401, "it is out")


def test_who_guesses_secrets_is_slowed_down(start_house: Start) -> None:
    house = start_house()
    bike = tracker(house)

    def guess(number: int) -> int:
        auth = (bike.login.username, f"guess {number}")
        return bike.post(TRACCAR, forwarded(moment()), over=client, auth=auth).status_code

    with house.http() as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(guess, range(80)))
    assert set(answers) == {401, 429}
    assert answers.count(401) <= 70


def test_a_flood_is_held_to_the_limits_of_its_device(start_house: Start) -> None:
    house = start_house()
    bike, other = bridge(house, "bike-1", "bike-1"), tracker(house, "bike-2")
    bike.keeps(TRACCAR, forwarded(moment(200)))
    few = {"messages_per_s": 0.01, "messages_burst": 5}
    writing(house, lambda c: limits.set_for_device(c, "roma", "bike-1", few))
    gate = house.system._served.worker._guard.gate  # type: ignore[union-attr] # it serves
    until(
        lambda: gate.sender(("roma", "bike-1")).meter.limits.messages_burst == 5,
        "the limits to count",
    )
    before = len(rows(house))
    with house.http() as client, ThreadPoolExecutor(8) as pool:
        told = [forwarded(moment(100 - number)) for number in range(40)]
        answers = list(pool.map(lambda each: bike.post(TRACCAR, each, over=client), told))
    codes = [each.status_code for each in answers]
    assert set(codes) == {204, 429}
    assert codes.count(204) <= 6
    assert all(int(each.headers["retry-after"]) >= 1 for each in answers if each.is_error)
    assert len(rows(house)) - before <= 6
    # Others are held by nothing of that.
    assert other.post(OWNTRACKS, location(moment())).status_code == 200


def test_while_the_database_is_away_it_is_sent_again(start_house: Start) -> None:
    house = start_house()
    bike = bridge(house, "bike-1", "bike-1")
    bike.keeps(TRACCAR, forwarded(moment(9)))
    line = line_of(house)
    keeper, keep = line._keeper, line._keeper.keep

    async def away(_kept: object) -> None:
        raise ConnectionResetError("the database is away")

    setattr(line.brought, "_patience_s", 0.3)  # noqa: B010 - of one object alone
    setattr(keeper, "keep", away)  # noqa: B010 - the same
    told = [forwarded(moment(8 - number)) for number in range(4)]
    for each in told:
        answer = bike.post(TRACCAR, each)
        assert problem(answer, 503) == ProblemCode.AWAY
        assert int(answer.headers["retry-after"]) >= 1
    assert len(rows(house)) == 1
    assert len(line._room) == 0, "nothing is held for those who were sent away"
    setattr(keeper, "keep", keep)  # noqa: B010 - the same
    setattr(line.brought, "_patience_s", 10.0)  # noqa: B010 - the same
    for each in told:
        assert bike.keeps(TRACCAR, each).status_code == 204
    assert len(rows(house)) == 5


async def test_where_another_process_takes_positions_it_is_sent_away() -> None:
    gate = Gate(limits.BY_ROLE[Role.TRACKER], limits.OF_TENANT)
    guard = Guard(gate, Announcer(), system_clock)
    brought = Brought(PositionRoom(guard, Counter()))

    async def identify(_call: Call) -> Identity:
        return Identity("roma", "bike-1", Role.TRACKER)

    routes = PositionRoutes(brought, identify)
    body = Octets(octets=json.dumps(forwarded(moment())).encode())
    with pytest.raises(Denied) as denied:
        await routes.traccar(Call("127.0.0.1", None, {}, {}, {}), body)
    assert denied.value.status == 503
    assert denied.value.problem.retry_after_s == 2.0
