from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from typing import Any

import pytest

from schemas.delivery_rules import DeliveryRules, RoutingEngine
from schemas.etas import EtaPart, EtaState
from schemas.positions import Place, TravelMode
from services.delivery.legs import Legs
from services.delivery.routing import engines, one_engine, osrm, valhalla
from services.delivery.routing.asking import NoAnswer
from services.delivery.routing.engines import EngineWays
from services.runtime.database import Database
from tests.patience import PATIENCE_S
from tests.services.eta_world import HOUSE, EtaWorld, north
from tests.webhook_server import Answer, Arrival, WebhookServer

SECONDS = 777.0
FROM = (HOUSE.lat, HOUSE.lon)
DOOR = north(2_000)
ANSWERS: dict[RoutingEngine, dict[str, Any]] = {
    # As https://project-osrm.org/docs/v5.24.0/api/ and Valhalla's own documentation show them.
    RoutingEngine.OSRM: {
        "code": "Ok",
        "routes": [{"duration": SECONDS, "distance": 2_912.4, "legs": [], "weight": SECONDS}],
        "waypoints": [{"location": [24.94, 60.17], "name": ""}],
    },
    RoutingEngine.VALHALLA: {
        "trip": {
            "status": 0,
            "units": "kilometers",
            "summary": {"time": SECONDS, "length": 2.912},
            "legs": [],
        }
    },
}


def ok(engine: RoutingEngine) -> Answer:
    return Answer(200, {"content-type": "application/json"}, json.dumps(ANSWERS[engine]).encode())


def rules(server: WebhookServer, engine: RoutingEngine = RoutingEngine.OSRM) -> DeliveryRules:
    url = server.url.removesuffix("/hooks")
    return DeliveryRules.model_validate({"place": HOUSE, "engine": engine, "engine_url": url})


@asynccontextmanager
async def running(ways: EngineWays) -> AsyncIterator[EngineWays]:
    task = asyncio.create_task(ways.run())
    try:
        yield ways
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def asked(
    server: WebhookServer, engine: RoutingEngine = RoutingEngine.OSRM, **more: Any
) -> AsyncIterator[EngineWays]:
    ways = EngineWays(**{"patience_s": PATIENCE_S, **more})
    ways.serve("demo", rules(server, engine), Legs())
    async with running(ways):
        yield ways


