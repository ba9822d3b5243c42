"""Who comes, goes and stays at the fences of a house, whatever dies in between."""

from __future__ import annotations

from datetime import time

import pytest

from schemas.fences import Circle, Fence, FenceKind, Polygon
from schemas.menu import ServedHours
from schemas.positions import Place
from services.runtime.database import Database
from services.tracking.tables import CROSSINGS
from tests.rules.test_shapes import square
from tests.services.fence_world import NOON, PLACE, FenceWorld


def circle(name: str, radius_m: float = 500, **more: object) -> Fence:
    told = {"fence": name, "name": name, "kind": FenceKind.ZONE, **more}
    return Fence.model_validate(told | {"circle": Circle(centre=PLACE, radius_m=radius_m)})


@pytest.fixture
async def world(database: Database) -> FenceWorld:
    world = FenceWorld(database)
    await world.open()
    return world


async def test_a_vehicle_comes_and_goes_once_though_it_lingers_on_the_line(
    world: FenceWorld,
) -> None:
    await world.fence(circle("centre", hysteresis_m=50))
    assert await world.rides("bike", (0, 900, 0)) == []
    assert await world.rides("bike", (10, 490, 0)) == ["enter centre 10"]
    for second, east in enumerate((505, 495, 549, 501), start=11):
        assert await world.rides("bike", (second, east, 0)) == []
    assert await world.rides("bike", (20, 560, 0)) == ["exit centre 20"]


async def test_the_restaurant_itself_is_a_fence(world: FenceWorld) -> None:
    assert await world.rides("bike", (0, 500, 0), (5, 30, 0)) == ["enter house 5"]
    assert await world.rides("bike", (9, 85, 0)) == []
    assert await world.rides("bike", (12, 100, 0)) == ["exit house 12"]


async def test_what_was_crossed_in_a_tunnel_is_found_with_its_times(world: FenceWorld) -> None:
    await world.fence(circle("centre", dwell_s=60))
    way = ((0, 900, 0), (100, 300, 0), (200, 290, 0), (300, 900, 0))
    assert await world.rides("bike", *reversed(way)) == [
        "enter centre 100",
        "dwell centre 160",
        "exit centre 300",
    ]


async def test_a_fix_that_comes_late_moves_nobody_back(world: FenceWorld) -> None:
    await world.fence(circle("centre"))
    assert await world.rides("bike", (100, 0, 300)) == ["enter centre 100"]
    assert await world.rides("bike", (50, 0, 900)) == []


async def test_who_was_within_before_a_restart_does_not_come_anew(world: FenceWorld) -> None:
    await world.fence(circle("centre", dwell_s=600))
    assert await world.rides("bike", (0, 0, 300)) == ["enter centre 0"]
    await world.live()
    assert await world.rides("bike", (300, 0, 310)) == []
    assert await world.rides("bike", (601, 0, 310)) == ["dwell centre 600"]
    await world.live()
    assert await world.rides("bike", (700, 0, 310)) == []
    assert await world.rides("bike", (800, 0, 900)) == ["exit centre 800"]
    await world.live()
    assert await world.rides("bike", (900, 0, 900)) == []


async def test_what_was_judged_before_a_crash_and_comes_again_crosses_nothing(
    world: FenceWorld,
) -> None:
    await world.fence(circle("centre", dwell_s=60))
    came = ((0, 0, 900), (1, 0, 700), (2, 0, 300))
    assert await world.rides("bike", *came) == ["enter centre 2"]
    await world.live()
    assert await world.rides("bike", *came, (3, 0, 290)) == []
    went = ((50, 0, 300), (80, 0, 900), (81, 0, 300), (82, 0, 700))
    crossed = ["dwell centre 62", "exit centre 80", "enter centre 81", "exit centre 82"]
    assert await world.rides("bike", *went) == crossed
    await world.live()
    assert await world.rides("bike", *came, *went) == []
    assert await world.rides("bike", (90, 0, 300)) == ["enter centre 90"]


async def test_what_is_found_again_after_a_crash_is_the_same_crossing(world: FenceWorld) -> None:
    await world.fence(circle("centre"))
    await world.rides("bike", (0, 0, 300))
    async with world.database.write() as connection:
        await connection.execute(CROSSINGS.delete().where(CROSSINGS.c.tenant == world.tenant))
    await world.live()
    await world.rides("bike", (0, 0, 300))
    first, again = world.found
    assert first == again


async def test_a_fence_that_is_moved_is_left_and_one_that_goes_is_forgotten(
    world: FenceWorld,
) -> None:
    await world.fence(circle("centre"))
    assert await world.rides("bike", (0, 0, 300)) == ["enter centre 0"]
    world.later(seconds=1)
    elsewhere = Circle(centre=Place(lat=61.0, lon=24.0), radius_m=500)
    await world.fence(circle("centre").model_copy(update={"circle": elsewhere}))
    assert await world.rides("bike", (10, 0, 300)) == ["exit centre 10"]
    world.later(seconds=1)
    await world.fence(circle("centre"))
    assert await world.rides("bike", (20, 0, 300)) == ["enter centre 20"]
    await world.fence()
    assert await world.rides("bike", (30, 0, 300)) == []
    world.later(seconds=1)
    await world.fence(circle("centre"))
    assert await world.rides("bike", (40, 0, 300)) == ["enter centre 40"]


