"""What `heard track watch` shows: nobody is missing, and every sign in use is explained."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from rich.console import Console

from cli.fleet_scene import Scene, Told
from cli.fleet_screen import Screen
from schemas.alerts import Alert, AlertKind, AlertState, Audience
from schemas.deliveries import Courier, CourierState, Delivery, DeliveryState, DeliveryStatus
from schemas.etas import Confidence, EtaState
from schemas.identifiers import new_id
from schemas.message import State
from schemas.positions import Place, VehicleState
from services.runtime.bus import Delivery as Arrival
from services.runtime.context import outgoing

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=ZoneInfo("UTC"))
UTC = ZoneInfo("UTC")
MINUTE = timedelta(minutes=1)


def told(scene: Scene, state: State, **address: Any) -> Told | None:
    """Have the scene hear of it, as it comes from the broker."""
    message = outgoing(state, tenant="roma", now=NOW, **address)
    return scene.take(Arrival(message.topic, message.payload, retain=True, qos=1, tag=1))


def vehicle(scene: Scene, name: str, lat: float = 60.17, **more: Any) -> Told | None:
    state = {"lon": 24.94, "spread_m": 5, "speed_mps": 0, "moving": False, "since": NOW}
    fix = VehicleState.model_validate({"vehicle": name, "at": NOW, "lat": lat, **state, **more})
    return told(scene, fix, vehicle=name)


def order(scene: Scene, last: str, minutes: int = 0, **more: Any) -> UUID:
    """One that is to be brought, placed so many minutes ago."""
    order_id = new_id()
    delivery = Delivery.model_validate(
        {
            "order_id": order_id,
            "number": f"ORD-261122094726-{last}",
            "status": DeliveryStatus.WAITING,
            "version": 1,
            "place": Place(lat=60.17 + minutes * 1e-4, lon=24.95),
            "placed_at": NOW - minutes * MINUTE,
            "promised_at": NOW + MINUTE,
            **more,
        }
    )
    told(scene, DeliveryState(order_id=order_id, delivery=delivery), order_id=str(order_id))
    return order_id


def taken(device: str, stop: int = 1) -> dict[str, Any]:
    return {"status": DeliveryStatus.ACCEPTED, "courier": "anna", "device": device, "stop": stop}


def shown(scene: Scene, width: int = 80, height: int = 24) -> str:
    screen = Screen(scene, (), UTC, lambda: NOW)
    screen.connected = True
    console = Console(width=width, height=height, color_system=None)
    with console.capture() as captured:
        console.print(screen.rendered(width, height))
    lines = captured.get().splitlines()
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    return captured.get()


def test_orders_that_wait_for_a_courier_are_told_with_the_oldest() -> None:
    scene = Scene()
    order(scene, "J7TH", 20)
    order(scene, "A1B2", 3)
    order(scene, "OWED", 30, **taken("bike-1"))
    since, by = f"{NOW - 20 * MINUTE:%H:%M}", f"{NOW + MINUTE:%H:%M}"
    assert (
        f"2 orders wait for a courier, the oldest since {since}: J7TH, promised by {by}\n"
        in shown(scene)
    )
    assert "3 orders to bring" in shown(scene)


def test_who_has_orders_and_was_never_heard_has_a_row() -> None:
    scene = Scene()
    courier = Courier(courier="anna", name="Anna", device="bike-1")
    told(scene, CourierState(courier_id="anna", courier=courier), courier_id="anna")
    order(scene, "8STC", **taken("bike-1"))
    row = next(line for line in shown(scene).splitlines() if line.startswith("bike-1"))
    assert row.split() == ["bike-1", "Anna", "not", "heard", "8STC", "(accepted)"]


def test_every_sign_in_use_is_explained_and_no_other() -> None:
    scene = Scene(place=Place(lat=60.16, lon=24.93))
    assert "R restaurant" in shown(scene)
    assert "stands" not in shown(scene)
    vehicle(scene, "bike-1")
    order(scene, "J7TH")
    assert "R restaurant  o door without a courier  • stands" in shown(scene)
    order(scene, "A1B2", 5, **taken("bike-1"))
    order(scene, "C3D4", 9, **taken("bike-1", 10))
    vehicle(scene, "bike-2", 60.18, moving=True, heading_deg=90, speed_mps=5)
    vehicle(scene, "bike-3", 60.19, silent=True)
    raised = Alert(
        alert="low-bike-1", kind=AlertKind.LOW_BATTERY, audience=Audience.MANAGERS, to="managers",
        about="bike-1", text="4 %", raised_at=NOW,
    )  # fmt: skip
    told(scene, AlertState(alert_id="low-bike-1", alert=raised), alert_id="low-bike-1")
    for width in (40, 80, 200):
        drawn = shown(scene, width, 40)
        for words in (
            "R restaurant", "o door without a courier", "1 2 3 doors in turn",
            "+ door after the ninth", "• stands", "→ rides", "? silent", 'red: see "wrong"',
        ):  # fmt: skip
            assert words in drawn


def test_a_table_of_eighty_columns_has_whole_names_and_no_empty_column() -> None:
    scene = Scene()
    for number in range(3):
        name = f"courier-of-a-long-name-{number}"
        vehicle(scene, name, 60.17 + number / 100)
        eta = order(scene, f"J7T{number}", **taken(name))
        expected = EtaState(
            order_id=eta, p50_at=NOW + 4 * MINUTE, p90_at=NOW + 7 * MINUTE, as_of=NOW,
            stale=True, confidence=Confidence.LOW,
        )  # fmt: skip
        told(scene, expected, order_id=str(eta))
    drawn = shown(scene)
    assert "battery" not in drawn
    assert "wrong" not in drawn
    for number in range(3):
        row = next(line for line in drawn.splitlines() if line.startswith("courier-of"))
        assert f"courier-of-a-long-name-{number} " in drawn
        assert "4-7 min, old" in row
        assert "…" not in row


def test_times_are_told_in_words_that_are_read_at_once() -> None:
    scene = Scene()
    vehicle(scene, "bike-1", at=NOW - timedelta(hours=6, minutes=4))
    assert "6h 04 ago" in shown(scene)


def test_what_does_not_fit_is_counted() -> None:
    scene = Scene()
    for number in range(30):
        vehicle(scene, f"bike-{number:02}", 60.17 + number / 1000)
    assert "… and 20 more" in shown(scene)


def test_a_line_names_orders_by_their_number_also_when_they_are_over() -> None:
    scene = Scene()
    screen = Screen(scene, (), UTC, lambda: NOW)
    order_id = order(scene, "J7TH")
    expected = EtaState(order_id=order_id, p50_at=NOW + MINUTE, p90_at=NOW + 2 * MINUTE,
                        as_of=NOW, confidence=Confidence.HIGH)  # fmt: skip
    said = told(scene, expected, order_id=str(order_id))
    assert said is not None
    clock, soon, late = (f"{NOW + n * MINUTE:%H:%M:%S}" for n in range(3))
    words = f"at {soon}, nine times of ten by {late}"
    assert screen.line(said, NOW) == f"{clock}\tetas\tORD-261122094726-J7TH\t{words}"
    for area in ("deliveries", "etas"):
        over = scene.take(Arrival(f"heard/v1/roma/state/{area}/{order_id}", b"", True, 1, 1))
        assert over is not None
        assert screen.line(over, NOW) == f"{clock}\t{area}\tORD-261122094726-J7TH\tover"
    assert scene.number(order_id) == str(order_id)


def test_what_went_while_nobody_listened_is_not_shown_for_ever() -> None:
    scene = Scene(place=Place(lat=60.16, lon=24.93))
    vehicle(scene, "bike-1")
    order(scene, "J7TH")
    scene.clear()
    drawn = shown(scene)
    assert "0 vehicles, 0 orders to bring" in drawn
    assert "R restaurant" in drawn


def test_a_screen_without_a_connection_says_so_and_why_at_any_width() -> None:
    screen = Screen(Scene(), (), UTC, lambda: NOW)
    screen.trouble = "no broker runs here: start `heard up` in another terminal"
    console = Console(width=45, height=20, color_system=None)
    with console.capture() as captured:
        console.print(screen.rendered(45, 20))
    first, *rest = captured.get().splitlines()
    assert first.strip() == "✖ NO CONNECTION - DO NOT TRUST THIS SCREEN"
    assert "start `heard up` in another terminal" in " ".join(each.strip() for each in rest)