async def until(condition: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while loop.time() < deadline:
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not become so in time")


def length(ways: EngineWays, to: Place = DOOR, tenant: str = "demo") -> float | None:
    """What an engine has said of the way from the restaurant."""
    return ways.length(tenant, TravelMode.BICYCLE, FROM, (to.lat, to.lon))


def left_alone(ways: EngineWays) -> bool:
    return any(each.left_alone for each in ways._engines.values())


def seconds(ways: EngineWays, to: Place = DOOR, tenant: str = "demo") -> float | None:
    metres = length(ways, to, tenant)
    return None if metres is None else metres * PACE


PACE = Legs().paces[TravelMode.BICYCLE].s_per_m


@pytest.mark.parametrize("engine", list(ANSWERS))
async def test_an_engine_is_asked_once_and_its_answer_is_remembered(engine: RoutingEngine) -> None:
    with closing(WebhookServer(lambda _number, _arrival: ok(engine))) as server:
        async with asked(server, engine) as ways:
            assert length(ways) is None  # nobody waits for it
            await until(lambda: length(ways) is not None)
            assert ways.learned() == {"demo"}
            assert ways.learned() == set()
            for _ in range(5):
                assert seconds(ways) == pytest.approx(SECONDS)
            assert len(server.arrivals) == 1
            assert_asked_well(engine, server.arrivals[0])


async def test_a_way_of_no_length_is_asked_of_nobody() -> None:
    with closing(WebhookServer(lambda _number, _arrival: ok(RoutingEngine.OSRM))) as server:
        async with asked(server) as ways:
            assert length(ways, HOUSE) == 0.0
            await ways.settle()
            assert server.arrivals == []


def assert_asked_well(engine: RoutingEngine, arrival: Arrival) -> None:
    if engine is RoutingEngine.OSRM:
        number = r"-?\d+\.\d{6}"
        form = rf"/route/v1/bike/{number},{number};{number},{number}\?overview=false&steps=false"
        assert re.fullmatch(form, arrival.path)
        assert "/24.94" in arrival.path  # longitude first
        return
    assert arrival.path == "/route"
    body = json.loads(arrival.body)
    assert body["costing"] == "bicycle"
    assert [set(each) for each in body["locations"]] == [{"lat", "lon"}] * 2


GARBAGE = {
    "no JSON": Answer(200, {}, b"<html>hello</html>"),
    "an error": Answer(500, {}, b"{}"),
    "a list": Answer(200, {}, b"[1, 2]"),
    "nothing": Answer(200, {}, b""),
    "no number": Answer(200, {}, b'{"code": "Ok", "routes": [{"duration": "soon"}]}'),
    "below zero": Answer(200, {}, b'{"code": "Ok", "routes": [{"duration": -5}]}'),
    "elsewhere": Answer(302, {"location": "http://127.0.0.1:1/"}, b""),
    "too slow": Answer(200, {}, b"{}", after_s=5.0),
    "endless": Answer(200, {}, b"{", endless=True),
}


def lasting(duration_s: float) -> Answer:
    return Answer(
        200, {}, json.dumps({"code": "Ok", "routes": [{"duration": duration_s}]}).encode()
    )


def asks_of(arrival: Arrival, place: Place) -> bool:
    to = f";{round(place.lon, 5):.6f},{round(place.lat, 5):.6f}"
    return arrival.path.split("?")[0].endswith(to)


@pytest.mark.parametrize("said", GARBAGE)
async def test_an_engine_that_talks_nonsense_is_left_alone_and_the_line_is_straight(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_engine, "_FIRST_PAUSE_S", PATIENCE_S)
    with closing(WebhookServer(lambda _number, _arrival: GARBAGE[said])) as server:
        async with asked(server, patience_s=1.0) as ways:
            assert length(ways) is None
            await until(lambda: left_alone(ways))
            asked_so_far = len(server.arrivals)
            for _ in range(20):
                assert length(ways) is None
                await asyncio.sleep(0.01)
            assert len(server.arrivals) == asked_so_far == 1
            assert ways.learned() == set()


async def test_what_was_asked_of_an_engine_that_was_away_is_asked_again_by_itself() -> None:
    away = [True]

    def judge(_number: int, _arrival: Arrival) -> Answer:
        return Answer(503) if away[0] else ok(RoutingEngine.OSRM)

    doors = [north(500 + 100 * i) for i in range(5)]
    with closing(WebhookServer(judge)) as server:
        async with asked(server) as ways:
            for door in doors:
                assert length(ways, door) is None
            await until(lambda: left_alone(ways))
            for door in doors:  # while it is left alone too
                assert length(ways, door) is None
            away[0] = False
            await until(lambda: ways.learned() == {"demo"}, 15.0)
            await ways.settle()
            assert not left_alone(ways)
            assert [seconds(ways, door) for door in doors] == [pytest.approx(SECONDS)] * 5


async def test_what_there_is_no_room_for_is_asked_when_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(one_engine, "WAITING", 2)
    doors = [north(500 + 100 * i) for i in range(9)]
    with closing(WebhookServer(lambda _number, _arrival: ok(RoutingEngine.OSRM))) as server:
        async with asked(server) as ways:

            def all_known() -> bool:
                """As the live ETA asks: once, and again where something was learned of a house."""
                if ways.learned():
                    known[:] = [length(ways, door) is not None for door in doors]
                return all(known)

            known = [length(ways, door) is not None for door in doors]
            await until(all_known)
            assert len(server.arrivals) == len(doors)


@pytest.mark.parametrize("absurd", [43_201.0, 31_536_000.0])
async def test_an_absurd_door_is_no_fault_of_the_engine(absurd: float) -> None:
    far = north(200_000)

    def judge(_number: int, arrival: Arrival) -> Answer:
        return lasting(absurd) if asks_of(arrival, far) else ok(RoutingEngine.OSRM)

    with closing(WebhookServer(judge)) as server:
        async with asked(server) as ways:
            assert length(ways, far) is None
            await ways.settle()
            for _ in range(3):
                assert length(ways, far) is None
                assert not left_alone(ways)
            assert length(ways) is None
            await ways.settle()
            assert length(ways) is not None
            assert len(server.arrivals) == 2


async def test_a_question_that_fails_where_others_are_answered_is_no_fault_of_the_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(one_engine, "_FIRST_PAUSE_S", 0.05)
    poison = north(700)

    def judge(_number: int, arrival: Arrival) -> Answer:
        return Answer(500) if asks_of(arrival, poison) else ok(RoutingEngine.OSRM)

    with closing(WebhookServer(judge)) as server:
        async with asked(server) as ways:
            assert length(ways, poison) is None
            await until(lambda: bool(server.arrivals))
            for i in range(1, 6):
                assert length(ways, north(1_000 * i)) is None
            await ways.settle()
            assert [seconds(ways, north(1_000 * i)) for i in range(1, 6)] == [
                pytest.approx(SECONDS)
            ] * 5
            asked_so_far = len(server.arrivals)
            assert length(ways, poison) is None
            await ways.settle()
            assert len(server.arrivals) == asked_so_far


async def test_where_there_is_no_way_the_engine_is_not_asked_again() -> None:
    none = Answer(400, {}, b'{"code": "NoRoute", "message": "Impossible route"}')
    with closing(WebhookServer(lambda _number, _arrival: none)) as server:
        async with asked(server) as ways:
            assert length(ways) is None
            await ways.settle()
            for _ in range(5):
                assert length(ways) is None
            await ways.settle()
            assert len(server.arrivals) == 1


async def test_an_answer_that_has_grown_old_counts_until_the_new_one_is_there() -> None:
    now, said = [0.0], [SECONDS]
    with closing(WebhookServer(lambda _number, _arrival: lasting(said[0]))) as server:
        async with asked(server, clock=lambda: now[0]) as ways:
            assert length(ways) is None
            await until(lambda: length(ways) is not None)
            now[0], said[0] = engines.GOOD_FOR_S - 1, 2 * SECONDS
            assert seconds(ways) == pytest.approx(SECONDS)
            await ways.settle()
            assert len(server.arrivals) == 1
            now[0] = engines.GOOD_FOR_S + 1
            assert seconds(ways) == pytest.approx(SECONDS)
            await ways.settle()
            assert seconds(ways) == pytest.approx(2 * SECONDS)
            assert len(server.arrivals) == 2


async def test_that_there_is_no_way_is_asked_again_after_a_while() -> None:
    now, map_ = [0.0], [b'{"code": "NoSegment"}']

    def judge(_number: int, _arrival: Arrival) -> Answer:
        return Answer(400, {}, map_[0]) if map_[0] else ok(RoutingEngine.OSRM)

    with closing(WebhookServer(judge)) as server:
        async with asked(server, clock=lambda: now[0]) as ways:
            assert length(ways) is None
            await ways.settle()
            map_[0], now[0] = b"", engines.NO_WAY_FOR_S + 1
            assert length(ways) is None
            await until(lambda: length(ways) is not None)


async def test_a_slow_engine_makes_nobody_wait_who_asks_another() -> None:
    slowly = Answer(200, {}, ok(RoutingEngine.OSRM).body, after_s=600.0)
    with (
        closing(WebhookServer(lambda _number, _arrival: slowly)) as slow,
        closing(WebhookServer(lambda _number, _arrival: ok(RoutingEngine.OSRM))) as quick,
    ):
        ways = EngineWays(patience_s=600.0)
        for tenant, server in (("roma", slow), ("thai", quick)):
            ways.serve(tenant, rules(server), Legs())
        doors = [north(500 + 100 * i) for i in range(30)]
        async with running(ways):
            for tenant in ("roma", "thai"):
                for door in doors:
                    assert length(ways, door, tenant) is None
            await until(lambda: all(length(ways, door, "thai") for door in doors))
            await until(lambda: len(slow.arrivals) == one_engine.AT_ONCE)
            assert quick.at_once <= one_engine.AT_ONCE
            assert not any(length(ways, door, "roma") for door in doors)


async def test_a_house_without_an_engine_asks_nobody() -> None:
    with closing(WebhookServer(lambda _number, _arrival: ok(RoutingEngine.OSRM))) as server:
        async with asked(server) as ways:
            ways.serve("demo", DeliveryRules(place=HOUSE), Legs())
            assert length(ways) is None
            await ways.settle()
            assert server.arrivals == []


async def test_an_eta_does_not_jump_to_the_straight_line_while_an_engine_is_asked(
    database: Database,
) -> None:
    away = [False]

    def judge(_number: int, _arrival: Arrival) -> Answer:
        return Answer(503) if away[0] else lasting(1_400.0)

    with closing(WebhookServer(judge)) as server:
        world = await EtaWorld(database).open(rules(server))
        order = await world.deliver(
            north(3_000), status="en-route", courier="anna", ready_at=-9.0, picked_up_at=-9.0,
            set_out_at=-5.0,
        )  # fmt: skip
        ways = EngineWays(patience_s=PATIENCE_S)
        book = world.new_book(ways)
        async with running(ways):
            await book.look()
            world.move(("anna", HOUSE), book=book)
            assert not routed(world.eta(order))
            straight = world.eta(order).p50_at
            await ways.settle()
            world.move(("anna", HOUSE), book=book)
            assert routed(world.eta(order))
            first = world.eta(order).p50_at
            assert first - straight > timedelta(minutes=4)
            away[0], told = True, len(world.told)
            for step in range(1, 98):  # to where positions are asked for no more, and beyond
                world.pass_time(14.0)
                world.move(("anna", north(step * 30.0)), book=book)
                await asyncio.sleep(0)
                await book.look()
            assert [routed(each) for each in world.told[told:]].count(False) == 0
            # One pace all along: what is told moves by what a ride shows of itself, and no more.
            assert abs(world.eta(order).p50_at - first) < timedelta(minutes=3)
            await world.change(order, lat=north(5_000).lat)
            await book.look()
            assert not routed(world.eta(order)), "of another way nobody has said anything"


def routed(eta: EtaState) -> bool:
    (ride,) = [each for each in eta.reasons if each.part is EtaPart.RIDE]
    return ride.text.endswith("as far as the router's way")


@pytest.mark.parametrize("module", [osrm, valhalla])
@pytest.mark.parametrize(
    "document", [{}, {"trip": 1}, {"code": "Ok"}, {"code": "Ok", "routes": []}]
)
def test_what_is_no_answer_is_never_taken_for_one(module: Any, document: dict[str, Any]) -> None:
    with pytest.raises(NoAnswer):
        module.read(document)