async def test_a_fence_counts_in_its_hours_alone(world: FenceWorld) -> None:
    lunch = ServedHours(since=time(11, 0), until=time(13, 0))
    await world.fence(circle("centre", hours=[lunch], must_stay=True))
    assert await world.rides("bike", (0, 0, 300)) == ["enter centre 0"]
    world.later(hours=2)
    assert await world.rides("bike", (7_200, 0, 900)) == []
    assert world.left() == {}
    # While nobody looked, a day has passed: whoever is there at lunch has come.
    world.later(hours=22)
    await world.live()
    assert await world.rides("bike", (86_400, 0, 300)) == ["enter centre 86400"]


async def test_who_leaves_where_they_have_to_stay_is_known_after_a_restart_too(
    world: FenceWorld,
) -> None:
    await world.fence(circle("centre", must_stay=True), circle("free", radius_m=400))
    await world.rides("bike", (0, 0, 300), (60, 0, 900))
    left = {((world.tenant, "bike"), "centre"): NOON.timestamp() + 60}
    assert world.left() == left
    await world.live()
    assert world.left() == left, "though it was not heard of yet"
    assert await world.rides("bike", (70, 0, 910)) == []
    assert world.left() == left
    assert await world.rides("bike", (80, 0, 300)) == ["enter centre 80", "enter free 80"]
    assert world.left() == {}


async def test_who_has_left_a_fence_has_not_once_it_counts_no_more(world: FenceWorld) -> None:
    lunch = ServedHours(since=time(11, 0), until=time(13, 0))
    await world.fence(
        circle("centre", must_stay=True), circle("noon", hours=[lunch], must_stay=True)
    )
    await world.rides("bike", (0, 0, 300), (60, 0, 900))
    assert {fence for _, fence in world.left()} == {"centre", "noon"}
    await world.live()
    world.later(hours=2)  # and nobody is heard of
    assert {fence for _, fence in world.left()} == {"centre"}
    await world.fence(circle("centre"))
    assert world.left() == {}, "nobody has to stay there any more"


async def test_only_the_next_door_with_food_in_the_bag_is_come_to(world: FenceWorld) -> None:
    first, second = world.door("bike", 1, 2_000), world.door("bike", 2, 1_000)
    empty = world.door("car", 1, 2_000, bag=False)
    await world.bring(first, second, empty)
    # It passes by the second door on its way to the first.
    assert await world.rides("bike", (0, 600, 0), (60, 1_000, 0), (90, 1_400, 0)) == []
    assert await world.rides("bike", (100, 1_800, 0), (120, 1_990, 0)) == [
        f"enter near:{first.order_id} 100",
        f"enter stop:{first.order_id} 120",
    ]
    assert await world.rides("car", (100, 1_800, 0), (120, 1_990, 0)) == []
    # It was brought. The second is next, and another vehicle has nothing to do with it.
    await world.bring(second)
    assert await world.rides("bike", (300, 1_010, 0)) == [
        f"enter near:{second.order_id} 300",
        f"enter stop:{second.order_id} 300",
    ]
    assert await world.rides("car", (300, 1_010, 0)) == []


async def test_a_second_door_in_the_same_house_is_come_to_as_soon_as_it_is_next(
    world: FenceWorld,
) -> None:
    first, second = world.door("bike", 1, 2_000), world.door("bike", 2, 2_005)
    await world.bring(first, second)
    await world.rides("bike", (0, 2_000, 0))
    await world.bring(second)
    assert await world.rides("bike", (60, 2_001, 0)) == [
        f"enter near:{second.order_id} 60",
        f"enter stop:{second.order_id} 60",
    ]


async def test_no_vehicle_is_held_against_another_house_s_fences(world: FenceWorld) -> None:
    ring = Polygon(rings=(tuple(square(1_000, PLACE.lat, PLACE.lon)),))
    area = circle("centre").model_copy(update={"circle": None, "polygon": ring})
    await world.fence(area)
    other = FenceWorld(world.database)
    await other.open(place=None)
    await world.ground.look()
    assert await world.rides("bike", (0, 0, 0), tenant=other.tenant) == []
    assert await world.rides("bike", (0, 100, 0)) == ["enter centre 0"]


async def test_a_number_that_another_vehicle_takes_over_brings_no_stay_with_it(
    world: FenceWorld,
) -> None:
    await world.fence(circle("centre"))
    assert await world.rides("bike", (0, 0, 300)) == ["enter centre 0"]
    world.keys[0] = (world.tenant, "car")
    assert await world.rides("car", (5, 0, 300)) == ["enter centre 5"]
